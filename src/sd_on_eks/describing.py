"""Tasks and errors in a few words, for people and for models."""

from collections.abc import Iterator

from sd_on_eks.async_client import AsyncTask
from sd_on_eks.client import Task
from sd_on_eks.errors import ApiError, Error
from sd_on_eks.models import Status, TaskSnapshot


def note(task: Task | AsyncTask | TaskSnapshot) -> str:
    """What is worth knowing of a task, in a few words."""
    if task.error:
        return f"{task.error.type}: {task.error.message}"
    if task.status is Status.RUNNING:
        percent = f"{task.progress.value:.0%}" if task.progress else "running"
        return f"{percent}, canceling" if task.cancel_requested else percent
    if task.queue:
        ahead = "" if task.queue.ahead is None else f", {task.queue.ahead} ahead"
        start = "" if task.queue.start_in is None else f", starts in {task.queue.start_in:.0f} s"
        return f"waits for a {task.queue.waiting_for}{ahead}{start}"
    return f"{len(task.outputs)} files" if task.completed else task.status.value


def explained(error: Error) -> Iterator[str]:
    """What an error says, line by line: the error itself, then each field that is wrong."""
    yield str(error)
    if isinstance(error, ApiError):
        yield from (f"{problem.field} {problem.problem}" for problem in error.errors)
