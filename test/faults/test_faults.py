"""Small versions of some scenarios, so that the program itself stays true; the whole is ``-m test.faults``."""

from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path

import pytest

from test.bench.stage import moto
from test.faults import denied_calls, front_door, sick_runtime, task_table
from test.faults.__main__ import Scenario, kill_agents, kill_runtimes, play
from test.faults.interleavings import interleave
from test.faults.runtime import Behaviour
from test.faults.scenario import Ground, Report

pytestmark = pytest.mark.slow


async def test_nothing_is_lost_when_agents_and_runtimes_die_and_aws_fails(tmp_path: Path) -> None:
    # Given agents and runtimes that are killed, and AWS calls that fail
    worst = Scenario("small", (kill_agents, kill_runtimes), share_failing=0.1)
    async with moto() as endpoint:
        # When a few tasks go through that
        outcome = await play(worst, endpoint, tasks=8, agents=2, logs=tmp_path)
    # Then every promise holds
    assert outcome.broken(killed_agents=True) == []


@pytest.mark.parametrize(
    "scenario",
    [
        partial(sick_runtime.one_fails, behaviour=Behaviour.UNDECODABLE, tasks=10, agents=2),
        partial(denied_calls.deny, denied=denied_calls.PUT_OBJECT, seconds=4.0, tasks=6, agents=1),
        partial(denied_calls.deny_delete_of_no_task, seconds=4.0, tasks=2, agents=1),
        partial(front_door.lose_answers, tasks=10, agents=1),
        partial(interleave, tasks=60),
        partial(task_table.table_down, seconds=3.0, tasks=8, agents=1, task_seconds=0.3),
    ],
    ids=["sick runtime", "store denied", "no task", "answers lost", "interleavings", "table down"],
)
async def test_the_promises_about_what_is_half_broken_hold(
    scenario: Callable[[Ground], Awaitable[Report]], tmp_path: Path
) -> None:
    async with moto() as endpoint:
        report = await scenario(Ground(endpoint, tmp_path))
    assert report.numbers
    assert report.broken == []
