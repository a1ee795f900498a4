"""Waits for tasks, shows where they are, and asks what to do with them on Ctrl-C."""

import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import click

from sd_on_eks.cli.options import State
from sd_on_eks.cli.screen import Bar
from sd_on_eks.client import Task
from sd_on_eks.errors import NotFound


def finish(state: State, tasks: Sequence[Task], timeout: float, folder: Path | None) -> None:
    """Wait for the tasks, save what they made into ``folder``, show them, and raise for the first that failed.

    Raises WaitTimeout ``timeout`` seconds from now.
    """
    until = time.monotonic() + timeout
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
    with _interruptible(state, tasks), state.screen.bar() as bar:
        ended = [_followed(task, until, bar) for task in tasks]
    for task in ended:
        files = [str(output.save(folder)) for output in task.outputs] if folder is not None else []
        if state.screen.as_json:
            shown = task.model_dump(mode="json", by_alias=True)
            state.screen.value({**shown, "files": files} if folder is not None else shown, "")
        else:
            for line in files or [f"{task.id} {task.status}"]:
                state.screen.value(line, line)
    for task in ended:
        task.checked()


def _followed(task: Task, until: float, bar: Bar) -> Task:
    bar.show(task)
    for event in task.events(max(0.0, until - time.monotonic())):
        task = event
        bar.show(task)
    return task


@contextmanager
def _interruptible(state: State, tasks: Sequence[Task]) -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt:
        ids = [task.id for task in tasks]
        offer_to_cancel(state, ids, " ".join(ids), again=f"wait again with: sdoneks wait {' '.join(ids)}")
        raise


def offer_to_cancel(state: State, ids: Sequence[str], what: str, *, again: str) -> None:
    """After Ctrl-C, ask whether to cancel the tasks; where nobody can answer, say how to go on."""
    if not sys.stdin.isatty() or not click.confirm(f"\nCancel {what} as well?", default=False, err=True):
        state.screen.hint(f"still going on; {again}")
        return
    for task_id in ids:
        try:
            task = state.client.task(task_id).cancel()
        except NotFound:
            continue  # it was not submitted yet
        state.screen.hint(f"{task.id} {'is being canceled' if not task.status.ended else task.status}")
