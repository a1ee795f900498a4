"""What the agent sees of ComfyUI."""

import asyncio
import contextlib
import uuid
from collections.abc import Sequence
from functools import partial
from types import TracebackType
from typing import Any, Self

from aiohttp import ClientSession
from yarl import URL

from contract.runtimes import RuntimeType
from queue_agent.errors import AgentError, RuntimeFault
from queue_agent.runtimes.base import Job, Output, PreparedJob, Ran, Result, RunMonitor
from queue_agent.runtimes.comfyui.api import Api
from queue_agent.runtimes.comfyui.events import Events
from queue_agent.runtimes.comfyui.record import stored_files, with_places
from queue_agent.runtimes.comfyui.run import Run
from queue_agent.runtimes.comfyui.workflow import models, read_content, seeds

SOCKET_SECONDS = 1.0
"""How long a run waits for the events' connection. Without it the run is followed by polling alone."""


class Adapter:
    """One ComfyUI, fed one workflow at a time.

    Its one socket is opened when the adapter is entered and kept from task to task. Its prompts carry a client id of
    their own, which tells them from others' in the queue, even one that a cancelled run left behind.
    """

    def __init__(self, url: URL, session: ClientSession, *, dynamic_model: bool = False) -> None:  # noqa: ARG002 - a workflow always names its models
        client_id = uuid.uuid4().hex
        self._api = Api(url, session, client_id)
        self._events = Events(url, session, client_id)
        self._listening: asyncio.Task[None] | None = None
        self._version: str | None = None
        self._run: Run | None = None

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
        """Ready once /system_stats answers: ComfyUI opens its port once its nodes are loaded."""
        self._version = await self._api.version()

    async def prepare(self, job: Job) -> PreparedJob:
        """``content``: a workflow in API format, or ``{"prompt": workflow, "extra_data": …}``."""
        return PreparedJob(job, read_content(job.content))

    async def progress(self) -> float | None:
        """The share of the workflow's nodes that is done, the running one counted by its steps."""
        return self._run.watch.share if self._run else None

    async def interrupt(self) -> bool:
        """Interrupt this adapter's prompt, or take it from the queue when it has not started."""
        return await (self._run.interrupt() if self._run else self._api.stop())

    async def run(self, prepared: PreparedJob, monitor: RunMonitor) -> Result:
        run = self._run = Run(self._api, prepared.request)
        self._events.watch = run.watch
        try:
            if not await self._api.idle() and not await self._api.stop():
                raise RuntimeFault("busy", "ComfyUI does not stop an earlier task, so this one was not started")
            await self._events.connected(SOCKET_SECONDS)
            await run.upload(prepared.job.files)
            await run.post()
            monitor.begin()
            return await self._result(run, await run.end())
        finally:
            self._run = self._events.watch = None
            await run.clean()

    async def adopt(self, prepared: PreparedJob, job_ref: str, monitor: RunMonitor) -> Result | None:  # noqa: ARG002
        """Not yet: a job of an earlier process is stopped by ``run``."""
        return None

    async def _result(self, run: Run, record: dict[str, Any]) -> Result:
        files = stored_files(record)
        if self._version is None:
            with contextlib.suppress(AgentError):
                self._version = await self._api.version()

        def answer(keys: Sequence[str]) -> dict[str, Any]:
            return with_places(record, dict(zip(files, keys, strict=True)))

        return Result(
            outputs=[Output(partial(self._api.view, file), file.extension) for file in files],
            answer=answer,
            ran=Ran(
                runtime=RuntimeType.COMFYUI.value,
                version=self._version,
                model=models(run.request.workflow),
                seeds=seeds(run.request.workflow),
            ),
        )
