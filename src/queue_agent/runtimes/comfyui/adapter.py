"""What the agent sees of ComfyUI."""

import asyncio
import uuid
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from types import TracebackType
from typing import Any, Self

from aiohttp import ClientSession
from yarl import URL

from contract.runtimes import RuntimeType
from queue_agent.errors import AgentError, RuntimeBusy, RuntimeFault, RuntimeUnavailable
from queue_agent.runtimes.base import Job, Output, PreparedJob, Ran, Result, RunMonitor
from queue_agent.runtimes.comfyui.api import Api
from queue_agent.runtimes.comfyui.events import Events
from queue_agent.runtimes.comfyui.isolation import add_prefixes, check_isolated, has_prefix
from queue_agent.runtimes.comfyui.queue import CLIENT_PREFIX, Queue
from queue_agent.runtimes.comfyui.record import KEPT, Stored, stored_files, with_places
from queue_agent.runtimes.comfyui.run import Run
from queue_agent.runtimes.comfyui.uploads import Uploads
from queue_agent.runtimes.comfyui.workflow import models, read_content, seeds
from queue_agent.runtimes.http import SILENT
from queue_agent.runtimes.identify import mismatch
from queue_agent.runtimes.versions import check_version

SOCKET_SECONDS = 1.0
"""How long a run waits for the events' connection. Without it the run is followed by polling alone."""

DISCARD_SECONDS = 5.0


class Adapter:
    """One ComfyUI, fed one workflow at a time by one agent.

    Its one socket is opened when the adapter is entered and kept from task to task. Its prompts carry a client id of
    their own, which tells them from others' in the queue, even one that a cancelled run left behind. ComfyUI's queue
    is used: a workflow waits there behind others', and begins when ComfyUI says so.
    """

    def __init__(self, url: URL, session: ClientSession, *, dynamic_model: bool = False) -> None:  # noqa: ARG002 - a workflow always names its models
        client_id = f"{CLIENT_PREFIX}{uuid.uuid4().hex}"
        self._url = url
        self._session = session
        self._api = Api(url, session, client_id)
        self._queue = Queue(self._api, client_id)
        self._uploads = Uploads(self._api)
        self._events = Events(url, session, client_id)
        self._listening: asyncio.Task[None] | None = None
        self._swept = False
        self._run: Run | None = None
        self.version: str | None = None
        """ComfyUI's, once known."""

    async def __aenter__(self) -> Self:
        self._listening = asyncio.create_task(self._events.listen(), name="ComfyUI's events")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._listening is not None:
            self._listening.cancel()
            await asyncio.wait([self._listening])

    async def check_ready(self) -> None:
        """Ready once /system_stats answers (ComfyUI opens its port once its nodes are loaded) and nobody else's
        workflow runs or waits."""
        try:
            await self._learn_version()
            queued = await self._queue.read()
        except RuntimeUnavailable:
            raise
        except RuntimeFault as fault:
            if fault.type == SILENT:
                raise
            if hint := await mismatch(RuntimeType.COMFYUI, self._url, self._session):
                raise RuntimeFault("wrong-type", f"{fault.message}; {hint}") from fault
            raise
        foreign = [prompt for prompt in queued if not prompt.from_agent]
        if foreign and len(foreign) == len(queued):
            raise RuntimeBusy("busy", f"ComfyUI works for another client: its queue holds {len(foreign)} other prompts")

    async def prepare(self, job: Job) -> PreparedJob:
        """``content``: a workflow in API format, or ``{"prompt": workflow, "extra_data": …}``."""
        request = read_content(job.content)
        for path in job.files:
            request.put(path, "")  # a link, which its own upload replaces
        check_isolated(request.workflow)
        add_prefixes(request.workflow)
        return PreparedJob(job, request)

    async def progress(self) -> float | None:
        """The share of the workflow's nodes that is done, the running one counted by its steps."""
        return self._run.watch.share if self._run else None

    async def interrupt(self) -> bool:
        """Interrupt this adapter's prompt, or take it from the queue when it has not started."""
        return await (self._run.interrupt() if self._run else self._queue.stop())

    async def run(self, prepared: PreparedJob, monitor: RunMonitor) -> Result:
        """Queue the workflow, behind others' where there are some; it begins when ComfyUI executes it."""
        run = self._follow(prepared, monitor)
        try:
            if not await self._queue.idle() and not await self._queue.stop():
                raise RuntimeFault("busy", "ComfyUI does not stop an earlier task, so this one was not started")
            await self._clear_leftovers()
            await self._events.connected(SOCKET_SECONDS)
            await run.upload(prepared.job.files, self._uploads)
            await run.post()
            return await self._result(run, await run.end())
        finally:
            self._run = self._events.watch = None
            await self._uploads.clean()

    async def adopt(self, prepared: PreparedJob, job_ref: str, monitor: RunMonitor) -> Result | None:
        """Follow the prompt ``job_ref`` of an earlier process; None when ComfyUI does not know it any more."""
        run = self._follow(prepared, monitor)
        try:
            if not await run.follow(job_ref):
                return None
            monitor.accept(job_ref)
            return await self._result(run, await run.end())
        finally:
            self._run = self._events.watch = None

    def _follow(self, prepared: PreparedJob, monitor: RunMonitor) -> Run:
        run = self._run = Run(self._api, self._queue, prepared.request, monitor)
        self._events.watch = run.watch
        return run

    async def _clear_leftovers(self) -> None:
        """Once: stop the prompts and empty the files of an earlier process, which are nobody's any more."""
        if self._swept:
            return
        if not await self._queue.stop(leftovers=True):
            raise RuntimeFault("busy", "ComfyUI does not stop a task of an earlier process, so none was started")
        await self._uploads.sweep()
        self._swept = True

    async def _learn_version(self) -> None:
        version = await self._api.version()
        if version != self.version:
            check_version(RuntimeType.COMFYUI, version)
        self.version = version

    async def _result(self, run: Run, record: dict[str, Any]) -> Result:
        files = stored_files(record)
        if self.version is None:
            with suppress(AgentError):
                await self._learn_version()

        def answer(keys: Sequence[str]) -> dict[str, Any]:
            return with_places(record, dict(zip(files, keys, strict=True)))

        return Result(
            outputs=[Output(partial(self._api.view, file), file.extension) for file in files],
            answer=answer,
            ran=Ran(
                runtime=RuntimeType.COMFYUI.value,
                version=self.version,
                model=models(run.request.workflow),
                seeds=seeds(run.request.workflow),
            ),
            discard=partial(self._discard, [file for file in files if file.type == KEPT and has_prefix(file.filename)]),
        )

    async def _discard(self, files: Sequence[Stored]) -> None:
        """Empty the saved files: ComfyUI's API can overwrite and not remove. Files that another run may need from
        ComfyUI's cache stay."""
        with suppress(AgentError, TimeoutError):
            async with asyncio.timeout(DISCARD_SECONDS):
                for file in files:
                    await self._api.upload(file.filename, b"", subfolder=file.subfolder, folder=file.type)
