"""``sdoneks ops task``: a task's timeline, from a trace file or from logs."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
from rich.table import Table
from rich.text import Text

from sd_on_eks.cli.options import State, json_option, pass_state
from sd_on_eks.cli.screen import Screen
from utils.local.otlp import Span
from utils.local.trace_file import read
from utils.operate.errors import CannotAct
from utils.text import printable

BAR = 30
"""Characters of the longest bar."""

HELP = "docs/en/how-to/troubleshoot.md"

HIDDEN = frozenset({"time", "level", "logger", "message", "task_id", "action", "trace_id", "runtime"})
"""Fields of a log line that have a column of their own, or are the same in all."""


FILE = click.Path(dir_okay=False, path_type=Path)


@click.command("task")
@click.argument("task_id", metavar="TASK_ID")
@click.argument("logs", metavar="[LOG]...", nargs=-1, type=FILE)
@click.option("--trace-file", type=FILE, help="What ./deploy/deploy.sh --local --trace-file wrote.")
@json_option
@pass_state
def command(state: State, task_id: str, logs: tuple[Path, ...], trace_file: Path | None) -> int:
    """Show where the time of a task went.

    Each LOG is a log of agents or of the API, a JSON object on each line, as kubectl logs and CloudWatch give
    them. The exit code is 1 when nothing is known of the task.
    """
    if bool(logs) == bool(trace_file):
        raise click.UsageError("give either LOG files or --trace-file")
    try:
        known = (
            _show_trace(state.screen, list(read(trace_file)), task_id)
            if trace_file
            else _show_log(state.screen, _lines(logs), task_id)
        )
    except (OSError, ValueError) as error:
        raise CannotAct(str(error)) from error
    if not known:
        state.screen.hint(f"error: task {task_id!r} is not in these files; see {HELP}")
    return 0 if known else 1


def _show_trace(screen: Screen, spans: list[Span], task_id: str) -> bool:
    traces = dict.fromkeys(span.trace_id for span in spans if span.attributes.get("task_id") == task_id)
    for trace_id in traces:
        stages = [span for span in spans if span.trace_id == trace_id]
        if screen.as_json:
            for _, span in _ordered(stages):
                screen.value(asdict(span), "")
            continue
        screen.out.out(f"task {task_id}, trace {trace_id}")
        screen.out.print(_timeline(stages))
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
            Text(printable(what)),
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


def _show_log(screen: Screen, lines: Iterable[Mapping[str, Any]], task_id: str) -> bool:
    ours = sorted((line for line in lines if line.get("task_id") == task_id), key=_time)
    if screen.as_json:
        for line in ours:
            screen.value(line, "")
        return bool(ours)
    table = Table("time", "what", "action", "attempt", "fields", box=None)
    for line in ours:
        response = " ".join(
            f"{name}={value}" for name, value in line.items() if name not in HIDDEN and value is not None
        )
        table.add_row(
            _time(line).isoformat(timespec="milliseconds"),
            *(Text(printable(str(line.get(name) or ""))) for name in ("message", "action", "attempt")),
            Text(printable(response)),
        )
    if ours:
        screen.out.out(f"task {task_id}, trace {ours[0].get('trace_id') or 'unknown'}")
        screen.out.print(table)
    return bool(ours)


def _time(line: Mapping[str, Any]) -> datetime:
    try:
        return datetime.fromisoformat(str(line["time"])).astimezone(UTC)
    except (KeyError, ValueError):
        return datetime.min.replace(tzinfo=UTC)
