"""What the command shows: results on standard output, everything else on standard error."""

import json
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

from pydantic import BaseModel
from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Column, Table

from sd_on_eks.client import Task
from sd_on_eks.describing import explained, note
from sd_on_eks.errors import ApiError, Error
from sd_on_eks.models import Runtime

WIDE = 1000
"""Columns where standard output is no terminal: a script gets each row as one line, and nothing cut off."""


class Screen:
    """``as_json``: results and errors are JSON, a line each."""

    def __init__(self, *, as_json: bool = False) -> None:
        self.as_json = as_json
        width = None if sys.stdout.isatty() else WIDE
        self.out = Console(highlight=False, soft_wrap=True, width=width)
        self.err = Console(stderr=True, highlight=False, soft_wrap=True)

    def value(self, value: Any, text: str) -> None:
        """One result: ``value`` as JSON, or ``text``."""
        shown = value.model_dump(mode="json", by_alias=True) if isinstance(value, BaseModel) else value
        self.out.out(json.dumps(shown) if self.as_json else text)

    def tasks(self, tasks: Iterable[Task]) -> None:
        """A line for each task."""
        table = Table(Column("id", overflow="fold"), "status", "runtime", "created", "note", box=None)
        for task in tasks:
            if self.as_json:
                self.value(task, "")
            else:
                created = f"{task.created:%Y-%m-%d %H:%M:%S}"
                table.add_row(*map(escape, (task.id, task.status, task.runtime, created, note(task))))
        if table.row_count:
            self.out.print(table)

    def runtimes(self, runtimes: Iterable[Runtime]) -> None:
        table = Table("name", "type", "task types", "waiting", "pods", "seconds a task", "starts in", box=None)
        for runtime in runtimes:
            if self.as_json:
                self.value(runtime, "")
                continue
            waiting = "?" if runtime.tasks is None else str(runtime.tasks.waiting)
            row = (runtime.name, runtime.type, ", ".join(runtime.tasktypes), waiting, str(runtime.pods.ready))
            table.add_row(*map(escape, (*row, _number(runtime.mean_seconds), _number(runtime.start_in))))
        if table.row_count:
            self.out.print(table)

    def hint(self, text: str) -> None:
        """Something to know, that is no result."""
        self.err.out(text)

    def error(self, error: Error) -> None:
        """With JSON an object with ``error``, the class's name, and what the error says."""
        found: dict[str, Any] = {"error": type(error).__name__, "message": str(error)}
        if isinstance(error, ApiError):
            found |= {"status": error.status, "type": error.kind, "errors": [asdict(item) for item in error.errors]}
            found["request_id"] = error.request_id
        self.failure(found, explained(error))

    def failure(self, found: Mapping[str, Any], lines: Iterable[str] = ()) -> None:
        """An error: ``found`` as JSON, or ``lines``, else its message."""
        if self.as_json:
            self.err.out(json.dumps(found))
            return
        first, *others = [*lines] or [found["message"]]
        self.err.out(f"error: {first}")
        for line in others:
            self.err.out(f"  {line}")

    @contextmanager
    def counter(self, total: int) -> Iterator["Counter"]:
        """A progress bar for ``total`` tasks; nothing where standard error is no terminal."""
        columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[note]}"), TimeRemainingColumn())
        with self._progress(*columns) as progress:
            yield Counter(progress, total)

    @contextmanager
    def bar(self) -> Iterator["Bar"]:
        """A progress bar for a task after the other; nothing where standard error is no terminal."""
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.fields[note]}"),
            TimeElapsedColumn(),
        )
        with self._progress(*columns) as progress:
            yield Bar(progress)

    def _progress(self, *columns: ProgressColumn) -> Progress:
        hidden = self.as_json or not self.err.is_terminal
        return Progress(*columns, console=self.err, transient=True, disable=hidden)


class Bar:
    """Shows where a task is."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._rows: dict[str, TaskID] = {}

    def show(self, task: Task) -> None:
        if task.id not in self._rows:
            self._rows[task.id] = self._progress.add_task(escape(task.id), total=1.0, note="")
        done = 1.0 if task.status.ended else task.progress.value if task.progress else 0.0
        self._progress.update(self._rows[task.id], completed=done, note=escape(note(task)))


class Counter:
    """Shows how many tasks have ended."""

    def __init__(self, progress: Progress, total: int) -> None:
        self._progress = progress
        self._row = progress.add_task("", total=total, note="")
        self._failed = 0

    def add(self, task: Task) -> None:
        self._failed += not task.completed
        self._progress.update(self._row, advance=1, note=f"{self._failed} not completed" if self._failed else "")


def _number(seconds: float | None) -> str:
    return "?" if seconds is None else f"{seconds:.1f} s"
