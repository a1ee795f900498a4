"""What becomes of a message whose task went wrong."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from queue_agent.errors import (
    AgentError,
    Interrupted,
    LeaseLost,
    LinkUnavailable,
    PermanentError,
    RuntimeUnavailable,
    TaskCanceled,
    TaskExpired,
    TaskTimeout,
    TransientError,
)
from queue_agent.outcome.disposition import (
    FIRST_RETRY_DELAY,
    LONGEST_RETRY_DELAY,
    MAX_LINK_RECEIVES,
    MAX_RECEIVES,
    Disposition,
    decide,
    retry_delay,
)

MAX_ATTEMPTS = 3

SURROUNDINGS: list[Exception] = [
    TransientError("aws", "S3 is down"),
    RuntimeUnavailable("runtime-gone", "the runtime died"),
    RuntimeError("nobody thought of this"),
    MemoryError(),
    TimeoutError(),
]
CALLERS: list[Exception] = [PermanentError("content", "no such sampler"), TaskTimeout(300)]


def disposition(error: BaseException, *, runs: int = 1, receives: int = 1) -> Disposition:
    return decide(error, runs=runs, receives=receives, max_attempts=MAX_ATTEMPTS)


@pytest.mark.parametrize("error", CALLERS)
@pytest.mark.parametrize("runs", [0, 1, MAX_ATTEMPTS])
def test_the_callers_fault_fails_at_once(error: Exception, runs: int) -> None:
    assert disposition(error, runs=runs, receives=MAX_RECEIVES) is Disposition.FAIL


@pytest.mark.parametrize("error", [TaskCanceled(), TaskExpired()])
def test_what_nobody_wants_any_more_ends_at_once(error: Exception) -> None:
    assert disposition(error, runs=0, receives=1) is Disposition.CALL_OFF
    assert disposition(error, runs=MAX_ATTEMPTS, receives=MAX_RECEIVES) is Disposition.CALL_OFF


def test_a_link_whose_server_is_not_reached_is_tried_elsewhere_but_not_for_ever() -> None:
    error = LinkUnavailable("could not fetch http://a/b: Temporary failure in name resolution")
    for receives in range(1, MAX_LINK_RECEIVES):
        assert disposition(error, runs=0, receives=receives) is Disposition.RETRY
    assert disposition(error, runs=0, receives=MAX_LINK_RECEIVES) is Disposition.FAIL


def test_a_link_is_tried_for_about_half_an_hour() -> None:
    assert 25 < sum(retry_delay(receives) for receives in range(1, MAX_LINK_RECEIVES)) / 60 < 40


@pytest.mark.parametrize("error", SURROUNDINGS)
def test_the_runtime_dying_is_not_the_callers_failure(error: Exception) -> None:
    assert disposition(error, runs=1) is Disposition.RETRY
    assert disposition(error, runs=MAX_ATTEMPTS - 1) is Disposition.RETRY


@pytest.mark.parametrize("error", SURROUNDINGS)
def test_after_so_many_runs_a_task_is_given_up(error: Exception) -> None:
    assert disposition(error, runs=MAX_ATTEMPTS) is Disposition.DEAD_LETTER
    assert disposition(error, runs=MAX_ATTEMPTS + 1) is Disposition.DEAD_LETTER


@pytest.mark.parametrize("error", SURROUNDINGS)
def test_a_message_that_never_got_to_run_is_retried_until_it_was_taken_too_often(error: Exception) -> None:
    assert disposition(error, runs=0, receives=MAX_RECEIVES - 1) is Disposition.RETRY
    assert disposition(error, runs=0, receives=MAX_RECEIVES) is Disposition.DEAD_LETTER


def test_a_task_stopped_by_a_shutdown_goes_back_and_does_not_count() -> None:
    assert disposition(Interrupted("shutdown", "stopping"), runs=MAX_ATTEMPTS) is Disposition.RELEASE


def test_a_task_interrupted_time_and_again_still_ends_with_a_word_to_its_caller() -> None:
    """The queue's own redrive would bury it without one."""
    assert disposition(Interrupted("shutdown", "stopping"), runs=1, receives=MAX_RECEIVES) is Disposition.DEAD_LETTER


@pytest.mark.parametrize("receives", [1, MAX_RECEIVES, MAX_RECEIVES * 2])
@pytest.mark.parametrize("runs", [0, MAX_ATTEMPTS])
def test_a_lost_lease_never_leads_to_a_word_from_this_agent(runs: int, receives: int) -> None:
    assert disposition(LeaseLost(), runs=runs, receives=receives) is Disposition.ABANDON


ERRORS = st.sampled_from(
    [
        *SURROUNDINGS,
        *CALLERS,
        Interrupted("shutdown", "stopping"),
        LeaseLost(),
        AgentError("odd", "of no kind"),
        KeyError("x"),
    ]
)


@given(ERRORS, st.integers(0, 10), st.integers(1, 200), st.integers(1, 10))
def test_every_error_has_a_fate_and_only_a_lost_lease_is_dropped(
    error: Exception, runs: int, receives: int, max_attempts: int
) -> None:
    disposition = decide(error, runs=runs, receives=receives, max_attempts=max_attempts)
    assert (disposition is Disposition.ABANDON) == isinstance(error, LeaseLost)
    assert (disposition is Disposition.FAIL) == isinstance(error, PermanentError)
    if runs >= max_attempts:
        assert disposition is not Disposition.RETRY


@given(ERRORS, st.integers(0, 10), st.integers(1, 10))
def test_a_message_that_was_taken_too_often_never_goes_back_to_the_queue(
    error: Exception, runs: int, max_attempts: int
) -> None:
    disposition = decide(error, runs=runs, receives=MAX_RECEIVES, max_attempts=max_attempts)
    assert disposition not in {Disposition.RETRY, Disposition.RELEASE}


class OneMessage(RuleBasedStateMachine):
    """One message in the hands of agents that all go wrong, each in its own way, and note how often it ran."""

    def __init__(self) -> None:
        super().__init__()
        self.receives = 0
        self.runs = 0
        self.full_runs = 0
        self.met: Disposition | None = None

    def ended(self) -> bool:
        return self.met in {Disposition.FAIL, Disposition.DEAD_LETTER}

    def meet(self, error: Exception) -> None:
        self.met = disposition(error, runs=self.runs, receives=self.receives)

    @precondition(lambda self: not self.ended())
    @rule(error=ERRORS)
    def goes_wrong_before_it_runs(self, error: Exception) -> None:
        self.receives += 1
        self.meet(error)

    @precondition(lambda self: not self.ended())
    @rule(error=ERRORS)
    def goes_wrong_while_it_runs(self, error: Exception) -> None:
        self.receives += 1
        if self.runs >= MAX_ATTEMPTS:
            self.meet(TransientError("agent-died", "an earlier agent died"))
            return
        self.runs += 1
        self.meet(error)
        if self.met is Disposition.RELEASE:
            self.runs -= 1
        else:
            self.full_runs += 1

    @precondition(lambda self: not self.ended() and self.runs < MAX_ATTEMPTS)
    @rule()
    def its_agent_is_killed_while_it_runs(self) -> None:
        self.receives += 1
        self.runs += 1
        self.full_runs += 1
        self.met = None

    @precondition(lambda self: self.ended())
    @rule()
    def it_is_deleted(self) -> None:
        """Nobody takes it again."""

    @invariant()
    def it_never_runs_more_often_than_it_may(self) -> None:
        assert self.full_runs <= MAX_ATTEMPTS

    @invariant()
    def it_ends_once_it_was_taken_too_often_by_whoever_still_holds_it(self) -> None:
        if self.receives >= MAX_RECEIVES:
            assert self.met in {Disposition.FAIL, Disposition.DEAD_LETTER, Disposition.ABANDON, None}


TestOneMessage = OneMessage.TestCase
TestOneMessage.settings = settings(max_examples=50, stateful_step_count=2 * MAX_RECEIVES)


@given(st.lists(ERRORS.filter(lambda error: not isinstance(error, LeaseLost)), min_size=MAX_RECEIVES), st.data())
def test_every_message_ends_whatever_goes_wrong_each_time(errors: list[Exception], data: st.DataObject) -> None:
    runs = 0
    for receives, error in enumerate(errors, 1):
        began = data.draw(st.booleans(), "did it begin to run?")
        met = disposition(error, runs=runs + began, receives=receives)
        if met in {Disposition.FAIL, Disposition.DEAD_LETTER}:
            assert receives <= MAX_RECEIVES
            return
        runs += began and met is Disposition.RETRY
        assert runs < MAX_ATTEMPTS
    raise AssertionError("it goes on for ever")


def test_a_retry_waits_a_second_then_twice_as_long_each_time() -> None:
    assert [retry_delay(receives) for receives in range(1, 6)] == [1, 2, 4, 8, 16]
    assert retry_delay(1) == FIRST_RETRY_DELAY


@given(st.integers(1, 10**9))
def test_a_retry_never_waits_longer_than_sqs_and_the_outage_allow(receives: int) -> None:
    delay, following = retry_delay(receives), retry_delay(receives + 1)
    assert isinstance(delay, int)
    assert FIRST_RETRY_DELAY <= delay <= following <= LONGEST_RETRY_DELAY


def test_a_message_sits_out_an_outage_of_hours_before_it_is_given_up() -> None:
    hours = sum(retry_delay(receives) for receives in range(1, MAX_RECEIVES)) / 3600
    assert 6 < hours < 24
