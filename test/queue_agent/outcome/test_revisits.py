"""A task that failed here is passed on, but not for ever."""

from queue_agent.outcome.revisits import MAX_PASSES, MAX_REMEMBERED, Revisits


def test_a_task_that_failed_here_is_passed_on_a_few_times() -> None:
    revisits = Revisits()
    assert not revisits.pass_on("new")
    revisits.add("failed")
    assert [revisits.pass_on("failed") for _ in range(MAX_PASSES + 2)] == [True] * MAX_PASSES + [False] * 2
    # When it fails again
    revisits.add("failed", 1)
    assert [revisits.pass_on("failed") for _ in range(2)] == [True, False]


def test_only_the_last_ones_are_remembered() -> None:
    revisits = Revisits()
    for number in range(MAX_REMEMBERED + 1):
        revisits.add(str(number))
    assert not revisits.pass_on("0")
    assert revisits.pass_on("1")
