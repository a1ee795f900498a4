"""What is reported of an outcome: waiting times, cost, use."""

from bisect import bisect_right
from dataclasses import dataclass

from utils.planner.model import HOUR, Load, Outcome

MONTH = 720 * HOUR
"""Seconds, as infra/cost counts a month."""

THOUSAND = 1000

SAMPLE = 200_000
"""Tasks, evenly taken, that the quantiles of a larger load are of: sorting all would take as long as the simulation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """Times in seconds, money in US dollars, shares from 0 to 1. ``pods``: pods over time, for a graph."""

    name: str
    tasks: int
    mean: float
    p50: float
    p95: float
    p99: float
    cold: float
    node_hours: float
    month: float
    per_thousand: float
    use: float
    peak: int
    interrupted: int
    pods: tuple[int, ...]


def result_of(name: str, load: Load, outcome: Outcome, price: float, *, points: int = 60) -> Result:
    """``price`` of an hour of a node. A month is as many times the load as fit into it."""
    step = max(1, len(outcome.waits) // SAMPLE)
    waits = sorted(outcome.waits[::step])
    hours = outcome.node_seconds / HOUR
    cost = hours * price
    return Result(
        name=name,
        tasks=len(load),
        mean=sum(outcome.waits) / len(outcome.waits),
        p50=_quantile(waits, 0.50),
        p95=_quantile(waits, 0.95),
        p99=_quantile(waits, 0.99),
        cold=outcome.cold / len(load),
        node_hours=hours,
        month=cost * MONTH / max(load.length, HOUR),
        per_thousand=cost * THOUSAND / len(load),
        use=load.work / outcome.node_seconds,
        peak=outcome.peak,
        interrupted=outcome.interrupted,
        pods=_sampled(outcome, max(load.length, outcome.ended), points),
    )


def _quantile(ordered: list[float], share: float) -> float:
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def _sampled(outcome: Outcome, length: float, points: int) -> tuple[int, ...]:
    """The most pods in each of so many equal parts of the time."""
    times = [time for time, _ in outcome.changes]
    most = []
    for point in range(points):
        start, end = point * length / points, (point + 1) * length / points
        first, last = bisect_right(times, start), bisect_right(times, end)
        most.append(max((count for _, count in outcome.changes[max(0, first - 1) : last]), default=0))
    return tuple(most)
