"""What the agent sees of InvokeAI: one batch at a time, awaited, and its pictures.

Facts are from the recordings of 6.14.2 (``test/events/invokeai-6.14.2``) and InvokeAI's public source: a queue item
shows its session only once it ended, ``item_ids`` come newest first, ``source_prepared_mapping`` holds sets (no order),
and a server that starts again marks what was running as canceled.
"""

import asyncio
import copy
import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from types import TracebackType
from typing import Any, Self
from uuid import uuid4

from aiohttp import ClientSession
from yarl import URL

from contract.errors import shown
from contract.runtimes import RuntimeType
from queue_agent.errors import AgentError, Interrupted, PermanentError, RuntimeFault, RuntimeUnavailable
from queue_agent.runtimes.base import File, Job, Output, Path, PreparedJob, Ran, Result, RunMonitor
from queue_agent.runtimes.invokeai.api import Api
from queue_agent.runtimes.invokeai.faults import dotted, failure
from queue_agent.runtimes.invokeai.session import main_models, pictures, seeds, with_places

ORIGIN = "queue-agent"
"""What our batches are marked with, for a person who looks at InvokeAI's queue."""

STOP_SECONDS = 15.0
"""A denoising step or a node that is under way is not cut short; a caller that can wait for a longer one asks again."""

SHORTEST_PAUSE, LONGEST_PAUSE, PAUSE_SHARE = 0.02, 1.0, 0.05
"""Between two looks at a batch: a twentieth of the time that it took so far, in these limits (seconds), so that a short
job is not kept waiting and a long one is not asked for nothing."""

log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Batch:
    """One job in InvokeAI's queue. ``share`` is how much of it ended, while that is known."""

    id: str = field(default_factory=lambda: str(uuid4()))
    items: list[int] = field(default_factory=list)
    interrupted: bool = False
    share: float | None = None


class Adapter:
    """InvokeAI beside the agent."""

    def __init__(self, url: URL, session: ClientSession, *, dynamic_model: bool = False) -> None:  # noqa: ARG002 - a graph always names its models
        self._api = Api(url, session)
        self._batch: _Batch | None = None
        self._version: str | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """The session is the caller's; nothing else is held."""

    async def check_ready(self) -> None:
        """Ready while the queue answers and its processor is not paused."""
        processor = (await self._api.queue_status()).get("processor")
        if not isinstance(processor, dict):
            raise RuntimeFault("bad-answer", "this is no InvokeAI 6: its queue's status names no processor")
        if not processor.get("is_started"):
            raise RuntimeFault("paused", "InvokeAI's queue is paused; resume its processor")

    async def prepare(self, job: Job) -> PreparedJob:
        return PreparedJob(job)

    async def run(self, prepared: PreparedJob, monitor: RunMonitor) -> Result:
        """Run ``{"graph": …}``, or ``{"batch": …}`` with all its items. Every picture that is not intermediate is an
        output."""
        job = prepared.job
        await self._stop_leftover()
        batch = self._batch = _Batch()
        uploads: dict[Path, str] = {}
        try:
            for path, file in job.files.items():
                uploads[path] = await self._upload(path, file)
            await self._enqueue(batch, job, uploads)
            monitor.begin()
            await self._learn_version()
            await self._wait(batch)
            items = [await self._api.item(item) for item in batch.items]
        except AgentError:
            with suppress(AgentError):
                await self._cancel(batch)
            raise
        finally:
            batch.share = None
            await self._delete(list(uploads.values()))
        self._batch = None
        return self._result(batch, items)

    async def adopt(self, prepared: PreparedJob, job_ref: str, monitor: RunMonitor) -> Result | None:  # noqa: ARG002
        """Not yet: a job of an earlier process goes on by itself."""
        return None

    async def interrupt(self) -> bool:
        """Cancel our items and see them leave the processor."""
        batch = self._batch
        try:
            async with asyncio.timeout(STOP_SECONDS):
                if batch is not None:
                    batch.interrupted = True
                    await self._cancel(batch)
                for pause in _pauses():
                    if not await self._is_busy(batch):
                        break
                    await asyncio.sleep(pause)
        except (AgentError, TimeoutError):
            return False
        return True

    async def progress(self) -> float | None:
        """The share of the batch's items that ended. None for a single one: InvokeAI tells nothing before its end."""
        return self._batch.share if self._batch else None

    async def _stop_leftover(self) -> None:
        """Cancel what an earlier run left: items outlive a run that was cancelled, and waiting ones even a restart."""
        if self._batch is not None:
            with suppress(AgentError):
                await self._cancel(self._batch)

    async def _upload(self, path: Path, file: File) -> str:
        try:
            return await self._api.upload(file)
        except PermanentError as fault:
            hint = "link to a PNG, JPEG or WebP picture"
            raise PermanentError(fault.type, f"content.{dotted(path)}: {fault.message}; {hint}") from fault

    async def _delete(self, names: list[str]) -> None:
        """Delete the uploads, which are no results. What stays is an intermediate picture, which InvokeAI can clear."""
        if not names:
            return
        try:
            await self._api.delete(names)
        except AgentError as error:
            log.warning("uploaded files stay on the runtime", extra={"action": "clean", "cause": str(error)})

    async def _enqueue(self, batch: _Batch, job: Job, uploads: Mapping[Path, str]) -> None:
        content = _with_names(job.content, uploads)
        wrapped = "batch" in content
        wanted = content["batch"] if wrapped else content
        if not isinstance(wanted, dict) or not isinstance(wanted.get("graph"), dict):
            raise PermanentError(
                "content",
                'content: must be {"graph": {"nodes": …, "edges": …}}, or {"batch": {"graph": …, "runs": …}} as '
                f"InvokeAI's enqueue_batch takes it, got the keys {shown(sorted(content))}",
            )
        if batch.interrupted:
            raise _stopped()
        ours = {"batch_id": batch.id, "origin": ORIGIN, "destination": wanted.get("destination") or job.id}
        answer = await self._api.enqueue({"runs": 1, **wanted, **ours}, place="content.batch" if wrapped else "content")
        batch.items = sorted(answer["item_ids"])
        enqueued, requested = answer["enqueued"], answer["requested"]
        if not requested:
            raise PermanentError(
                "content", "content.batch.data: makes no queue item, because one of its lists is empty"
            )
        if enqueued < requested:
            raise RuntimeFault("queue-full", f"InvokeAI took {enqueued} of {requested} items; its queue is full")

    async def _learn_version(self) -> None:
        if self._version is None:
            with suppress(AgentError):
                self._version = await self._api.version()

    async def _wait(self, batch: _Batch) -> None:
        """Return when all items completed; raise when one did not."""
        for pause in _pauses():
            status = await self._api.batch_status(batch.id)
            total, ended = status["total"], status["completed"] + status["failed"] + status["canceled"]
            if batch.interrupted and status["completed"] < total:
                raise _stopped()
            if status["failed"]:
                raise await self._failure(batch)
            if status["canceled"] or not total:
                raise RuntimeUnavailable(
                    "runtime-gone",
                    "InvokeAI dropped the graph: it was restarted, or somebody canceled it or cleared its queue",
                )
            if ended == total:
                return
            batch.share = ended / total if total > 1 else None
            await asyncio.sleep(pause)

    async def _failure(self, batch: _Batch) -> AgentError:
        for item_id in batch.items:
            item = await self._api.item(item_id)
            if item["status"] == "failed":
                return failure(item)
        return RuntimeFault("runtime-error", "an item of the batch failed, and InvokeAI does not show which")

    async def _cancel(self, batch: _Batch) -> None:
        """Last first, so that none of ours starts in between. The batch's id finds the items of an answer that never
        came."""
        if not batch.items:
            await self._api.cancel_batch(batch.id)
        for item_id in reversed(batch.items):
            await self._api.cancel_item(item_id)

    async def _is_busy(self, batch: _Batch | None) -> bool:
        """A canceled item is in progress no more, but its node may still run: then something is processed that has no
        name. What has another name is not ours."""
        status = await self._api.queue_status()
        current = status["queue"]["batch_id"]
        return batch is not None and status["processor"]["is_processing"] and current in (None, batch.id)

    def _result(self, batch: _Batch, items: list[dict[str, Any]]) -> Result:
        sessions = [item["session"] for item in items]
        names = _names(sessions, intermediate=False) or _names(sessions, intermediate=True)
        model = next((model for session in sessions for model in main_models(session)), {})

        def answer(keys: Sequence[str]) -> dict[str, Any]:
            told = {"batch_id": batch.id, "items": items}
            placed: dict[str, Any] = with_places(told, dict(zip(names, keys, strict=True)))
            return placed

        return Result(
            outputs=[Output(partial(self._api.picture, name)) for name in names],
            answer=answer,
            ran=Ran(
                runtime=RuntimeType.INVOKEAI.value,
                version=self._version,
                model=model.get("name"),
                model_hash=model.get("hash"),
                seeds=tuple(dict.fromkeys(seed for session in sessions for seed in seeds(session))),
            ),
        )


def _names(sessions: Sequence[Mapping[str, Any]], *, intermediate: bool) -> list[str]:
    """The pictures of all items, each once: InvokeAI's cache gives two equal nodes one picture."""
    return list(dict.fromkeys(name for session in sessions for name in pictures(session, intermediate=intermediate)))


def _stopped() -> Interrupted:
    return Interrupted("interrupted", "the graph was interrupted on this agent's word")


def _pauses() -> Iterator[float]:
    clock = asyncio.get_running_loop().time
    begun = clock()
    while True:
        yield min(LONGEST_PAUSE, max(SHORTEST_PAUSE, PAUSE_SHARE * (clock() - begun)))


def _with_names(content: Mapping[str, Any], names: Mapping[Path, str]) -> dict[str, Any]:
    """A copy of the content with InvokeAI's names where the links were."""
    changed = copy.deepcopy(dict(content)) if names else dict(content)
    for path, name in names.items():
        *parents, last = path
        place: Any = changed
        for part in parents:
            place = place[part]
        place[last] = name
    return changed
