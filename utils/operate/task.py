"""A task's timeline: ``python -m utils.operate.task TASK_ID --trace-file PATH``, or ``--log PATH…``.

A trace file is what ``deploy.sh --local --trace-file`` writes; logs are those of agents and front door, one JSON object
a line, such as ``kubectl logs`` or CloudWatch give them.
"""

import argparse
import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from utils.local.otlp import Span
from utils.local.trace_file import read
from utils.text import printable

BAR = 30
"""Characters of the longest bar."""

HELP = "docs/en/how-to/troubleshoot.md"

HIDDEN = frozenset({"time", "level", "logger", "message", "task_id", "action", "trace_id", "runtime"})
"""Fields of a log line that have a column of their own, or are the same in all."""


def main(argv: Sequence[str] | None = None) -> int:
    """Print the timeline. Returns 0, or 1 when nothing is known of the task, or 2 when a file cannot be read."""
    arguments = _parser().parse_args(argv)
    console = Console(highlight=False, markup=False, width=None if sys.stdout.isatty() else 160)
    try:
        known = (
            _show_trace(console, list(read(arguments.trace_file)), arguments.task_id)
            if arguments.trace_file
            else _show_log(console, _lines(arguments.log), arguments.task_id)
        )
    except (OSError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    if not known:
        print(f"error: task {arguments.task_id!r} is not in these files; see {HELP}", file=sys.stderr)
    return 0 if known else 1


def _show_trace(console: Console, spans: list[Span], task_id: str) -> bool:
    traces = dict.fromkeys(span.trace_id for span in spans if span.attributes.get("task_id") == task_id)
    for trace_id in traces:
        console.print(f"task {task_id}, trace {trace_id}")
        console.print(_timeline([span for span in spans if span.trace_id == trace_id]))
    return bool(traces)


def _timeline(spans: Sequence[Span]) -> Table:
    begin = min(span.begin for span in spans)
    whole = max(max(span.end for span in spans) - begin, 1e-6)
    table = Table("stage", "from", "seconds", "", "what", box=None)
    for depth, span in _ordered(spans):
        left = round((span.begin - begin) / whole * BAR)
        bar = " " * left + "█" * max(1, round(span.seconds / whole * BAR))
        response = " ".join(f"{name}={value}" for name, value in span.attributes.items() if name not in HIDDEN)
        what = f"{span.error}  {response}" if span.error else response
        table.add_row(
            f"{'  ' * depth}{span.name}",
            f"{span.begin - begin:.3f}",
            f"{span.seconds:.3f}",
            bar,
            printable(what),
            style="red" if span.error else None,
        )
    return table


def _ordered(spans: Sequence[Span]) -> Iterable[tuple[int, Span]]:
    """Each span after its parent, siblings by their begin, with its depth."""
    known = {span.span_id for span in spans}
    waiting = [(0, span) for span in spans if span.parent_id not in known]
    waiting.sort(key=lambda entry: entry[1].begin, reverse=True)
    while waiting:
        depth, span = waiting.pop()
        yield depth, span
        below = sorted((one for one in spans if one.parent_id == span.span_id), key=lambda one: one.begin, reverse=True)
        waiting.extend((depth + 1, one) for one in below)


def _lines(paths: Iterable[Path]) -> Iterable[dict[str, Any]]:
    for path in paths:
        with path.open(encoding="utf-8", errors="replace") as lines:
            for line in lines:
                try:
                    value = json.loads(line)
                except ValueError:
                    continue  # logs also hold what other programs print
                if isinstance(value, dict):
                    yield value


def _show_log(console: Console, lines: Iterable[Mapping[str, Any]], task_id: str) -> bool:
    ours = sorted((line for line in lines if line.get("task_id") == task_id), key=_time)
    table = Table("time", "what", "action", "attempt", "fields", box=None)
    for line in ours:
        response = " ".join(
            f"{name}={value}" for name, value in line.items() if name not in HIDDEN and value is not None
        )
        table.add_row(
            _time(line).isoformat(timespec="milliseconds"),
            line.get("message", ""),
            line.get("action", ""),
            str(line.get("attempt") or ""),
            printable(response),
        )
    if ours:
        console.print(f"task {task_id}, trace {ours[0].get('trace_id') or 'unknown'}")
        console.print(table)
    return bool(ours)


def _time(line: Mapping[str, Any]) -> datetime:
    try:
        return datetime.fromisoformat(str(line["time"])).astimezone(UTC)
    except (KeyError, ValueError):
        return datetime.min.replace(tzinfo=UTC)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m utils.operate.task", description=__doc__)
    parser.add_argument("task_id", metavar="TASK_ID")
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--trace-file", type=Path, metavar="PATH", help="of a local platform")
    source.add_argument("--log", type=Path, nargs="+", metavar="PATH", help="logs of agents and of the API")
    return parser


if __name__ == "__main__":
    sys.exit(main())
