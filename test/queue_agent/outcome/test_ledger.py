"""A task table that does not answer, or refuses, and what becomes of outcomes meanwhile."""

import asyncio
from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from contract.task_table.item import State
from queue_agent.telemetry.metrics import Metrics
from queue_agent.telemetry.tracing import Telemetry
from test.support.agents import BLIND, QUICK_RETRIES, assembled, at_work, callbacks_of, worked
from test.support.tables import has_status, item_of, submit
from test.support.world import ScriptedRuntime, World, until
from utils.local.aws_proxy import Call, Conditions, down, error_answer

pytestmark = pytest.mark.usefixtures("short_waits")

IMPATIENT = replace(QUICK_RETRIES, hold=0.3, brief_hold=0.3)
"""Nothing is held for long."""


async def test_runs_go_on_while_the_table_is_away_and_end_there_when_it_is_back(
    table_world: World, conditions: Conditions
) -> None:
    # Given a table that does not answer
    world, runtime, metrics = table_world, ScriptedRuntime(), Metrics("r")
    for number in range(3):
        await submit(world, f"t{number}")
    conditions.failure = down("dynamodb")
    async with assembled(world, runtime, timings=BLIND, telemetry=Telemetry(metrics)) as parts, at_work(parts):
        # When tasks come, then they all run, and their results are held
        await until(lambda: len(runtime.jobs) == 3)
        await until(lambda: 'task_table_failures_total{runtime="r",call="end"}' in metrics.text())
        assert parts.delivery.ok.is_set()
        assert await world.callbacks() == []
        # When the table is back, then all end there
        conditions.failure = None
        for number in range(3):
            await until(partial(has_status, world, State.COMPLETED, f"t{number}"))
        await until(lambda: callbacks_of(world, 3))
    assert len(runtime.jobs) == 3


async def test_an_outcome_that_the_table_does_not_take_goes_back_and_needs_no_gpu_again(
    table_world: World, conditions: Conditions
) -> None:
    # Given a table that stays away for longer than an outcome is held
    world, runtime = table_world, ScriptedRuntime()
    await submit(world)
    conditions.failure = down("dynamodb")
    async with assembled(world, runtime, timings=BLIND, retry_timings=IMPATIENT) as parts:
        await worked(parts)
        assert await world.depth() == (1, 0)
        assert await world.callbacks() == []
        # When the message comes again and the table is back
        conditions.failure = None
        await worked(parts)
    # Then the record ends the task, its outputs and its cost included
    assert len(runtime.jobs) == 1
    item = await item_of(world)
    assert item is not None
    assert (item.status, len(item.outputs), item.gpu_seconds) == (State.COMPLETED, 1, 1.25)
    assert [callback["status"] for callback in await world.callbacks()] == ["completed"]


async def test_a_table_that_stays_away_does_not_keep_a_callback_for_ever(
    table_world: World, conditions: Conditions, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given an outage that outlasts the deliveries of a message
    monkeypatch.setattr("queue_agent.outcome.closer.MAX_TABLE_RECEIVES", 2)
    world, runtime = table_world, ScriptedRuntime()
    await submit(world)
    conditions.failure = down("dynamodb")
    async with assembled(world, runtime, timings=BLIND, retry_timings=IMPATIENT) as parts:
        await worked(parts)
        assert await world.callbacks() == []
        await worked(parts)
    # Then the caller gets its callback without the table
    assert [callback["status"] for callback in await world.callbacks()] == ["completed"]
    assert (len(runtime.jobs), await world.depth()) == (1, (0, 0))


async def test_a_denied_table_stops_the_intake_until_it_is_allowed(table_world: World, conditions: Conditions) -> None:
    # Given an agent that may not write to the table
    world, runtime = table_world, ScriptedRuntime()
    await submit(world)
    conditions.failure = _denied
    async with assembled(world, runtime, timings=BLIND) as parts, at_work(parts):
        # Then it takes no more tasks, and says what it lacks
        await until(lambda: not parts.delivery.ok.is_set())
        cause = parts.delivery.cause
        assert cause is not None
        assert (cause.type, "dynamodb:UpdateItem" in cause.message) == ("aws-denied", True)
        await submit(world, "t2")
        await asyncio.sleep(1.5)
        assert len(runtime.jobs) == 1
        # When it may, then it goes on by itself
        conditions.failure = None
        await until(lambda: has_status(world, State.COMPLETED, "t2"))
    assert len(runtime.jobs) == 2


def _denied(call: Call) -> Any:
    return error_answer("AccessDeniedException", 400) if call.service == "dynamodb" else None
