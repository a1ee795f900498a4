"""One workflow on ComfyUI, from the upload of its files to its history record. A run lives for exactly one job."""

import asyncio
import uuid
from collections.abc import Mapping
from typing import Any

from queue_agent.concurrency import set_within
from queue_agent.errors import Interrupted, RuntimeFault, RuntimeUnavailable
from queue_agent.runtimes.base import File, Path, RunMonitor
from queue_agent.runtimes.comfyui.api import Api
from queue_agent.runtimes.comfyui.events import Watch
from queue_agent.runtimes.comfyui.queue import Queue
from queue_agent.runtimes.comfyui.record import cached_files, ended_by_interrupt, ended_well, stored_files, what_failed
from queue_agent.runtimes.comfyui.refusals import ignored_outputs, refusal
from queue_agent.runtimes.comfyui.uploads import Uploads
from queue_agent.runtimes.comfyui.workflow import Request

FIRST_POLL, LAST_POLL, POLL_GROWTH = 0.5, 5.0, 1.5
"""Seconds between looks at the history while no event comes."""

GONE_SECONDS = 3.0
"""A ComfyUI that refuses connections for longer has died, and its prompt is lost however soon it is back."""

SILENT_SECONDS = 60.0
"""One that takes connections and does not answer may be loading a model from a cold bucket."""


class Run:
    """``watch`` collects what the events say; ``request`` is what runs, with files' names where links were."""

    def __init__(self, api: Api, queue: Queue, request: Request, monitor: RunMonitor) -> None:
        self.request = request
        self.watch = Watch(str(uuid.uuid4()), len(request.workflow), self._begin)
        self._api = api
        self._queue = queue
        self._monitor = monitor
        self._interrupted = False
        self._has_events = True

    async def upload(self, files: Mapping[Path, File], uploads: Uploads) -> None:
        """Give ComfyUI the files, and the workflow their names."""
        for path, file in files.items():
            self.request.put(path, await uploads.give(file))

    async def post(self) -> None:
        """Queue the workflow. Raises PermanentError when ComfyUI refuses it, or a part of it."""
        if self._interrupted:
            raise _stopped()
        workflow = self.request.workflow
        taken, answer = await self._api.post_prompt(workflow, self.request.extra_data, self.watch.prompt_id)
        if not taken:
            raise refusal(workflow, answer)
        # older versions give an id of their own
        self.watch.prompt_id = str(answer.get("prompt_id", self.watch.prompt_id))
        if answer.get("node_errors"):
            await self._queue.stop()
            raise ignored_outputs(workflow, answer["node_errors"])
        self._monitor.accept(self.watch.prompt_id)

    async def follow(self, prompt_id: str) -> bool:
        """Take up a prompt of an earlier process: whether ComfyUI still knows it. Its events go to that process's
        client id, so it is followed by polling."""
        self.watch.prompt_id = self._queue.adopted = prompt_id
        self._has_events = False
        record, queued = await self._look()
        return record is not None or queued

    async def end(self) -> dict[str, Any]:
        """Wait for the end and return the history record of a success."""
        record = await self._recorded()
        self._monitor.begin()
        if ended_well(record):
            await self._check_cached(record)
            return record
        if not ended_by_interrupt(record):
            raise what_failed(self.request.workflow, record)
        if self._interrupted:
            raise _stopped()
        raise RuntimeFault("interrupted-elsewhere", "another client interrupted the workflow on this ComfyUI")

    async def interrupt(self) -> bool:
        """Stop it; from here on an interruption is this agent's own."""
        self._interrupted = True
        stopped = await self._queue.stop()
        self.watch.hint.set()
        return stopped

    def _begin(self, just_now: bool) -> None:  # noqa: FBT001 - as Watch calls it
        """The queue is looked at too seldom to know for how long the prompt waited there; its first event tells."""
        if just_now:
            self._monitor.wait()
        self._monitor.begin()

    async def _check_cached(self, record: Mapping[str, Any]) -> None:
        """Raise RuntimeFault when a file of a node that did not run is gone. ComfyUI would give the same again, so it
        is asked to forget its results first."""
        cached = cached_files(record)
        for stored in stored_files(record):
            if stored in cached and not await self._api.exists(stored):
                await self._api.forget_results()
                raise RuntimeFault(
                    "output-lost",
                    f"ComfyUI kept the result of an earlier run, whose file {stored.filename} is gone; it was made to "
                    "forget it, so that another run makes the file again",
                )

    async def _recorded(self) -> dict[str, Any]:
        """The history record, asked for whenever an event hints at it, and with growing pauses without events."""
        clock = asyncio.get_running_loop().time
        away_since: float | None = None
        pause = FIRST_POLL
        while True:
            if await set_within(self.watch.hint, pause):
                self.watch.hint.clear()
            asked = clock()
            try:
                record, queued = await self._look()
            except RuntimeFault as fault:
                away_since = away_since or asked
                if clock() - away_since > (GONE_SECONDS if isinstance(fault, RuntimeUnavailable) else SILENT_SECONDS):
                    raise
                pause = FIRST_POLL
                continue
            away_since = None
            if self._has_events:
                pause = min(pause * POLL_GROWTH, LAST_POLL)
            if record is not None:
                return record
            if not queued:
                raise _stopped() if self._interrupted else _forgotten()

    async def _look(self) -> tuple[dict[str, Any] | None, bool]:
        """The record if there is one, and whether the prompt is still in the queue. It may move while we look."""
        prompt_id = self.watch.prompt_id
        record = await self._api.record(prompt_id)
        if record is not None:
            return record, False
        ours = [queued for queued in await self._queue.read() if queued.prompt_id == prompt_id]
        if any(queued.running for queued in ours):
            self._monitor.begin()
        elif ours:
            self._monitor.wait()
        return (None, True) if ours else (await self._api.record(prompt_id), False)


def _stopped() -> Interrupted:
    return Interrupted("interrupted", "the workflow was interrupted on this agent's word")


def _forgotten() -> RuntimeUnavailable:
    return RuntimeUnavailable(
        "runtime-gone", "ComfyUI no longer knows the workflow: it was restarted, or another client cleared its queue"
    )
