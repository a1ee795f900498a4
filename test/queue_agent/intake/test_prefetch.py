"""When the next message is taken."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from queue_agent.intake.prefetch import MARGIN_SECONDS, MAX_AHEAD_SECONDS, SURE_PROGRESS, Average, Prefetch

SECONDS = st.floats(0, 1e6)
PROGRESS = st.none() | st.floats(0, 1) | st.sampled_from([float("nan"), -1.0, 2.0, float("inf")])


def learned(*, run: float, preparation: float, tasks: int = 40) -> Prefetch:
    """What is known after many tasks that were all the same."""
    pace = Prefetch()
    for _ in range(tasks):
        pace.run.add(run)
        pace.preparation.add(preparation)
    return pace


def test_nothing_is_known_before_the_first_task_so_nothing_is_hoarded() -> None:
    assert Prefetch().wait(10.0, None) is None
    assert Prefetch().wait(10.0, SURE_PROGRESS / 2) is None


def test_the_next_message_is_taken_just_before_the_runtime_is_free() -> None:
    pace = learned(run=10.0, preparation=0.5)
    assert pace.wait(0.0, None) == pytest.approx(10.0 - 0.5 - MARGIN_SECONDS, abs=0.05)
    assert pace.wait(4.0, None) == pytest.approx(6.0 - 0.5 - MARGIN_SECONDS, abs=0.05)
    assert pace.wait(9.9, None) == 0


def test_the_runtimes_own_progress_counts_more_than_earlier_runs() -> None:
    assert learned(run=100.0, preparation=0.0).wait(10.0, 0.5) == pytest.approx(10.0 - MARGIN_SECONDS, abs=0.5)
    assert learned(run=1.0, preparation=0.0).wait(100.0, 0.5) == pytest.approx(100.0 - MARGIN_SECONDS, abs=0.5)


def test_no_message_is_taken_earlier_than_the_limit_however_long_its_preparation_takes() -> None:
    """Another pod may be idle."""
    pace = learned(run=60.0, preparation=25.0)
    assert pace.wait(0.0, 0.5) is not None
    assert pace.wait(30.0, 0.5) == pytest.approx(30.0 - MAX_AHEAD_SECONDS)


def test_runs_that_differ_much_say_nothing_of_the_next() -> None:
    # Given runs of 20 to 24 s
    pace = Prefetch()
    for seconds in (20.0, 24.0, 21.0, 23.0) * 10:
        pace.run.add(seconds)
        pace.preparation.add(0.01)
    # When the runtime tells no progress, then the message is taken at the end
    assert pace.wait(20.0, None) is None


def test_a_run_that_takes_longer_than_usual_says_nothing_of_its_end() -> None:
    assert learned(run=1.0, preparation=0.0).wait(100.0, None) is None


def test_progress_alone_is_enough_on_the_first_task() -> None:
    assert Prefetch().wait(10.0, 0.25) == pytest.approx(30.0 - MARGIN_SECONDS)


def test_a_progress_that_has_hardly_begun_says_nothing() -> None:
    pace = learned(run=10.0, preparation=0.0)
    assert pace.wait(1.0, SURE_PROGRESS / 2) == pace.wait(1.0, None)


def test_after_one_task_nothing_is_known_yet() -> None:
    """One observation says little of the next, and a message that is taken early waits behind a busy runtime."""
    assert learned(run=10.0, preparation=0.5, tasks=1).wait(0.0, None) is None


@given(st.lists(SECONDS), st.lists(SECONDS), SECONDS, PROGRESS)
def test_a_wait_is_never_negative_nor_endless(
    runs: list[float], preparations: list[float], elapsed: float, progress: float | None
) -> None:
    # Given
    pace = Prefetch()
    for seconds in runs:
        pace.run.add(seconds)
    for seconds in preparations:
        pace.preparation.add(seconds)

    # When
    wait = pace.wait(elapsed, progress)

    # Then
    if wait is not None:
        assert 0 <= wait < float("inf")
    assert pace.run.deviation >= 0


@given(st.floats(0.1, 1e5), st.floats(0, 1), st.lists(SECONDS, max_size=20))
def test_whatever_came_before_the_pace_settles_on_what_tasks_take_now(
    run: float, preparation: float, earlier: list[float]
) -> None:
    # Given tasks of all kinds
    pace = Prefetch()
    for seconds in earlier:
        pace.run.add(seconds)
        pace.preparation.add(seconds)

    # When many tasks that are the same follow
    for _ in range(300):
        pace.run.add(run)
        pace.preparation.add(preparation)

    # Then
    assert pace.wait(0.0, None) == pytest.approx(max(0.0, run - preparation - MARGIN_SECONDS), rel=1e-3, abs=1e-3)


@given(st.lists(SECONDS, min_size=1))
def test_an_average_stays_within_what_was_seen(observed: list[float]) -> None:
    average: Any = Average()
    for seconds in observed:
        average.add(seconds)
    assert min(observed) - 1e-6 <= average.mean <= max(observed) + 1e-6


@given(st.lists(SECONDS, min_size=1), SECONDS, SECONDS)
def test_the_longer_a_run_goes_on_the_shorter_the_wait(runs: list[float], first: float, second: float) -> None:
    pace = Prefetch()
    for seconds in runs:
        pace.run.add(seconds)
    earlier, later = sorted([first, second])
    waits = pace.wait(earlier, None), pace.wait(later, None)
    if waits[0] is not None and waits[1] is not None:
        assert waits[0] >= waits[1]
