"""Tasks over time: at a rate, along a day, in a burst, from a file."""

import csv
import math
import random
from array import array
from collections.abc import Sequence
from itertools import accumulate
from pathlib import Path
from statistics import NormalDist

from utils.planner.errors import PlannerError
from utils.planner.model import DAY, Load

SPREAD = 0.3
"""Standard deviation of run times over their mean (log-normal): the same workflow, other prompts and sizes."""

QUANTILES = 2000
"""So many run times stand for the whole distribution; their mean is that of the distribution within 0.1 %."""

CURVE_STEPS = 288
"""A day is followed in steps of five minutes."""

LONGEST_RUN = 36_000.0
"""Seconds: the largest taskTimeout."""

LONGEST = 366 * DAY
"""Seconds that a load may cover. A pod that is kept is looked at every 15 s of them."""

MOST_TASKS = 5_000_000
"""More do not fit into the memory of a small machine."""


def steady(rate: float, run: float, *, length: float = DAY, seed: int = 0, spread: float = SPREAD) -> Load:
    """``rate`` tasks a second at random (Poisson) for ``length`` seconds, each ``run`` seconds on average."""
    return varying([rate], length, run, length=length, seed=seed, spread=spread)


def daily(peak: float, run: float, *, low: float = 0.0, days: int = 1, seed: int = 0, spread: float = SPREAD) -> Load:
    """Tasks a second along a cosine: ``low`` at midnight, ``peak`` at noon."""
    middles = ((step + 0.5) / CURVE_STEPS for step in range(CURVE_STEPS))
    rates = [low + (peak - low) * (1 - math.cos(2 * math.pi * share)) / 2 for share in middles]
    return varying(rates * days, DAY / CURVE_STEPS, run, length=days * DAY, seed=seed, spread=spread)


def burst(size: int, run: float, *, length: float = DAY, seed: int = 0, spread: float = SPREAD) -> Load:
    """``size`` tasks at once, and nothing else for ``length`` seconds."""
    return made(array("d", bytes(8 * size)), run, length=length, seed=seed, spread=spread)


def varying(
    rates: Sequence[float], step: float, run: float, *, length: float, seed: int = 0, spread: float = SPREAD
) -> Load:
    """Tasks a second, for ``step`` seconds each, at random within it. Raises PlannerError for too many or none."""
    _check_length(length)
    expected = sum(rates) * step
    if expected > MOST_TASKS:
        raise PlannerError(f"the load has about {expected:,.0f} tasks; at most {MOST_TASKS:,} can be simulated")
    dice = random.Random(seed)  # noqa: S311 (a simulation)
    draw, log = dice.random, math.log
    arrivals, clock, start = array("d"), -log(1.0 - draw()), 0.0
    before = 0.0
    for rate, after in zip(rates, accumulate(rate * step for rate in rates), strict=True):
        while clock < after:
            arrivals.append(start + (clock - before) / rate)
            clock -= log(1.0 - draw())
        before, start = after, start + step
    if not arrivals:
        raise PlannerError("the load has no tasks; raise its rate or its length")
    return made(arrivals, run, length=length, seed=seed, spread=spread)


def made(arrivals: "array[float]", run: float, *, length: float, seed: int = 0, spread: float = SPREAD) -> Load:
    """The load of sorted arrivals, with run times of a mean and a relative spread."""
    dice = random.Random(f"runs {seed}")  # noqa: S311 (a simulation)
    return Load(arrivals, array("d", dice.choices(_run_times(run, spread), k=len(arrivals))), length)


def _run_times(mean: float, spread: float) -> list[float]:
    if not spread:
        return [mean]
    sigma = math.sqrt(math.log1p(spread * spread))
    normal = NormalDist(-sigma * sigma / 2, sigma)
    times = [math.exp(normal.inv_cdf((number + 0.5) / QUANTILES)) for number in range(QUANTILES)]
    correction = mean * QUANTILES / sum(times)
    return [time * correction for time in times]


def from_csv(path: Path, run: float, *, seed: int = 0) -> Load:
    """A trace: a header, then a task a line. Column ``seconds`` is the time of arrival in seconds from any beginning;
    ``run_seconds``, if there is one, what the task took. Raises PlannerError with the line that is wrong."""
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = csv.DictReader(file)
            names = rows.fieldnames or []
            if "seconds" not in names:
                raise PlannerError(
                    f"{path}: the first line must name a column seconds, got {', '.join(names) or 'none'}"
                )
            timed = "run_seconds" in names
            tasks = [
                (
                    _number(row["seconds"], path, rows.line_num, "seconds", least=-math.inf),
                    _number(row["run_seconds"], path, rows.line_num, "run_seconds", least=0.001) if timed else run,
                )
                for row in rows
            ]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise PlannerError(f"{path}: cannot be read as CSV: {error}") from error
    if not tasks:
        raise PlannerError(f"{path}: holds no tasks")
    if len(tasks) > MOST_TASKS:
        raise PlannerError(f"{path}: holds {len(tasks):,} tasks; at most {MOST_TASKS:,} can be simulated")
    tasks.sort()
    first = tasks[0][0]
    arrivals = array("d", (seconds - first for seconds, _ in tasks))
    _check_length(arrivals[-1], f"{path}: ")
    if timed:
        return Load(arrivals, array("d", (took for _, took in tasks)), arrivals[-1])
    return made(arrivals, run, length=arrivals[-1], seed=seed)


def _check_length(length: float, source: str = "") -> None:
    if length > LONGEST:
        raise PlannerError(f"{source}the load covers {length / DAY:,.0f} days; at most {LONGEST / DAY:.0f} can be")


def _number(text: str | None, path: Path, line: int, column: str, *, least: float) -> float:
    try:
        number = float(text or "")
    except ValueError:
        number = math.nan
    if not least < number < math.inf or (column == "run_seconds" and number > LONGEST_RUN):
        bound = "" if least == -math.inf else f" above {least:g} and not above {LONGEST_RUN:g}"
        raise PlannerError(f"{path}, line {line}: {column} must be a number{bound}, got {text!r}")
    return number
