"""One workflow on ComfyUI, from the upload of its files to its history record. A run lives for exactly one job."""

import asyncio
import logging
import uuid
from collections.abc import Mapping
from typing import Any

from queue_agent.errors import AgentError, Interrupted, RuntimeFault, RuntimeUnavailable
from queue_agent.runtimes.base import File, Path
from queue_agent.runtimes.comfyui.api import Api, Upload
from queue_agent.runtimes.comfyui.events import Watch, set_within
from queue_agent.runtimes.comfyui.record import ended_by_interrupt, ended_well, what_failed
from queue_agent.runtimes.comfyui.refusals import ignored_outputs, refusal
from queue_agent.runtimes.comfyui.workflow import Request

INPUT_FOLDER = "queue-agent"
"""Below ComfyUI's input folder. Each run has a subfolder of its own there, so that no loader that keeps results by file
name can serve an earlier task's file."""

FIRST_POLL, LAST_POLL, POLL_GROWTH = 0.5, 5.0, 1.5
"""Seconds between looks at the history while no event comes."""

GONE_SECONDS = 3.0
"""A ComfyUI that refuses connections for longer has died, and its prompt is lost however soon it is back."""

SILENT_SECONDS = 60.0
"""One that takes connections and does not answer may be loading a model from a cold bucket."""

CLEAN_SECONDS = 5.0

log = logging.getLogger(__name__)


class Run:
    """``watch`` collects what the events tell; ``request`` is what runs, with files' names where links were."""

    def __init__(self, api: Api, request: Request) -> None:
        self.request = request
        self.watch = Watch(str(uuid.uuid4()), len(request.workflow))
        self._api = api
        self._uploads: list[Upload] = []
        self._interrupted = False

    async def upload(self, files: Mapping[Path, File]) -> None:
        """Give ComfyUI the files, and the workflow their names."""
        subfolder = f"{INPUT_FOLDER}/{self.watch.prompt_id}"
        for number, (path, file) in enumerate(files.items(), start=1):
            upload = await self._api.upload(f"{number}-{file.name}", subfolder, file.data)
            self._uploads.append(upload)
            self.request.put(path, upload.input_name)

    async def post(self) -> None:
        """Queue the workflow. Raises PermanentError when ComfyUI refuses it, or a part of it."""
        if self._interrupted:
            raise _stopped()
        workflow = self.request.workflow
        taken, answer = await self._api.post_prompt(workflow, self.request.extra_data, self.watch.prompt_id)
        if not taken:
            raise refusal(workflow, answer)
        self.watch.prompt_id = str(
            answer.get("prompt_id", self.watch.prompt_id)
        )  # older versions give one of their own
        if answer.get("node_errors"):
            await self._api.stop()
            raise ignored_outputs(workflow, answer["node_errors"])

    async def end(self) -> dict[str, Any]:
        """Wait for the end and return the history record of a success."""
        record = await self._recorded()
        if ended_well(record):
            return record
        if not ended_by_interrupt(record):
            raise what_failed(self.request.workflow, record)
        if self._interrupted:
            raise _stopped()
        raise RuntimeFault("interrupted-elsewhere", "somebody else interrupted the workflow on this ComfyUI")

    async def interrupt(self) -> bool:
        """Stop it; from here on an interruption is this agent's own."""
        self._interrupted = True
        stopped = await self._api.stop()
        self.watch.hint.set()
        return stopped

    async def clean(self) -> None:
        """Empty the uploaded files: ComfyUI's API can overwrite, not delete. Never raises."""
        try:
            async with asyncio.timeout(CLEAN_SECONDS):
                for upload in self._uploads:
                    await self._api.upload(upload.name, upload.subfolder, b"")
        except (AgentError, TimeoutError) as error:
            log.warning("uploaded files stay on the runtime", extra={"action": "clean", "cause": str(error)})

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
            pause = min(pause * POLL_GROWTH, LAST_POLL)
            if record is not None:
                return record
            if not queued:
                raise _stopped() if self._interrupted else _forgotten()

    async def _look(self) -> tuple[dict[str, Any] | None, bool]:
        """The record if there is one, and whether the prompt is still in the queue. It may move while we look."""
        prompt_id = self.watch.prompt_id
        record = await self._api.record(prompt_id)
        if record is None and any(entry.prompt_id == prompt_id for entry in await self._api.queue()):
            return None, True
        return record or await self._api.record(prompt_id), False


def _stopped() -> Interrupted:
    return Interrupted("interrupted", "the workflow was interrupted on this agent's word")


def _forgotten() -> RuntimeUnavailable:
    return RuntimeUnavailable(
        "runtime-gone", "ComfyUI no longer knows the workflow: it was restarted, or somebody cleared its queue"
    )
