"""Cron schedules as intervals of a simulation, whose first day is a Monday."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from utils.planner.model import Floor

MONDAY = datetime(2026, 1, 5, tzinfo=ZoneInfo("UTC"))
"""When a simulation begins."""

LAST_WEEKDAY = 6

Match = Callable[[datetime], bool]


def floors(warm: Sequence[Mapping[str, Any]], length: float) -> tuple[Floor, ...]:
    """The pods that ``warm`` of the chart keeps within ``length`` seconds (KEDA's cron scaler)."""
    return tuple(floor for one in warm for floor in _intervals(one, length))


def _intervals(warm: Mapping[str, Any], length: float) -> Iterator[Floor]:
    """Looked at minute by minute, from a week before the simulation on, so that what runs at its start is found."""
    zone = ZoneInfo(warm["timezone"])
    starts, ends = _matcher(warm["start"]), _matcher(warm["end"])
    since: float | None = None
    for minute in range(-7 * 24 * 60, max(1, int(length // 60))):
        moment = (MONDAY + timedelta(minutes=minute)).astimezone(zone)
        if since is not None and ends(moment):
            if minute > 0:
                yield Floor(max(0.0, since), minute * 60.0, int(warm["replicas"]))
            since = None
        elif since is None and starts(moment):
            since = minute * 60.0
    if since is not None:
        yield Floor(max(0.0, since), length, int(warm["replicas"]))


def _matcher(schedule: str) -> Match:
    minute, hour, day, month, weekday = schedule.split()
    minutes, hours, months = _values(minute, 0, 59), _values(hour, 0, 23), _values(month, 1, 12)
    days, weekdays = _values(day, 1, 31), _values(weekday, 0, LAST_WEEKDAY)
    either = not day.startswith("*") and not weekday.startswith("*")

    def matches(moment: datetime) -> bool:
        if moment.minute not in minutes or moment.hour not in hours or moment.month not in months:
            return False
        by_day, by_weekday = moment.day in days, moment.isoweekday() % 7 in weekdays
        return (by_day or by_weekday) if either else (by_day and by_weekday)

    return matches


def _values(field: str, lowest: int, highest: int) -> frozenset[int]:
    found: set[int] = set()
    for part in field.split(","):
        span, _, step = part.partition("/")
        first, _, last = span.partition("-")
        if span == "*":
            low, high = lowest, highest
        else:
            low, high = int(first), int(last or (highest if step else first))
        found.update(range(low, high + 1, int(step or 1)))
    return frozenset(found)
