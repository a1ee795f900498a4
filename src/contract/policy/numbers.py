"""Numbers of a task, read as generously as the runtimes read them, and compared with caps."""

import math
from collections.abc import Iterator
from typing import Any

from contract.errors import Problem, shown


def number(value: Any, default: float) -> float:
    """``value`` as a number, also when it is written as text, which the runtimes accept; ``default`` for all else."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return default
    try:
        found = float(value)
    except (ValueError, OverflowError):
        return math.inf if isinstance(value, int) else default
    return default if math.isnan(found) else max(found, 0)


def over_cap(field: str, what: str, value: float, cap: int, key: str) -> Iterator[Problem]:
    """A problem when ``value`` exceeds ``cap``, which ``key`` of the policy sets. ``what`` is empty for the field."""
    if value > cap:
        got = f"{value:.0f}" if math.isfinite(value) else shown(value)
        yield Problem(field, f"{what}must be at most {cap} (taskPolicy.{key}), got {got}".strip())
