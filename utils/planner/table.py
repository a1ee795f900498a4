"""``python -m utils.planner.table``: standard loads under the presets and what came before them.

The loads: Poisson arrivals at 6 Erlang for six hours; a day along a cosine with 10 Erlang at noon; 100 tasks into an
empty system, often. Run times are log-normal with a spread of 0.3. ``FORMER`` is what an earlier simulator measured for
the same loads: mean and p95 of the wait in seconds, US dollars per 1,000 tasks.
"""

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from infra.config.scaling import HOLD_SECONDS
from utils.planner import loads
from utils.planner.model import HOUR, Cloud, Load, Scaling
from utils.planner.prices import node_hour
from utils.planner.results import THOUSAND
from utils.planner.simulator import Simulation

STEADY, PEAK, SIZE = 6.0, 10.0, 100
"""Erlang, Erlang, tasks."""

BURSTS = 200
"""So many, because the HPA may look at any time after one."""

STEADY_SEEDS, DAILY_SEEDS = 8, 4

LONG = 20_000
"""Tasks of a day, from which on one day is enough."""

COLUMNS = ("guidance", "before", "30 s", "100 s", "300 s")

Cell = tuple[float, float, float]
"""Mean and p95 in seconds, US dollars per 1,000 tasks."""


@dataclass(frozen=True, slots=True)
class Row:
    """A load by its kind and the seconds of a run; ``former`` by column."""

    run: float
    kind: str
    former: Sequence[Cell]


FORMER = (
    Row(1.5, "daily", ((6, 29, 0.44), (7, 23, 0.34), (3, 16, 0.26), (19, 94, 0.25), (110, 303, 0.25))),
    Row(1.5, "burst", ((117, 131, 3.19), (110, 121, 3.63), (119, 134, 1.94), (140, 174, 0.91), (172, 240, 0.56))),
    Row(8, "steady", ((48, 97, 1.38), (56, 94, 1.34), (4, 18, 1.38), (21, 72, 1.24), (87, 289, 1.19))),
    Row(8, "daily", ((47, 96, 1.41), (56, 89, 1.36), (4, 19, 1.41), (15, 74, 1.32), (92, 293, 1.29))),
    Row(8, "burst", ((151, 188, 4.17), (140, 177, 4.59), (121, 140, 8.03), (145, 185, 4.22), (233, 351, 2.16))),
    Row(60, "steady", ((477, 548, 8.64), (485, 557, 8.65), (5, 30, 14.2), (28, 83, 10.4), (107, 237, 8.98))),
    Row(60, "daily", ((479, 558, 8.79), (483, 557, 8.81), (5, 29, 14.1), (25, 79, 10.3), (108, 235, 9.17))),
    Row(60, "burst", ((401, 751, 11.2), (409, 845, 11.1), (223, 357, 15.4), (223, 357, 15.3), (223, 357, 15.3))),
)


def settings(run: float) -> Mapping[str, Scaling]:
    """By column: the AWS guidance's chart, this one's former defaults, and targets with busy pods counted."""
    former = Scaling(per_pod=10, polling=1, cooldown=60, window=180, consolidate_after=60)
    guidance = Scaling(per_pod=10, polling=1, cooldown=60, consolidate_after=60, has_behavior=False)
    weight = run / (run + HOLD_SECONDS)
    targets = [Scaling(per_pod=max(1, int(0.5 + wait / run)), busy_weight=weight) for wait in (30, 100, 300)]
    return dict(zip(COLUMNS, (guidance, former, *targets), strict=True))


@cache
def sample(kind: str, run: float) -> tuple[Load, ...]:
    """The loads of a row."""
    if kind == "burst":
        return tuple(loads.burst(SIZE, run, length=0.0, seed=seed) for seed in range(BURSTS))
    if kind == "steady":
        return tuple(loads.steady(STEADY / run, run, length=6 * HOUR, seed=seed) for seed in range(STEADY_SEEDS))
    first = loads.daily(PEAK / run, run, seed=0)
    seeds = range(1, 1 if len(first) > LONG else DAILY_SEEDS)
    return (first, *(loads.daily(PEAK / run, run, seed=seed) for seed in seeds))


def cell(some: Sequence[Load], scaling: Scaling) -> Cell:
    """All tasks of several runs together."""
    waits: list[float] = []
    paid = 0.0
    for seed, load in enumerate(some):
        outcome = Simulation(load, scaling, Cloud(), seed=seed).run()
        waits += outcome.waits
        paid += outcome.node_seconds
    waits.sort()
    cost = paid / HOUR * node_hour(None) * THOUSAND / len(waits)
    return sum(waits) / len(waits), waits[int(0.95 * len(waits))], cost


def measured(row: Row) -> Iterator[tuple[str, Cell, Cell]]:
    """By column: what is measured now, and what was before."""
    for (name, scaling), former in zip(settings(row.run).items(), row.former, strict=True):
        yield name, cell(sample(row.kind, row.run), scaling), former


def differs(now: float, former: float, *, rounding: float) -> bool:
    """By more than 10 %, after what the rounding of the former figure leaves open."""
    return abs(now - former) > 0.1 * former + rounding


def rounding_of(cell_: Cell) -> tuple[float, float, float]:
    """Half of the last digit that is shown."""
    return 0.5, 0.5, 0.005 if cell_[2] < 10 else 0.05  # noqa: PLR2004 (money is shown with three digits)


def main() -> int:
    """Print the table as Markdown; a star marks what differs from the former figure by more than 10 %."""
    print(f"| s, load | {' | '.join(COLUMNS)} |")
    print(f"| --- |{' --- |' * len(COLUMNS)}")
    for row in FORMER:
        cells = []
        for _, now, former in measured(row):
            stars = [
                "*" * differs(mine, theirs, rounding=rounding)
                for mine, theirs, rounding in zip(now, former, rounding_of(former), strict=True)
            ]
            cells.append(f"{now[0]:.0f}{stars[0]}/{now[1]:.0f}{stars[1]} {now[2]:.3g}{stars[2]}")
        print(f"| {row.run:g} {row.kind} | {' | '.join(cells)} |", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
