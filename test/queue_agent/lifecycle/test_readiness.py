"""Whether the runtime would take a task: watched while it is idle, with the reason why not."""

import asyncio
import logging
from typing import Any

import pytest

from queue_agent.errors import RuntimeBusy, RuntimeFault, RuntimeUnavailable
from queue_agent.lifecycle.health import Health
from queue_agent.lifecycle.runtime_state import Phase
from test.support.health import a_health
from test.support.world import ScriptedRuntime, running, until


def phase(health: Health) -> Phase:
    return health.state.phase


async def test_a_ready_runtime_is_seen_at_once_and_a_lost_one_soon() -> None:
    # Given a runtime that is ready
    runtime = ScriptedRuntime()
    health = a_health(runtime)
    async with running(health.readiness.watch(health.shutdown)):
        await asyncio.wait_for(health.state.taking.wait(), 30)
        # When it goes away, then that is seen
        runtime.is_ready = False
        await until(lambda: not health.state.taking.is_set())
        # And when it is back, that too
        runtime.is_ready = True
        await asyncio.wait_for(health.state.taking.wait(), 30)


async def test_a_running_task_is_not_disturbed_by_questions() -> None:
    # Given a runtime at work that would not answer
    runtime = ScriptedRuntime()
    health = a_health(runtime)
    async with running(health.readiness.watch(health.shutdown)):
        await asyncio.wait_for(health.state.taking.wait(), 30)
        assert health.state.begin()
        runtime.is_ready = False
        # When it is watched for a while, then it still counts as ready
        await asyncio.sleep(0.3)
        assert health.state.taking.is_set()


async def test_a_runtime_that_was_away_for_a_moment_has_its_whole_limit_again() -> None:
    # Given a runtime that was away once
    runtime = ScriptedRuntime()
    health = a_health(runtime, away_limit=0)
    runtime.is_ready = False
    await health.readiness.check()
    runtime.is_ready = True
    await health.readiness.check()
    assert phase(health) is Phase.READY
    # When it goes away again, then it has its time again
    runtime.is_ready = False
    await health.readiness.check()
    # And only then the agent gives it up
    await asyncio.sleep(0.01)
    with pytest.raises(RuntimeUnavailable, match="RUNTIME_AWAY_LIMIT"):
        await health.readiness.check()


async def test_the_watch_ends_with_the_shutdown() -> None:
    health = a_health(ScriptedRuntime())
    async with running(health.readiness.watch(health.shutdown)) as watch:
        await asyncio.wait_for(health.state.taking.wait(), 30)
        health.shutdown.request()
        await asyncio.wait_for(watch, 30)


class Refusing(ScriptedRuntime):
    """Not ready for the reason that the test gives."""

    def __init__(self, reason: RuntimeFault | None) -> None:
        super().__init__()
        self.reason = reason

    async def check_ready(self) -> None:
        if self.reason:
            raise self.reason


async def test_the_reason_is_logged_when_it_is_a_new_one_and_kept(caplog: pytest.LogCaptureFixture) -> None:
    # Given a runtime that is not ready for one reason, then for another
    runtime = Refusing(RuntimeUnavailable("runtime-gone", "connection refused"))
    health = a_health(runtime)
    for _ in range(3):
        await health.readiness.check()
    runtime.reason = RuntimeFault("login", "wants a login")
    for _ in range(3):
        await health.readiness.check()
    # Then each is logged once
    causes = [record.__dict__["cause"] for record in caplog.records if record.levelno == logging.WARNING]
    assert causes == ["connection refused", "wants a login"]
    assert health.state.reason == runtime.reason.cause


async def test_a_runtime_that_works_for_somebody_else_is_not_given_up() -> None:
    # Given a limit that is over at once
    health = a_health(Refusing(RuntimeBusy("runtime-busy", "works for another client")), away_limit=-1)
    # When it is busy for long, then the agent waits
    for _ in range(3):
        await health.readiness.check()
    assert phase(health) is Phase.AWAY


async def test_a_runtime_that_does_not_answer_is_not_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    class Silent(ScriptedRuntime):
        async def check_ready(self) -> None:
            await asyncio.Event().wait()

    health = a_health(Silent())
    health.readiness._timings = health.readiness._timings.__class__(ready_limit=0.05)
    await health.readiness.check()
    assert health.state.reason is not None
    assert "did not answer within 0.05 s" in health.state.reason.message


async def test_what_the_contract_does_not_allow_is_raised() -> None:
    class Broken(ScriptedRuntime):
        async def check_ready(self) -> None:
            raise AttributeError("'str' object has no attribute 'get'")

    health = a_health(Broken())
    with pytest.raises(AttributeError):
        await health.readiness.check()


FAULT = RuntimeFault("runtime-error", "500 Internal Server Error")
BROKEN = RuntimeFault("runtime-broken", "CUDA error: illegal memory access", broken=True)


async def test_one_failure_may_be_the_tasks_and_two_in_a_row_are_the_runtimes() -> None:
    health = a_health(ScriptedRuntime())
    await health.readiness.check()
    # When one task fails, twice
    assert not health.readiness.failed("one", FAULT)
    assert not health.readiness.failed("one", FAULT)
    assert phase(health) is Phase.READY
    # And then another, then the runtime is suspect, and that run does not count
    assert health.readiness.failed("two", FAULT)
    assert phase(health) is Phase.SUSPECT
    assert not health.readiness.needs_restart


async def test_a_runtime_that_is_suspected_while_a_task_runs_is_suspect_after_it() -> None:
    # Given a task that runs
    health = a_health(ScriptedRuntime())
    await health.readiness.check()
    assert health.state.begin()
    # When the outputs of earlier ones turn out to be broken
    health.readiness.failed("one", BROKEN)
    # Then the run goes on, and no task follows it
    assert health.state.running
    assert not health.state.taking.is_set()
    health.state.end()
    assert phase(health) is Phase.SUSPECT


async def test_a_success_in_between_clears_the_runtime() -> None:
    health = a_health(ScriptedRuntime())
    await health.readiness.check()
    assert not health.readiness.failed("one", FAULT)
    health.readiness.succeeded()
    assert not health.readiness.failed("two", FAULT)
    assert phase(health) is Phase.READY


async def test_a_failure_that_says_broken_is_enough() -> None:
    health = a_health(ScriptedRuntime())
    await health.readiness.check()
    assert health.readiness.failed("one", BROKEN)
    assert phase(health) is Phase.SUSPECT


async def test_a_suspect_runtime_gets_a_trial_after_its_pause_and_a_restart_after_trials_in_vain() -> None:
    health = a_health(ScriptedRuntime())
    await health.readiness.check()
    health.readiness.failed("one", BROKEN)
    # When the pause is over
    await health.readiness.check()
    assert phase(health) is Phase.SUSPECT
    await asyncio.sleep(0.25)
    await health.readiness.check()
    # Then it gets a trial, which does not count for a task that is new to it
    assert phase(health) is Phase.READY
    assert health.readiness.failed("two", FAULT)
    # When trials are in vain
    for name in ("three", "four"):
        assert health.readiness.failed(name, FAULT)
    # Then its container is to be restarted
    assert health.readiness.needs_restart


async def test_a_task_that_fails_its_own_trial_is_counted() -> None:
    health = a_health(ScriptedRuntime())
    assert health.readiness.failed("one", BROKEN)
    assert not health.readiness.failed("one", BROKEN)


async def test_a_runtime_that_was_restarted_gets_its_trial_at_once() -> None:
    # Given a suspect runtime that goes away
    runtime = ScriptedRuntime()
    health = a_health(runtime)
    for name in ("one", "two", "three", "four"):
        health.readiness.failed(name, BROKEN)
    assert health.readiness.needs_restart
    runtime.is_ready = False
    await health.readiness.check()
    # When it is back
    runtime.is_ready = True
    await health.readiness.check()
    # Then it is tried, and need not be restarted again
    assert phase(health) is Phase.READY
    assert not health.readiness.needs_restart


@pytest.mark.parametrize("error", [ValueError("a bug"), RuntimeBusy("runtime-busy", "somebody else's")])
async def test_other_errors_say_nothing_of_the_runtime(error: Any) -> None:
    health = a_health(ScriptedRuntime())
    await health.readiness.check()
    for name in ("one", "two", "three"):
        assert health.readiness.failed(name, error) is isinstance(error, RuntimeBusy)
    assert phase(health) is Phase.READY
