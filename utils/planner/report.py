"""What the planner prints: a table, the pods over time, warnings, comparisons."""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

from rich.console import Console
from rich.table import Table

from infra.config.scaling import PRESETS
from utils.planner.model import HOUR, Load
from utils.planner.planning import pods_for_busiest
from utils.planner.results import MONTH, THOUSAND, Result
from utils.planner.settings import Setting, by_default

BARS = " ▁▂▃▄▅▆▇█"
HEADS = ("setting", "p50 s", "p95 s", "p99 s", "cold", "node h", "USD/month", "USD/1,000", "use", "pods", "vCPUs")
LOW_USE = 0.25
FAR = 2.0


def show_table(console: Console, results: Sequence[Result], sizes: Sequence[int]) -> None:
    """A row for each setting. ``sizes``: vCPUs of the instance types, where they are known."""
    table = Table(header_style="bold", box=None, pad_edge=False)
    for head in HEADS:
        table.add_column(head, justify="left" if head == "setting" else "right", no_wrap=True)
    ends = sorted({min(sizes), max(sizes)}) if sizes else []
    for one in results:
        quota = " to ".join(str(size * one.peak) for size in ends)
        table.add_row(
            *(one.name, *(f"{wait:,.0f}" for wait in (one.p50, one.p95, one.p99)), f"{one.cold:.1%}"),
            *(f"{one.node_hours:,.1f}", f"{one.month:,.2f}", f"{one.per_thousand:,.3f}", f"{one.use:.0%}"),
            *(str(one.peak), quota or "?"),
        )
    console.print(table)
    console.print(
        "p50, p95, p99: seconds until the run begins · cold: tasks that came while no pod was ready · use: share of "
        "the paid time in which a task ran · pods, vCPUs: at the peak; the quota for G instances must allow the vCPUs",
        style="dim",
    )


def show_pods(console: Console, load: Load, results: Sequence[Result]) -> None:
    """Arrivals and pods over the time of the load, as bars."""
    points = len(results[0].pods)
    step = max(load.length, 1.0) / points
    edges = [0, *(bisect_left(load.arrivals, step * point) for point in range(1, points)), len(load)]
    counts = [after - before for before, after in pairwise(edges)]
    width = max(len(one.name) for one in results)
    console.print()
    console.print(
        f"{'tasks':{width}} {_bars(counts)} {max(counts):,} in {load.length / points / 60:.3g} min", no_wrap=True
    )
    for one in results:
        console.print(f"{one.name:{width}} {_bars(one.pods)} {max(one.pods)} pods", no_wrap=True)


def _bars(values: Sequence[int]) -> str:
    most = max(values) or 1
    return "".join(BARS[-(-value * (len(BARS) - 1) // most)] for value in values)


def section_of(setting: Setting) -> dict[str, Any]:
    """What to paste into the runtime in config.yaml."""
    values = setting.values
    scaling: dict[str, Any] = {"targetWaitSeconds": values["targetWaitSeconds"], "runSeconds": values["runSeconds"]}
    if values["minReplicaCount"]:
        scaling["minReplicas"] = values["minReplicaCount"]
    scaling["maxReplicas"] = values["maxReplicaCount"]
    if values["warm"]:
        scaling["warm"] = [dict(one) for one in values["warm"]]
    section: dict[str, Any] = {"scaling": scaling}
    if values["cooldownPeriod"] != by_default().values["cooldownPeriod"]:
        section["extraValues"] = {"runtime": {"scaling": {"cooldownPeriod": values["cooldownPeriod"]}}}
    return section


def warnings(setting: Setting, load: Load, results: Sequence[Result], p95: float | None) -> Iterator[str]:
    """What the numbers hide. The first result is that of the config as it is, which ``setting`` is."""
    run, stated, length = load.work / len(load), setting.values["runSeconds"], setting.values["queueLength"]
    if length and length * run > max(PRESETS.values()):
        yield f"queueLength {length} x {run:.3g} s = {length * run:,.0f} s of backlog per pod, which tasks wait for"
    if not stated / FAR <= run <= stated * FAR:
        yield f"scaling.runSeconds is {stated:g}, and a task takes {run:.3g} s: there are too many or too few pods"
    for one in results:
        if one.peak >= setting.values["maxReplicaCount"]:
            yield f"{one.name}: all {one.peak} pods that maxReplicas allows were used; with more, tasks would wait less"
    if results[0].use < LOW_USE:
        yield f"as it is, tasks run in {results[0].use:.0%} of the paid time; the rest is starts and idling"
    if p95 is not None and results[0].p95 > p95:
        yield f"as it is, p95 is {results[0].p95:,.0f} s and not {p95:g} s"


def comparisons(load: Load, price: float, api_price: float | None) -> Iterator[str]:
    """What else one could pay for. Money in US dollars; ``price`` of an hour of a node, ``api_price`` of an image."""
    pods, times = pods_for_busiest(load), MONTH / max(load.length, HOUR)
    month = pods * price * MONTH / HOUR
    per_thousand = month / times / len(load) * THOUSAND
    yield (
        f"{pods} pod{'s' * (pods > 1)}, always on, enough for the busiest ten minutes: {month:,.2f} a month, "
        f"{per_thousand:,.3f} per 1,000"
    )
    if api_price is not None:
        yield (
            f"an API at {api_price:g} an image: {api_price * len(load) * times:,.2f} a month, "
            f"{api_price * THOUSAND:,.3f} per 1,000"
        )
