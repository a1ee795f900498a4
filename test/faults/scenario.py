"""A scenario of something half-broken: what it measures, and what the numbers must be."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from test.bench.stage import a_world
from test.faults.fleet import Fleet
from test.faults.runtime import Runtime
from test.support.world import World
from utils.local.aws_proxy import Conditions


@dataclass(frozen=True, slots=True)
class Number:
    """One measured number with the promise about it, such as ``<= 15``."""

    name: str
    measured: str
    promise: str
    holds: bool


@dataclass(slots=True)
class Report:
    """The numbers of one scenario."""

    numbers: list[Number] = field(default_factory=list)

    @property
    def broken(self) -> list[str]:
        return [
            f"{number.name}: {number.measured}, promised {number.promise}"
            for number in self.numbers
            if not number.holds
        ]

    def equal(self, name: str, measured: object, promised: object) -> None:
        self._add(name, measured, f"= {promised}", holds=measured == promised)

    def at_most(self, name: str, measured: float, limit: float) -> None:
        self._add(name, measured, f"<= {limit:g}", holds=measured <= limit)

    def at_least(self, name: str, measured: float, limit: float) -> None:
        self._add(name, measured, f">= {limit:g}", holds=measured >= limit)

    def _add(self, name: str, measured: object, promise: str, *, holds: bool) -> None:
        shown = f"{measured:.2f}" if isinstance(measured, float) else str(measured)
        self.numbers.append(Number(name, shown, promise, holds))


@dataclass(frozen=True, slots=True)
class Ground:
    """Where a scenario is played: moto's endpoint, and a folder for the agents' logs."""

    endpoint: str
    logs: Path


@asynccontextmanager
async def agents_at(
    ground: Ground,
    runtimes: Sequence[Runtime],
    conditions: Conditions | None = None,
    *,
    settings: Mapping[str, str] | None = None,
    particular: Mapping[int, Mapping[str, str]] | None = None,
    tables: bool = False,
) -> AsyncIterator[tuple[World, Fleet]]:
    """A world of its own with one agent for each runtime, all of them ready. Settings as ``Fleet`` takes them, and
    ``tables`` as ``a_world``."""
    async with (
        a_world(ground.endpoint, conditions or Conditions(), tables=tables) as (world, proxied),
        Fleet(world, proxied, runtimes, logs=ground.logs, settings=settings, particular=particular) as fleet,
    ):
        await fleet.begun()
        yield world, fleet


async def ask(world: World, tasks: int) -> None:
    """So many text-to-image tasks, ``t0``, ``t1``, …, whose prompts are their ids."""
    for number in range(tasks):
        await world.ask(f"t{number}", content={"prompt": f"t{number}"})


@dataclass(frozen=True, slots=True)
class Scenario:
    """``play`` ends within ``limit`` seconds, or the scenario has failed."""

    name: str
    play: Callable[[Ground], Awaitable[Report]]
    limit: float = 180.0
