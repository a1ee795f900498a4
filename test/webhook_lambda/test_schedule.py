"""When a failed webhook is tried again."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webhook_lambda.schedule import HANDLING, MAX_VISIBILITY, Schedule

HOUR = 3600


def tries(schedule: Schedule, *, chance: float = 0) -> list[float]:
    """When a webhook is tried that always fails, in seconds after the first try."""
    times = [0.0]
    while (pause := schedule.pause(times[-1], chance=lambda: chance)) is not None:
        times.append(times[-1] + pause)
    return times


def test_the_default_schedule_is_the_one_of_the_guide() -> None:
    times = tries(Schedule())
    assert [round(time) for time in times[:10]] == [0, 5, 15, 45, 135, 405, 1215, 3645, 10935, 32805]
    assert [round(time / HOUR, 1) for time in times[10:]] == [21.0, 32.9, 44.9, 56.8, 68.7, 72.0]


@pytest.mark.parametrize("chance", [0, 0.5, 1])
def test_the_last_try_is_at_the_end_of_three_days(chance: float) -> None:
    times = tries(Schedule(), chance=chance)
    assert times[-1] == pytest.approx(72 * HOUR, abs=6)
    assert all(later - earlier <= MAX_VISIBILITY - HANDLING + 1 for earlier, later in pairwise(times))


def test_what_failed_together_comes_apart() -> None:
    schedule = Schedule()
    assert schedule.pause(1000, chance=lambda: 1) == pytest.approx(1.1 * 2000)
    assert schedule.pause(1000, chance=lambda: 0) == 2000


def test_retry_after_makes_a_pause_longer_and_never_shorter() -> None:
    schedule = Schedule(jitter=0)
    assert schedule.pause(0, 120) == 120
    assert schedule.pause(600, 120) == 1200


@given(st.floats(0, 1e9), st.none() | st.floats(0, 1e12))
def test_sqs_takes_every_pause(elapsed: float, retry_after: float | None) -> None:
    pause = Schedule().pause(elapsed, retry_after)
    assert pause is None or 5 <= pause <= MAX_VISIBILITY - HANDLING
    assert (pause is None) == (elapsed >= 3 * 24 * HOUR)
