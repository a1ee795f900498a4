"""Tasks through agents, under each kind of fault and all of them: ``.venv/bin/python -m test.faults``.

For each scenario it counts what the caller hears: lost tasks, repeated callbacks, runs of the GPU beyond one a task. It
exits non-zero when a promise is broken.
"""

import argparse
import asyncio
import random
import sys
import tempfile
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

from rich.progress import Progress
from rich.table import Table

from test.bench.stage import a_world, console, moto
from test.faults import half_broken, task_table
from test.faults.ending import Ending, ended
from test.faults.fleet import Fleet
from test.faults.runtime import Runtime
from utils.local.aws_proxy import Conditions, down, failing

EVERY_SECONDS = 2.0
S3_DOWN_AFTER, S3_DOWN_SECONDS = 3.0, 10.0
FAILING_SHARE = 0.2
LIMIT_SECONDS = 600.0
QUIET_SECONDS = 5.0
"""After the last callback: long enough for a lease of LEASE_SECONDS to end and its task to be told again."""


@dataclass(frozen=True)
class Scenario:
    """``troubles`` go on beside the work until it is done; ``kills`` names what they count."""

    name: str
    troubles: tuple[Callable[[Fleet, Conditions], Awaitable[None]], ...] = ()
    share_failing: float = 0.0
    task_seconds: float = 0.3
    lease_seconds: int = 5


@dataclass(frozen=True, kw_only=True)
class Outcome(Ending):
    """What came of a scenario."""

    runs: int
    kills: int
    exits: Counter[int]

    def broken(self, *, killed_agents: bool) -> list[str]:
        """The promises that do not hold."""
        allowed = 2 if killed_agents else 1
        return [
            what
            for what, held in {
                "a task was lost": self.lost == 0,
                f"a task was told more than {allowed} times": self.most <= allowed,
                "a task was told differently": self.differing == 0,
                "more extra runs than kills": self.runs - self.tasks <= self.kills,
                "a message was left behind": self.left == (0, 0),
                f"stopped agents exited with {sorted(self.exits)}": set(self.exits) == {0},
            }.items()
            if not held
        ]


async def kill_agents(fleet: Fleet, _: Conditions) -> None:
    while True:
        await asyncio.sleep(EVERY_SECONDS)
        await fleet.kill_agent()


async def stop_agents(fleet: Fleet, _: Conditions) -> None:
    while True:
        await asyncio.sleep(EVERY_SECONDS)
        await fleet.stop_agent()


async def kill_runtimes(fleet: Fleet, _: Conditions) -> None:
    while True:
        await asyncio.sleep(EVERY_SECONDS)
        await fleet.kill_runtime()


async def s3_outage(_: Fleet, conditions: Conditions) -> None:
    await asyncio.sleep(S3_DOWN_AFTER)
    before, outage = conditions.failure, down("s3")
    conditions.failure = lambda call: outage(call) or (before(call) if before else None)
    await asyncio.sleep(S3_DOWN_SECONDS)
    conditions.failure = before


SCENARIOS = (
    Scenario("no fault"),
    Scenario("agent SIGKILLed every 2 s", (kill_agents,)),
    Scenario("agent SIGTERMed every 2 s", (stop_agents,)),
    Scenario("runtime killed every 2 s", (kill_runtimes,)),
    Scenario("20 % of AWS calls fail", share_failing=FAILING_SHARE, lease_seconds=10),
    Scenario("S3 down for 10 s", (s3_outage,)),
    Scenario("tasks thrice as long as the lease", task_seconds=3.0, lease_seconds=1),
    Scenario(
        "all together",
        (kill_agents, stop_agents, kill_runtimes, s3_outage),
        share_failing=FAILING_SHARE,
        task_seconds=0.6,
        lease_seconds=10,
    ),
)


async def play(scenario: Scenario, endpoint: str, tasks: int, agents: int, logs: Path) -> Outcome:
    """Run the scenario to its end."""
    conditions = Conditions()
    async with AsyncExitStack() as stack:
        world, proxied = await stack.enter_async_context(a_world(endpoint, conditions))
        for number in range(tasks):
            await world.ask(f"t{number}")
        conditions.failure = failing(scenario.share_failing) if scenario.share_failing else None
        rolls = random.Random(scenario.name)
        runtimes = [Runtime(scenario.task_seconds) for _ in range(agents)]
        settings = {"LEASE_SECONDS": str(scenario.lease_seconds)}
        fleet = await stack.enter_async_context(
            Fleet(world, proxied, runtimes, logs=logs, settings=settings, rolls=rolls)
        )
        troubles = [asyncio.create_task(_endure(trouble(fleet, conditions))) for trouble in scenario.troubles]
        try:
            seconds = (await ended(world, tasks, LIMIT_SECONDS)).seconds
        finally:
            for task in troubles:
                task.cancel()
            await asyncio.gather(*troubles, return_exceptions=True)
        conditions.failure = None
        await asyncio.sleep(QUIET_SECONDS)
        await fleet.stop()
        ending = await ended(world, tasks, 0.0)
        return Outcome(
            tasks=tasks,
            seconds=seconds,
            callbacks=ending.callbacks,
            left=ending.left,
            dead_letters=ending.dead_letters,
            runs=fleet.runs,
            kills=fleet.kills,
            exits=fleet.exits,
        )


async def _endure(trouble: Awaitable[None]) -> None:
    await trouble


async def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tasks", type=int, default=200)
    parser.add_argument("--agents", type=int, default=4)
    parser.add_argument("--only", help="only scenarios whose name contains this")
    parser.add_argument("--logs", type=Path, help="folder for the agents' logs; a temporary one if not given")
    parser.add_argument("--half-broken", action="store_true", help="sick runtimes, denied calls, crashes, waiting")
    parser.add_argument("--task-table", action="store_true", help="cancellations, retries and outages of the table")
    arguments = parser.parse_args()
    chosen = [scenario for scenario in SCENARIOS if not arguments.only or arguments.only in scenario.name]
    logs = arguments.logs or Path(tempfile.mkdtemp(prefix="faults-"))
    logs.mkdir(parents=True, exist_ok=True)
    for wanted, scenarios in (
        (arguments.half_broken, half_broken.SCENARIOS),
        (arguments.task_table, task_table.SCENARIOS),
    ):
        if wanted:
            return 1 if await half_broken.measure(scenarios, arguments.only, logs) else 0
    table = Table(title=f"{arguments.tasks} tasks, {arguments.agents} agents")
    for column in ("fault", "lost", "told twice", "told differently", "failed", "kills", "extra GPU runs", "time", ""):
        table.add_column(column, justify="left" if column in {"fault", ""} else "right")
    failures = 0
    with Progress() as progress:
        bar = progress.add_task("scenarios", total=len(chosen))
        for scenario in chosen:
            progress.update(bar, description=scenario.name)
            async with moto() as endpoint:
                outcome = await play(scenario, endpoint, arguments.tasks, arguments.agents, logs)
            broken = outcome.broken(killed_agents=kill_agents in scenario.troubles)
            failures += bool(broken)
            table.add_row(
                scenario.name,
                str(outcome.lost),
                str(outcome.repeated),
                str(outcome.differing),
                str(outcome.failed),
                str(outcome.kills),
                str(outcome.runs - outcome.tasks),
                f"{outcome.seconds:.0f} s",
                "; ".join(broken) or "holds",
            )
            progress.advance(bar)
    console().print(table)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
