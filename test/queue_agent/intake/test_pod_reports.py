"""What a pod says of itself in the table of tasks."""

import asyncio
import time
from collections.abc import Callable

import pytest

from contract.task_table.pods import PodItem, reports
from queue_agent.telemetry.metrics import Metrics
from queue_agent.telemetry.tracing import Telemetry
from test.support.agents import QUICK, assembled, at_work
from test.support.tables import submit
from test.support.world import ScriptedRuntime, World, never_finish, until
from utils.local.aws_proxy import Conditions, down


@pytest.fixture(autouse=True)
def _short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("queue_agent.aws.queue.LONG_POLL_SECONDS", 1)
    monkeypatch.setattr("queue_agent.intake.pod_reports.REPORT_SECONDS", 0.1)


async def reported(world: World) -> list[PodItem]:
    assert world.table is not None
    answer = await world.direct.tables.query(**reports(world.table, "r"))
    return [PodItem.from_values(item) for item in answer["Items"]]


async def test_a_pod_says_whether_it_is_ready_how_long_it_runs_and_what_it_took_last(table_world: World) -> None:
    # Given a pod whose runtime still starts
    world, runtime = table_world, ScriptedRuntime()
    runtime.is_ready = False
    async with assembled(world, runtime, timings=QUICK, pod_name="pod-1", shutdown_grace=0) as parts, at_work(parts):
        (starting,) = await until(lambda: reported(world))
        assert (starting.pod, starting.ready, starting.mean_seconds, starting.newest) == ("pod-1", False, None, None)
        # When a task has completed
        runtime.is_ready = True
        await submit(world)
        await until(lambda: _once(world, lambda pod: pod.mean_seconds is not None))
        # When another one runs
        runtime.work = never_finish
        before = time.time()
        await submit(world, "t2")
        busy = await until(lambda: _once(world, lambda pod: pod.busy_since is not None))
    # Then its report says so
    assert busy.ready
    assert busy.newest >= before - 1
    assert before - 1 <= busy.busy_since <= busy.at


async def _once(world: World, holds: Callable[[PodItem], bool]) -> PodItem | None:
    (pod,) = await reported(world)
    return pod if holds(pod) else None


async def test_reports_that_fail_are_counted_and_come_again(table_world: World, conditions: Conditions) -> None:
    world, metrics = table_world, Metrics("r")
    conditions.failure = down("dynamodb")
    async with assembled(world, ScriptedRuntime(), telemetry=Telemetry(metrics)) as parts, at_work(parts):
        await until(lambda: 'task_table_failures_total{runtime="r",call="report"} 2' in metrics.text())
        conditions.failure = None
        await until(lambda: reported(world))


async def test_without_a_table_nothing_is_reported(world: World) -> None:
    async with assembled(world, ScriptedRuntime()) as parts, at_work(parts):
        await asyncio.sleep(0.3)
        assert await world.depth() == (0, 0)
