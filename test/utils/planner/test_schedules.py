"""Cron schedules as intervals; a simulation begins on a Monday at midnight UTC."""

import pytest

from utils.planner.model import DAY, HOUR, Floor
from utils.planner.schedules import floors


def warm(start: str, end: str, timezone: str = "UTC", replicas: int = 1) -> list[dict[str, object]]:
    return [{"start": start, "end": end, "timezone": timezone, "replicas": replicas}]


def test_working_hours_are_five_intervals_of_a_week() -> None:
    found = floors(warm("0 8 * * 1-5", "0 20 * * 1-5", replicas=2), 7 * DAY)

    assert found == tuple(Floor(day * DAY + 8 * HOUR, day * DAY + 20 * HOUR, 2) for day in range(5))


def test_hours_are_those_of_the_time_zone() -> None:
    (found,) = floors(warm("0 8 * * *", "30 9 * * *", "Asia/Shanghai"), DAY)

    assert found == Floor(0.0, 1.5 * HOUR, 1)


def test_a_night_that_began_before_the_simulation_counts_from_its_start() -> None:
    assert floors(warm("0 22 * * *", "0 6 * * *"), DAY) == (Floor(0.0, 6 * HOUR, 1), Floor(22 * HOUR, DAY, 1))


@pytest.mark.parametrize(
    ("start", "count"),
    [("*/30 * * * *", 48), ("0 9-17/2 * * *", 5), ("0 9,18 * * *", 2), ("0 9 13 * 1", 1), ("0 9 6 1 *", 0)],
)
def test_lists_ranges_and_steps_are_understood(start: str, count: int) -> None:
    # Given an end ten minutes after every full and half hour
    found = floors(warm(start, "10,40 * * * *"), DAY)

    assert len(found) == count
