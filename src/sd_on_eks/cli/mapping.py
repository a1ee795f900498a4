"""``sdoneks map``: the jobs of a file, many at a time."""

import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
from pydantic import BaseModel, ConfigDict, ValidationError

from sd_on_eks.cli.following import offer_to_cancel
from sd_on_eks.cli.options import State, json_option, pass_state, timeout_option
from sd_on_eks.client import Output, Task
from sd_on_eks.describing import note
from sd_on_eks.errors import Error, JobError
from sd_on_eks.jobs import DEFAULT_PREFIX, Job, as_input, numbered
from sd_on_eks.mapping import CONCURRENCY, WINDOW

FILE_KEY = "file"
"""The one key of an object in a content that stands for a file to upload."""

NAME_BYTES = 6
"""Of the hash in a name that the file's content gives."""


class Line(BaseModel):
    """A line of the file: a job, as ``POST /v1alpha2/tasks`` takes it, in one flat object."""

    model_config = ConfigDict(extra="forbid", strict=True)

    tasktype: str
    content: dict[str, Any]
    id: str | None = None
    runtime: str | None = None
    prefix: str = DEFAULT_PREFIX
    context: Any = None
    deadline: int | None = None
    labels: dict[str, str] | None = None
    webhook: str | None = None


@dataclass
class Progress:
    """How many of the jobs have ended."""

    jobs: Sequence[Job]
    ended: int = 0


@click.command("map")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--name", help="Begin of the tasks' ids; by default the file's name and a hash of its content.")
@click.option(
    "--concurrency", type=click.IntRange(1, 256), default=CONCURRENCY, show_default=True, help="Tasks at a time."
)
@click.option("--runtime", help="Runtime of the lines that name none.")
@click.option("-o", "--output", "folder", type=click.Path(file_okay=False, path_type=Path), help="Save the files here.")
@timeout_option
@json_option
@pass_state
def map_jobs(
    state: State,
    *,
    file: Path,
    name: str | None,
    concurrency: int,
    runtime: str | None,
    folder: Path | None,
    timeout: float,
) -> None:
    """Run the jobs of FILE, a JSON object on each line, and print each task in their order when it has ended.

    A line has tasktype and content, and may have id, runtime, prefix, context, deadline, labels and webhook; in a
    content {"file": "cat.png"} stands for a file to upload. Repeated with the same file or --name, the command goes on
    where it was, and runs nothing twice. --timeout is for each task.
    """
    jobs = _numbered(_read(file, runtime), name or _name_of(file))
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
    progress = Progress(jobs)
    with _interruptible(state, progress, concurrency), state.screen.counter(len(jobs)) as counter:
        incomplete: Task | None = None
        for task in state.client.map(jobs, concurrency=concurrency, timeout=timeout):
            progress.ended += 1
            counter.add(task)
            _show(state, task, folder)
            incomplete = incomplete or (None if task.completed else task)
    if incomplete is not None:
        incomplete.checked()


def _read(file: Path, runtime: str | None) -> Iterator[Job]:
    """The jobs of the file. Raises JobError with the line's number; nothing has been sent then."""
    for number, text in enumerate(file.read_text("utf-8").splitlines(), start=1):
        if not text.strip():
            continue
        try:
            line = Line.model_validate_json(text)
            content = _with_files(line.content)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"])) or "the line"
            raise JobError(f"{file}, line {number}: {where}: {first['msg']}") from error
        except JobError as error:
            raise JobError(f"{file}, line {number}: {error}") from error
        yield Job(**{**dict(line), "content": content, "runtime": line.runtime or runtime})


def _numbered(jobs: Iterator[Job], name: str) -> list[Job]:
    found = list(numbered(jobs, name, {}))
    for task_id, count in Counter(job.id for job in found).items():
        if count > 1:
            raise JobError(f"the id {task_id!r} is on {count} lines")
    return found


def _name_of(file: Path) -> str:
    """A name that stays while the file does not change."""
    stem = "".join(letter if letter.isascii() and letter.isalnum() else "-" for letter in file.stem)[:20]
    return f"{stem}-{hashlib.blake2s(file.read_bytes(), digest_size=NAME_BYTES).hexdigest()}"


def _with_files(value: Any) -> Any:
    if isinstance(value, dict):
        if list(value) == [FILE_KEY] and isinstance(value[FILE_KEY], str):
            return as_input(Path(value[FILE_KEY]))
        return {name: _with_files(item) for name, item in value.items()}
    return [_with_files(item) for item in value] if isinstance(value, list) else value


def _show(state: State, task: Task, folder: Path | None) -> None:
    files = [str(_saved(output, folder)) for output in task.outputs] if folder is not None else []
    shown = task.model_dump(mode="json", by_alias=True)
    text = " ".join((task.id, task.status, *(files or [note(task)])))
    state.screen.value({**shown, "files": files} if folder is not None else shown, text)


def _saved(output: Output, folder: Path) -> Path:
    """Where the file is; one that an earlier run of the command saved is not fetched again."""
    path = folder / output.name
    return path if path.is_file() and path.stat().st_size == output.size else output.save(folder)


@contextmanager
def _interruptible(state: State, progress: Progress, concurrency: int) -> Iterator[None]:
    """Says where the command stopped, and on Ctrl-C offers to cancel what is under way."""
    try:
        yield
    except Error:
        if progress.ended < len(progress.jobs):
            state.screen.hint(
                f"stopped at {progress.jobs[progress.ended].id} after {progress.ended} of {len(progress.jobs)} tasks; "
                "the same command goes on from there"
            )
        raise
    except KeyboardInterrupt:
        begun = progress.jobs[progress.ended : progress.ended + WINDOW * concurrency]
        offer_to_cancel(
            state,
            [job.id for job in begun if job.id],
            "the tasks that are under way",
            again="the same command goes on from there",
        )
        raise
