"""The task API's protocol: each verb as a Flow, the same for the synchronous and the asynchronous client."""

import json
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from http import HTTPStatus
from pathlib import Path
from typing import Any, BinaryIO, Generic, Self, TypeAlias, TypeVar
from urllib.parse import quote

from pydantic import ValidationError

from sd_on_eks.config import Config
from sd_on_eks.errors import Forbidden, JobError, NotFound, ProtocolError, WaitTimeout
from sd_on_eks.jobs import Job, media_type_of
from sd_on_eks.listing import Place
from sd_on_eks.models import OutputFields, Runtime, TaskFields, UploadPlace
from sd_on_eks.retrying import retry_after, send
from sd_on_eks.timings import Timings
from sd_on_eks.wire import Flow, Pause, Request, Response, Work

T = TypeVar("T", bound=TaskFields)

TASKS, FILES, RUNTIMES = "/v1alpha2/tasks", "/v1alpha2/files", "/v1alpha2/runtimes"

MAX_NAME = 64
"""Characters of an upload's name."""

ReadTask: TypeAlias = Callable[[Mapping[str, Any], str], T]
"""Makes a task of its JSON and its entity tag; the tag is empty where the answer has none."""


@dataclass(frozen=True, slots=True)
class Watch(Generic[T]):
    """A task whose changes are waited for. ``tag`` is the entity tag of the revision that is known, ``timeout`` in
    seconds, ``until`` of time.monotonic."""

    task: T
    tag: str
    timeout: float
    until: float

    @classmethod
    def begin(cls, task: T, tag: str, timeout: float) -> Self:
        return cls(task, tag, timeout, time.monotonic() + timeout)


class Protocol(Generic[T]):
    """Safe to use from many threads."""

    def __init__(self, config: Config, timings: Timings, read_task: ReadTask[T]) -> None:
        self._config = config
        self._timings = timings
        self._read_task = read_task
        self._runtimes: Sequence[Runtime] | None = None

    def submit(self, job: Job, hold: int = 0) -> Flow[T]:
        """The task of ``job``, which must have an id; with ``hold`` as it is when it ends within so many seconds."""
        runtime = yield from self._runtime_of(job)
        if job.files:
            # An upload has another link each time, so a repeated submission would look like another task.
            try:
                return (yield from self.read(job.id or ""))
            except NotFound:
                pass
        links: list[str] = []
        for file in job.files:
            link = yield from self.upload(file)
            links.append(link)
        body = _json(job.body(runtime, links))
        response = yield from self._call("POST", TASKS, body=body, hold=hold)
        return self._task(response)

    def run(self, job: Job, timeout: float) -> Flow[T]:
        """The task of ``job`` when it has ended. Raises WaitTimeout."""
        until = time.monotonic() + timeout
        task = yield from self.submit(job, self._hold(timeout))
        return task if task.status.ended else (yield from self._wait(task, until, timeout))

    def read(self, task_id: str) -> Flow[T]:
        """The task. Raises NotFound."""
        return self._task((yield from self._call("GET", task_path(task_id))))

    def wait(self, task: T, timeout: float) -> Flow[T]:
        """The task when it has ended. Raises WaitTimeout."""
        if task.status.ended:
            return task
        return (yield from self._wait(task, time.monotonic() + timeout, timeout))

    def change(self, watch: Watch[T]) -> Flow[Watch[T]]:
        """The task when it has changed; as it is now where it came from a list, without a tag. Raises WaitTimeout."""
        while (left := watch.until - time.monotonic()) > 0:
            known = {"If-None-Match": watch.tag} if watch.tag else {}
            hold = self._hold(left) if watch.tag else 0
            path = task_path(watch.task.id)
            response = yield from self._call("GET", path, headers=known, hold=hold, until=watch.until)
            if response.status != HTTPStatus.NOT_MODIFIED:
                return replace(watch, task=self._task(response), tag=response.headers.get("etag", ""))
            yield from self._poll(response, watch.until)
        raise WaitTimeout(watch.task, watch.timeout)

    def cancel(self, task_id: str) -> Flow[T]:
        """The task after the request to stop it: ended, or running until its pod has stopped it."""
        return self._task((yield from self._call("POST", f"{task_path(task_id)}/cancel")))

    def page(self, place: Place) -> Flow[tuple[list[T], Place]]:
        """The tasks at ``place``, and where the list goes on."""
        found = (yield from self._call("GET", f"{TASKS}?{place.query}")).json()
        tasks, cursor = _list(found, "tasks"), found.get("next")
        following = place.after(len(tasks), cursor if isinstance(cursor, str) else None)
        return [self._parsed(task, "") for task in tasks], following

    def runtimes(self) -> Flow[list[Runtime]]:
        """What the key may use, in the order of the platform's configuration."""
        found = (yield from self._call("GET", RUNTIMES)).json()
        return [_model(Runtime, runtime) for runtime in _list(found, "runtimes")]

    def upload(self, file: Path | bytes, name: str | None = None) -> Flow[str]:
        """Store a file for tasks to read; its ``s3://`` link. Raises JobError for a file that cannot be read."""
        try:
            data: bytes = file if isinstance(file, bytes) else (yield Work(file.read_bytes))
        except OSError as error:
            raise JobError(f"{str(file)!r} cannot be read: {error.strerror}") from error
        if not data:
            raise JobError(f"{str(file)!r} is empty" if isinstance(file, Path) else "the file is empty")
        asked = {"bytes": len(data), "name": file_name(name or (file.name if isinstance(file, Path) else "file"))}
        if media_type := media_type_of(Path(name) if name else file):
            asked["type"] = media_type
        place = _model(UploadPlace, (yield from self._call("POST", FILES, body=_json(asked))).json())
        put = Request(
            method=place.method, url=place.url, headers=place.headers, body=data, seconds=self._timings.answer
        )
        yield from send(put, self._timings)
        return place.s3

    def download(self, task_id: str, output: OutputFields, sink: BinaryIO | None = None) -> Flow[bytes]:
        """The file's bytes, or nothing where they went to ``sink``. Raises NotFound when it is gone."""
        if output.url:
            try:
                return (yield from self._get(output.url, sink))
            except (Forbidden, NotFound):
                pass  # the link or its credentials have expired, or the file is gone, as a new link shows
        path = f"{task_path(task_id)}/outputs/{output.n}"
        link = (yield from self._call("GET", path)).headers.get("location", "")
        try:
            return (yield from self._get(link, sink))
        except NotFound as error:
            gone = f"output {output.n} of task {task_id!r} is not in the bucket any more: {output.s3}"
            raise NotFound(error.status, gone) from error

    def save(self, task_id: str, output: OutputFields, path: Path) -> Flow[Path]:
        """Write the file to ``path``, or into the folder ``path`` under its own name; where it is. The file is there
        whole or not at all. Raises OSError."""
        target = path / output.name if path.is_dir() else path
        part = target.with_name(f".{target.name}.{uuid.uuid4().hex}.part")
        try:
            # In place, not as a step: a step that is dropped half-way could leave the file open.
            with part.open("wb") as sink:
                yield from self.download(task_id, output, sink)
            part.replace(target)
        finally:
            part.unlink(missing_ok=True)
        return target

    def _wait(self, task: T, until: float, timeout: float) -> Flow[T]:
        while (left := until - time.monotonic()) > 0:
            response = yield from self._call("GET", task_path(task.id), hold=self._hold(left), until=until)
            task = self._task(response)
            if task.status.ended:
                return task
            yield from self._poll(response, until)
        raise WaitTimeout(task, timeout)

    def _poll(self, response: Response, until: float) -> Flow[None]:
        """Pause before the next look, unless the API held the request."""
        if "wait" not in response.headers.get("preference-applied", ""):
            pause = retry_after(response) or self._timings.poll
            yield Pause(max(0.0, min(pause, self._timings.hold, until - time.monotonic())))

    def _hold(self, seconds: float) -> int:
        return int(min(self._timings.hold, seconds))

    def _runtime_of(self, job: Job) -> Flow[str]:
        if job.runtime:
            return job.runtime
        if self._runtimes is None:
            self._runtimes = yield from self.runtimes()
        names = [runtime.name for runtime in self._runtimes if job.tasktype in runtime.tasktypes]
        if len(names) == 1:
            return names[0]
        if names:
            raise JobError(
                f"several runtimes serve {job.tasktype}: {', '.join(names)}; name one, as in runtime={names[0]!r}"
            )
        there = ", ".join(f"{runtime.name} ({runtime.type})" for runtime in self._runtimes)
        raise JobError(f"no runtime serves {job.tasktype}; there are {there or 'none'}")

    def _call(
        self,
        method: str,
        path: str,
        *,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        hold: int = 0,
        until: float | None = None,
    ) -> Flow[Response]:
        """Send a request to the API, which holds it for ``hold`` seconds until the task has changed."""
        sent = {"x-api-key": self._config.api_key, "Accept": "application/json", **(headers or {})}
        if body is not None:
            sent["Content-Type"] = "application/json"
        if hold:
            sent["Prefer"] = f"wait={hold}"
        url, seconds = f"{self._config.endpoint}{path}", self._timings.answer + hold
        request = Request(method=method, url=url, headers=sent, body=body, seconds=seconds)
        return (yield from send(request, self._timings, until))

    def _get(self, url: str, sink: BinaryIO | None) -> Flow[bytes]:
        """What a signed link leads to; the key stays here."""
        request = Request(method="GET", url=url, seconds=self._timings.answer, sink=sink)
        return (yield from send(request, self._timings)).body

    def _task(self, response: Response) -> T:
        return self._parsed(response.json(), response.headers.get("etag", ""))

    def _parsed(self, found: Any, tag: str) -> T:
        try:
            return self._read_task(found, tag)
        except ValidationError as error:
            raise ProtocolError(f"the answer is no task: {_summary(error)}") from error


def task_path(task_id: str) -> str:
    """Raises JobError for an id that would lead elsewhere."""
    if not task_id.strip("."):
        raise JobError(f"{task_id!r} is not a task's id")
    return f"{TASKS}/{quote(task_id, safe='')}"


def file_name(name: str) -> str:
    """``name`` as the API takes it: its end, since that says the type."""
    kept = "".join(letter if letter.isascii() and (letter.isalnum() or letter in "._-") else "_" for letter in name)
    return kept[-MAX_NAME:] if kept.strip(".") else "file"


M = TypeVar("M", Runtime, UploadPlace)


def _model(kind: type[M], found: Any) -> M:
    try:
        return kind.model_validate(found)
    except ValidationError as error:
        raise ProtocolError(f"the answer is not what this API sends: {_summary(error)}") from error


def _list(found: Any, name: str) -> list[Any]:
    value = found.get(name) if isinstance(found, dict) else None
    if not isinstance(value, list):
        raise ProtocolError(f"the answer has no {name!r}; is the endpoint right?")
    return value


def _summary(error: ValidationError) -> str:
    first = error.errors()[0]
    return f"{'.'.join(map(str, first['loc']))}: {first['msg']}"


def _json(value: Any) -> bytes:
    """Raises JobError for what JSON cannot hold."""
    try:
        return json.dumps(value, allow_nan=False).encode()
    except (TypeError, ValueError) as error:
        raise JobError(f"the job cannot be sent as JSON: {error}") from error
