"""The HPA's rules, one by one."""

import pytest

from utils.planner.horizontal import Horizontal
from utils.planner.model import Scaling


def hpa(**scaling: float | bool) -> Horizontal:
    return Horizontal(Scaling(per_pod=10, **{"max_pods": 100, **scaling}))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("wanted", "current", "then"),
    [(6.0, 1, 6), (5.01, 1, 6), (10.9, 10, 10), (11.1, 10, 12), (9.05, 10, 10), (200, 1, 100)],
)
def test_it_goes_up_at_once_beyond_the_tolerance_and_within_the_limit(wanted: float, current: int, then: int) -> None:
    assert hpa().replicas(0, wanted, current, 1) == then


def test_it_goes_down_after_the_window_by_a_fifth_or_one_in_a_minute() -> None:
    # Given
    horizontal = hpa(window=120.0)
    current = horizontal.replicas(0, 10, 1, 1)

    # When
    counts = []
    for tick in range(1, 30):
        current = horizontal.replicas(tick * 15, 1, current, 1)
        counts.append(current)

    # Then
    assert counts[:7] == [10] * 7
    assert sorted(set(counts), reverse=True) == [10, 8, 6, 4, 3, 2, 1]


def test_without_behavior_it_doubles_or_goes_to_four_and_the_window_also_lifts() -> None:
    horizontal = hpa(has_behavior=False)

    assert horizontal.replicas(0, 30, 1, 1) == 4
    assert horizontal.replicas(15, 30, 4, 1) == 8
    assert horizontal.replicas(30, 2, 8, 1) == 16
    assert horizontal.replicas(400, 2, 16, 1) == 2


def test_it_keeps_the_least() -> None:
    assert hpa().replicas(0, 0.1, 1, 3) == 3
