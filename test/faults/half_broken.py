"""What is half-broken: every scenario with its promises, and the program that measures them."""

import asyncio
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.table import Table

from test.bench.stage import console, moto
from test.faults import crashes, denied_calls, front_door, links, sick_runtime, waiting
from test.faults.scenario import Ground, Report, Scenario

SCENARIOS: tuple[Scenario, ...] = (
    *sick_runtime.SCENARIOS,
    *links.SCENARIOS,
    *denied_calls.SCENARIOS,
    *crashes.SCENARIOS,
    *waiting.SCENARIOS,
    *front_door.SCENARIOS,
)


async def measure(scenarios: Sequence[Scenario], only: str | None, logs: Path) -> int:
    """Play the scenarios whose name contains ``only`` and print a table; the number of those that do not hold."""
    table = Table()
    for column in ("scenario", "number", "measured", "promise", ""):
        table.add_column(column, justify="right" if column == "measured" else "left")
    failures = 0
    for scenario in scenarios:
        if only is not None and only not in scenario.name:
            continue
        report = await played(scenario, logs)
        failures += bool(report.broken)
        for index, number in enumerate(report.numbers):
            table.add_row(
                scenario.name if index == 0 else "",
                number.name,
                number.measured,
                number.promise,
                "holds" if number.holds else "BROKEN",
            )
        print(f"{scenario.name}: {'; '.join(report.broken) or 'holds'}", file=sys.stderr)  # noqa: T201
    console().print(table)
    return failures


async def played(scenario: Scenario, logs: Path) -> Report:
    """The scenario's report; one broken promise is that it ends within its limit."""
    folder = logs / re.sub(r"\W+", "-", scenario.name)
    report: Report = Report()
    async with moto() as endpoint:
        try:
            report = await asyncio.wait_for(scenario.play(Ground(endpoint, folder)), scenario.limit)
        except TimeoutError:
            report.at_most("seconds", float("inf"), scenario.limit)
    return report
