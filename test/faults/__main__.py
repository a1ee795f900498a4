"""Tasks through agents, under each kind of fault and all of them: ``.venv/bin/python -m test.faults``.

For each scenario it counts what the caller hears: lost tasks, repeated callbacks, runs of the GPU beyond one a task. It
exits non-zero when a promise is broken.
"""

import argparse
import asyncio
import random
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.progress import Progress
from rich.table import Table

from test.bench.stage import a_world, console, moto
from test.faults.fleet import Fleet
from test.support.world import World
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


@dataclass
class Outcome:
    """What came of a scenario."""

    seconds: float
    runs: int
    kills: int
    told: Mapping[str, list[dict[str, Any]]]
    exits: Counter[int]
    left: tuple[int, int]
    tasks: int
    repeated: int = field(init=False)

    def __post_init__(self) -> None:
        self.repeated = sum(len(callbacks) > 1 for callbacks in self.told.values())

    @property
    def lost(self) -> int:
        return self.tasks - len(self.told)

    @property
    def failed(self) -> int:
        return sum(callbacks[0]["result"] is False for callbacks in self.told.values())

    @property
    def differing(self) -> int:
        return sum(any(callback != callbacks[0] for callback in callbacks) for callbacks in self.told.values())

    @property
    def most(self) -> int:
        return max((len(callbacks) for callbacks in self.told.values()), default=0)

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
    loop = asyncio.get_running_loop()
    conditions = Conditions()
    async with AsyncExitStack() as stack:
        world, proxied = await stack.enter_async_context(a_world(endpoint, conditions))
        for number in range(tasks):
            await world.ask(f"t{number}")
        conditions.failure = failing(scenario.share_failing) if scenario.share_failing else None
        rolls = random.Random(scenario.name)
        fleet = await stack.enter_async_context(
            Fleet(
                world,
                proxied,
                size=agents,
                task_seconds=scenario.task_seconds,
                lease_seconds=scenario.lease_seconds,
                logs=logs,
                rolls=rolls,
            )
        )
        begin = loop.time()
        troubles = [asyncio.create_task(_endure(trouble(fleet, conditions))) for trouble in scenario.troubles]
        try:
            seconds = await _told(world, tasks, loop.time() + LIMIT_SECONDS) - begin
        finally:
            for task in troubles:
                task.cancel()
            await asyncio.gather(*troubles, return_exceptions=True)
        conditions.failure = None
        await asyncio.sleep(QUIET_SECONDS)
        await fleet.stop()
        left = await world.depth()
        told: dict[str, list[dict[str, Any]]] = defaultdict(list)
        for callback in await world.callbacks():
            told[callback["id"]].append(callback)
        return Outcome(seconds, fleet.runs, fleet.kills, told, fleet.exits, left, tasks)


async def _endure(trouble: Awaitable[None]) -> None:
    await trouble


async def _told(world: World, tasks: int, deadline: float) -> float:
    """Loop time at which every task had been told, or the deadline."""
    loop = asyncio.get_running_loop()
    while loop.time() < deadline:
        if len({callback["id"] for callback in await world.callbacks()}) >= tasks and await world.depth() == (0, 0):
            break
        await asyncio.sleep(0.5)
    return loop.time()


async def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tasks", type=int, default=200)
    parser.add_argument("--agents", type=int, default=4)
    parser.add_argument("--only", help="a scenario whose name holds this")
    parser.add_argument("--logs", type=Path, help="folder for the agents' logs; a temporary one if not given")
    arguments = parser.parse_args()
    chosen = [scenario for scenario in SCENARIOS if not arguments.only or arguments.only in scenario.name]
    logs = arguments.logs or Path(tempfile.mkdtemp(prefix="faults-"))
    logs.mkdir(parents=True, exist_ok=True)
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
