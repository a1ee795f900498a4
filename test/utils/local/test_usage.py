"""What a key has used, by a clock that the test moves."""

import pytest

from utils.local.usage import DAY, ApiKey, OverLimit, Usage

NOON = 20_000 * DAY + DAY / 2


class Clock:
    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> float:
        return self.now


def taken(usage: Usage, tries: int) -> int:
    """How many of so many requests are let through."""
    through = 0
    for _ in range(tries):
        try:
            usage.take()
        except OverLimit:
            continue
        through += 1
    return through


def test_a_quota_is_for_a_day_that_begins_at_midnight_utc() -> None:
    # Given
    clock = Clock()
    usage = Usage(ApiKey(value="v", rate=1e6, burst=1000, daily_quota=3), clock)

    # Then what is left at noon is used up until midnight
    assert taken(usage, 2) == 2
    clock.now += DAY / 2 - 1
    assert taken(usage, 5) == 1
    clock.now += 1
    assert taken(usage, 5) == 3


def test_without_a_quota_only_the_throttle_counts() -> None:
    assert taken(Usage(ApiKey(value="v", rate=1e-6, burst=7)), 100) == 7


def test_what_the_throttle_refuses_is_not_counted_for_the_day() -> None:
    # Given a key of which the throttle lets two requests through, and the quota three
    usage = Usage(ApiKey(value="v", rate=1e-6, burst=2, daily_quota=3))

    # Then
    assert taken(usage, 2) == 2
    with pytest.raises(OverLimit, match="more slowly"):
        usage.take()
    with pytest.raises(OverLimit, match="more slowly"):
        usage.take()


def test_a_key_is_shown_without_its_value() -> None:
    assert "secret" not in repr(ApiKey(value="secret", rate=1, burst=1))
