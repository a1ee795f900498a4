"""The token bucket, by a clock that the test moves."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from utils.local.throttle import TokenBucket


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def taken(bucket: TokenBucket, tries: int) -> int:
    return sum(bucket.take() for _ in range(tries))


def test_a_full_bucket_gives_its_burst_and_then_nothing() -> None:
    assert taken(TokenBucket(rate=30, burst=50, clock=Clock()), 100) == 50


def test_tokens_come_back_at_the_rate() -> None:
    # Given an empty bucket
    clock = Clock()
    bucket = TokenBucket(rate=30, burst=50, clock=clock)
    taken(bucket, 50)

    # When a second passes
    clock.now += 1

    # Then a second's tokens are there
    assert taken(bucket, 100) == 30


def test_a_bucket_never_holds_more_than_its_burst() -> None:
    clock = Clock()
    bucket = TokenBucket(rate=30, burst=50, clock=clock)

    clock.now += 3600

    assert taken(bucket, 100) == 50


@given(steps=st.lists(st.floats(0, 2), max_size=50), rate=st.floats(0.1, 10), burst=st.integers(1, 5))
def test_over_any_time_no_more_is_given_than_burst_and_rate_allow(steps: list[float], rate: float, burst: int) -> None:
    clock = Clock()
    bucket = TokenBucket(rate=rate, burst=burst, clock=clock)
    given_out = 0

    for step in steps:
        clock.now += step
        given_out += taken(bucket, 3)

    assert given_out <= burst + rate * sum(steps) + 1e-6


@pytest.mark.parametrize("rate", [0.0])
def test_a_rate_of_nothing_never_fills_the_bucket(rate: float) -> None:
    clock = Clock()
    bucket = TokenBucket(rate=rate, burst=1, clock=clock)
    assert bucket.take()

    clock.now += 1e9

    assert not bucket.take()
