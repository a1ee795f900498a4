"""What the agent sees of the image kit: one request at a time, and the image or the text of its answer.

The image kit names its jobs as its callers ask for it, works on one at a time, and refuses others meanwhile. A job
whose caller leaves is stopped, so none outlives its agent.
"""

import asyncio
import binascii
import secrets
from collections.abc import Sequence
from contextlib import suppress
from types import TracebackType
from typing import Any, Self

import orjson
import pybase64
from aiohttp import ClientSession
from yarl import URL

from contract.image_kit import IMG, RESULT, image_problems
from contract.image_kit import URL as URL_FIELD
from contract.runtimes import RuntimeType, TaskType
from queue_agent.errors import AgentError, Interrupted, PermanentError, RuntimeBusy, RuntimeFault
from queue_agent.runtimes.base import Job, Output, PreparedJob, Ran, Result, RunMonitor
from queue_agent.runtimes.identify import mismatch
from queue_agent.runtimes.imagekit.api import API_MISSING, Api
from queue_agent.runtimes.versions import check_version

JOB_PREFIX = "agent-"
"""Of the jobs that agents name; others are somebody else's."""

ID_BYTES = 8

STOP_SECONDS = 15.0
"""A tile, or the text of a whole page, that is being worked on is not cut short; a caller that can wait for a longer
one asks again."""

FIRST_PAUSE, LAST_PAUSE, PAUSE_GROWTH = 0.02, 0.5, 1.5
"""Seconds between looks at what the image kit does."""


class Adapter:
    """Fulfils ``Runtime``. ``dynamic_model`` is for other types: the image kit's tasks name no models."""

    def __init__(self, url: URL, session: ClientSession, *, dynamic_model: bool = False) -> None:  # noqa: ARG002
        self._url = url
        self._session = session
        self._api = Api(url, session)
        self._job_id: str | None = None
        self._request: asyncio.Task[Any] | None = None
        self._stopped = False
        self.version: str | None = None
        """The image kit's, once known."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._forget_request()

    async def check_ready(self) -> None:
        """Ready once its models are loaded, and while it works for nobody else."""
        try:
            health = await self._api.health()
        except RuntimeFault as fault:
            hint = await mismatch(RuntimeType.IMAGEKIT, self._url, self._session) if fault.type == API_MISSING else None
            if hint:
                raise RuntimeFault("wrong-type", f"{fault.message}; {hint}") from fault
            raise
        job = health.get("job")
        if job is not None and not str(job).startswith(JOB_PREFIX):
            raise RuntimeBusy("busy", "the image kit works for another client")
        self._learn_version(health["image_kit"])

    async def prepare(self, job: Job) -> PreparedJob:
        problems = [f"content.{one.field}: {one.problem}" for one in image_problems(job.tasktype, job.content)]
        if problems:
            raise PermanentError("invalid-request", "; ".join(problems))
        return PreparedJob(job, _body(job))

    async def run(self, prepared: PreparedJob, monitor: RunMonitor) -> Result:
        """Send the request once the image kit is idle, and again when somebody else was faster: a refused one has cost
        nothing."""
        await self._forget_request()
        self._stopped = False
        while True:
            await self._wait_until_idle(monitor)
            try:
                answer = await self._answer_to(prepared, monitor)
                break
            except RuntimeBusy:
                continue
        if self.version is None:
            with suppress(AgentError):
                self._learn_version((await self._api.health())["image_kit"])
        return self._result(prepared.job, answer)

    async def adopt(self, prepared: PreparedJob, job_ref: str, monitor: RunMonitor) -> Result | None:  # noqa: ARG002
        """The image kit stops a job whose caller left."""
        return None

    async def interrupt(self) -> bool:
        """Stop our job and see that it is no longer worked on."""
        self._stopped = True
        try:
            async with asyncio.timeout(STOP_SECONDS):
                if self._job_id is not None:
                    await self._api.interrupt(self._job_id)
                return await self._seen_idle()
        except (AgentError, TimeoutError):
            return False

    async def _seen_idle(self) -> bool:
        """Wait until the image kit works on our job no longer."""
        while True:
            job = (await self._api.health()).get("job")
            if job is None or job != self._job_id:
                return True
            await asyncio.sleep(FIRST_PAUSE)

    async def progress(self) -> float | None:
        """Of super-resolution, tile by tile; None for the others, which take a moment, and while nothing runs."""
        if self._request is None or self._request.done():
            return None
        try:
            health = await self._api.health()
        except AgentError:
            return None
        done = health.get("progress")
        return float(done) if health.get("job") == self._job_id and isinstance(done, int | float) else None

    async def _wait_until_idle(self, monitor: RunMonitor) -> None:
        """Raises Interrupted on our word, RuntimeUnavailable when the image kit is not there."""
        pause = FIRST_PAUSE
        while (await self._api.health()).get("job") is not None:
            monitor.wait()
            if self._stopped:
                raise Interrupted("interrupted", "the job was interrupted before it began")
            await asyncio.sleep(pause)
            pause = min(pause * PAUSE_GROWTH, LAST_PAUSE)

    async def _answer_to(self, prepared: PreparedJob, monitor: RunMonitor) -> Any:
        """The answer. Raises RuntimeBusy when the request was refused because of another one."""
        job_id = self._job_id = f"{JOB_PREFIX}{secrets.token_hex(ID_BYTES)}"
        route = prepared.job.tasktype.value
        request = self._request = asyncio.create_task(self._api.run(route, prepared.request, job_id))
        # A refusal comes at once.
        await asyncio.wait([request], timeout=FIRST_PAUSE)
        if not request.done() or not isinstance(request.exception(), RuntimeBusy):
            monitor.accept(job_id)
            monitor.begin()
        # A cancelled run leaves the request open, so that interrupt sees when it has ended.
        try:
            return await asyncio.shield(request)
        finally:
            if request.done():
                self._request = None

    async def _forget_request(self) -> None:
        """Leave a request that a cancelled run has left open; the image kit then stops its job."""
        if self._request is not None:
            self._request.cancel()
            await asyncio.gather(self._request, return_exceptions=True)
            self._request = None

    def _learn_version(self, version: str) -> None:
        if version != self.version:
            check_version(RuntimeType.IMAGEKIT, version)
            self.version = version

    def _result(self, job: Job, answer: Any) -> Result:
        ran = Ran(runtime=RuntimeType.IMAGEKIT.value, version=self.version)
        if job.tasktype is TaskType.OCR:
            if not isinstance(answer, list):
                raise RuntimeFault("bad-answer", "the image kit's answer to /ocr is no list")
            text = orjson.dumps(answer, option=orjson.OPT_INDENT_2)
            return Result(outputs=(Output.of(text, "json"),), answer=lambda _: {RESULT: answer}, ran=ran)
        image = _image(answer)

        def with_place(places: Sequence[str]) -> dict[str, Any]:
            return {RESULT: places[0]}

        return Result(outputs=(Output.of(image),), answer=with_place, ran=ran, held_bytes=len(image))


def _body(job: Job) -> bytes:
    """The request as the image kit takes it, with what the agent fetched in place of its link."""
    content = dict(job.content)
    field = URL_FIELD if content.get(URL_FIELD) else IMG
    if file := job.files.get((field,)):
        content.pop(URL_FIELD, None)
        content[IMG] = pybase64.b64encode_as_string(file.data)
    try:
        return orjson.dumps(content)
    except orjson.JSONEncodeError as error:
        raise PermanentError("invalid-request", f"the content cannot be written as JSON: {error}") from error


def _image(answer: Any) -> bytes:
    text = answer.get(RESULT) if isinstance(answer, dict) else None
    try:
        return pybase64.b64decode(text or "-", validate=True)
    except (binascii.Error, TypeError, ValueError) as error:
        raise RuntimeFault("bad-answer", "the image kit's answer holds no image") from error
