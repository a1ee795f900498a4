"""AWS denies one call for a while: nothing is lost, nothing is run for nothing, and work goes on by itself."""

import asyncio
from dataclasses import dataclass
from functools import partial

from aiohttp import web

from test.faults.ending import ended
from test.faults.runtime import Runtime
from test.faults.scenario import Ground, Report, Scenario, agents_at, ask
from test.support.world import until
from utils.local.aws_proxy import Call, Conditions, error_answer

TASK_SECONDS = 0.5
LIMIT_SECONDS = 120.0
QUIET_SECONDS = 3.0
"""After the last ending: a message that was not really deleted would be received again."""


@dataclass(frozen=True, slots=True)
class Denied:
    """A call that AWS may deny, and the code with which its service does."""

    name: str
    service: str
    action: str
    code: str

    def fail(self, call: Call) -> web.Response | None:
        """A ``Failure``."""
        return error_answer(self.code, 403) if (call.service, call.action) == (self.service, self.action) else None


PUT_OBJECT = Denied("PutObject", "s3", "PUT", "AccessDenied")
PUBLISH = Denied("Publish", "sns", "Publish", "AuthorizationError")
DELETE_MESSAGE = Denied("DeleteMessage", "sqs", "DeleteMessage", "AccessDeniedException")


async def deny(ground: Ground, denied: Denied, *, seconds: float = 60.0, tasks: int = 40, agents: int = 4) -> Report:
    """Every agent is denied the call for so long, from before the first task on."""
    conditions = Conditions()
    runtimes = [Runtime(TASK_SECONDS) for _ in range(agents)]
    async with agents_at(ground, runtimes, conditions) as (world, fleet):
        conditions.failure = denied.fail
        await ask(world, tasks)
        await asyncio.sleep(seconds)
        meanwhile = fleet.runs
        conditions.failure = None
        ending = await ended(world, tasks, LIMIT_SECONDS, quiet=QUIET_SECONDS)
        report = Report()
        report.at_most("runs meanwhile", meanwhile, 2 * agents)
        report.equal("tasks failed", ending.failed, 0)
        report.equal("tasks completed", ending.completed, tasks)
        report.at_most("runs in all", fleet.runs, tasks * 1.2)
        report.equal("dead letters", ending.dead_letters, 0)
        report.equal("tasks with more than one callback", ending.repeated, 0)
        return report


async def deny_publish_for_long(ground: Ground, *, seconds: float = 330.0) -> Report:
    """The callback of the only permitted run cannot be sent for longer than any patience."""
    conditions, settings = Conditions(), {"MAX_ATTEMPTS": "1"}
    async with agents_at(ground, [Runtime(TASK_SECONDS)], conditions, settings=settings) as (world, fleet):
        conditions.failure = PUBLISH.fail
        await ask(world, 1)
        await asyncio.sleep(seconds)
        conditions.failure = None
        ending = await ended(world, 1, LIMIT_SECONDS, quiet=QUIET_SECONDS)
        report = Report()
        report.equal("callbacks", ending.most, 1)
        report.equal("tasks completed", ending.completed, 1)
        report.equal("dead letters", ending.dead_letters, 0)
        report.equal("runs", fleet.runs, 1)
        return report


async def deny_delete_of_no_task(ground: Ground, *, seconds: float = 30.0, tasks: int = 12, agents: int = 4) -> Report:
    """A message that is no task cannot be deleted, nor can any other: it is dead-lettered once, and every agent runs
    its next task all the same."""
    conditions = Conditions()
    runtimes = [Runtime(TASK_SECONDS) for _ in range(agents)]
    async with agents_at(ground, runtimes, conditions) as (world, _):
        conditions.failure = DELETE_MESSAGE.fail
        await world.send("no task")
        await until(lambda: conditions.calls["sqs", "DeleteMessage"])
        await ask(world, tasks)
        await asyncio.sleep(seconds)
        running = sum(runtime.runs > 0 for runtime in runtimes)
        conditions.failure = None
        ending = await ended(world, tasks, LIMIT_SECONDS, quiet=QUIET_SECONDS)
        report = Report()
        report.equal("dead letters", ending.dead_letters, 1)
        report.equal("agents that ran tasks meanwhile", running, agents)
        report.equal("tasks completed", ending.completed, tasks)
        report.equal("messages left", sum(ending.left), 0)
        return report


SCENARIOS = (
    *(
        Scenario(f"{denied.name} denied for 60 s", partial(deny, denied=denied), limit=240.0)
        for denied in (PUT_OBJECT, PUBLISH, DELETE_MESSAGE)
    ),
    Scenario("Publish denied for 330 s, MAX_ATTEMPTS=1", deny_publish_for_long, limit=500.0),
    Scenario("DeleteMessage denied for 30 s, one undecodable message", deny_delete_of_no_task),
)
