"""What the agent sees of InvokeAI: one batch at a time, awaited, and its images.

Facts are from the recordings of 6.14.2 (``test/events/invokeai-6.14.2``) and InvokeAI's public source: a queue item
shows its session only once it ended, ``item_ids`` come newest first, ``source_prepared_mapping`` holds sets (no order),
and a server that starts again marks what was running as canceled.
"""

import asyncio
import copy
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import partial
from types import TracebackType
from typing import Any, Self

from aiohttp import ClientSession
from yarl import URL

from contract.runtimes import RuntimeType
from queue_agent.errors import AgentError, RuntimeBusy, RuntimeFault
from queue_agent.runtimes.base import Job, Output, Path, PreparedJob, Ran, Result, RunMonitor
from queue_agent.runtimes.identify import mismatch
from queue_agent.runtimes.invokeai.api import NOT_SERVED, Api
from queue_agent.runtimes.invokeai.batch import BATCH_PREFIX, Batch, cancel_leftovers, pauses, wanted_batch
from queue_agent.runtimes.invokeai.cache import uncached
from queue_agent.runtimes.invokeai.leftovers import Leftovers, delete_images
from queue_agent.runtimes.invokeai.session import made_images, main_models, seeds, with_places
from queue_agent.runtimes.invokeai.uploads import Uploads
from queue_agent.runtimes.versions import check_version

STOP_SECONDS = 15.0
"""A denoising step or a node that is under way is not cut short; a caller that can wait for a longer one asks again."""


class Adapter:
    """One InvokeAI, fed one batch at a time by one agent. Its queue is used: a batch waits there behind others', and
    begins when InvokeAI says so."""

    def __init__(self, url: URL, session: ClientSession, *, dynamic_model: bool = False) -> None:  # noqa: ARG002 - a graph always names its models
        self._url = url
        self._session = session
        self._api = Api(url, session)
        self._uploads = Uploads(self._api)
        self._leftovers = Leftovers(self._api)
        self._batch: Batch | None = None
        self._swept = False
        self.version: str | None = None
        """InvokeAI's, once known."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """The session is the caller's."""
        await self._leftovers.close()

    async def check_ready(self) -> None:
        """Ready while the queue answers, its processor is not paused, and nobody else's item is in progress."""
        try:
            status = await self._api.queue_status()
        except RuntimeFault as fault:
            hint = await mismatch(RuntimeType.INVOKEAI, self._url, self._session) if fault.type == NOT_SERVED else None
            if hint:
                raise RuntimeFault("wrong-type", f"{fault.message}; {hint}") from fault
            raise
        processor, queue = status.get("processor"), status.get("queue")
        if not isinstance(processor, dict) or not isinstance(queue, dict):
            raise RuntimeFault("bad-answer", "this is no InvokeAI 6: its queue's status names no processor")
        if not processor.get("is_started"):
            raise RuntimeFault("paused", "InvokeAI's queue is paused; resume its processor")
        current = queue.get("batch_id")
        if current is not None and not str(current).startswith(BATCH_PREFIX):
            raise RuntimeBusy("busy", f"InvokeAI works for another client: item {queue.get('item_id')} is in progress")
        await self._learn_version()

    async def prepare(self, job: Job) -> PreparedJob:
        wanted_batch(job.content)
        return PreparedJob(job)

    async def run(self, prepared: PreparedJob, monitor: RunMonitor) -> Result:
        """Run ``{"graph": …}``, or ``{"batch": …}`` with all its items, behind others' where there are some. Every
        image that is not intermediate is an output."""
        job = prepared.job
        await self._stop_earlier()
        batch = self._batch = Batch(self._api)
        try:
            uploads = await self._uploads.give(job.files)
            wanted, place = wanted_batch(_with_names(job.content, uploads))
            await batch.enqueue(uncached(wanted), job.id, place=place)
            monitor.accept(batch.id)
            return await self._end(batch, monitor)
        finally:
            await self._uploads.clean()

    async def adopt(self, prepared: PreparedJob, job_ref: str, monitor: RunMonitor) -> Result | None:  # noqa: ARG002 - it runs already
        """Follow the batch ``job_ref`` of an earlier process; None when InvokeAI does not know it any more."""
        items = [item["item_id"] for item in await self._api.items() if item.get("batch_id") == job_ref]
        if not items:
            return None
        batch = self._batch = Batch(self._api, id=job_ref, items=sorted(items))
        monitor.accept(batch.id)
        return await self._end(batch, monitor)

    async def interrupt(self) -> bool:
        """Cancel our items and see them leave the processor."""
        batch = self._batch
        try:
            async with asyncio.timeout(STOP_SECONDS):
                if batch is None:
                    await self._api.queue_status()
                    return True
                batch.interrupted = True
                await batch.cancel()
                for pause in pauses():
                    if not await batch.is_busy():
                        break
                    await asyncio.sleep(pause)
        except (AgentError, TimeoutError):
            return False
        return True

    async def progress(self) -> float | None:
        """The share of the batch's items that ended. None for a single one: InvokeAI tells nothing before its end."""
        return self._batch.share if self._batch else None

    async def _stop_earlier(self) -> None:
        """Cancel what an earlier run left: items outlive a run that was cancelled, and waiting ones even a restart.
        Once, also what an earlier process left."""
        if self._batch is not None:
            with suppress(AgentError):
                await self._batch.cancel()
        if not self._swept:
            await cancel_leftovers(self._api)
            await self._uploads.sweep()
            self._swept = True

    async def _end(self, batch: Batch, monitor: RunMonitor) -> Result:
        """Wait for the batch; what it gave."""
        try:
            await self._learn_version()
            await batch.wait(monitor)
            items = await self._api.items_of(batch.items)
        except AgentError:
            self._leftovers.clear(batch)  # first: what follows may be cancelled
            with suppress(AgentError):
                await batch.cancel()
            raise
        except asyncio.CancelledError:
            if batch.interrupted:  # else a later process may adopt it
                self._leftovers.clear(batch)
            raise
        finally:
            batch.share = None
        self._batch = None
        return self._result(batch, items)

    async def _learn_version(self) -> None:
        if self.version is None:
            with suppress(AgentError):
                self.version = await self._api.version()
                if self.version is not None:
                    check_version(RuntimeType.INVOKEAI, self.version)

    def _result(self, batch: Batch, items: list[dict[str, Any]]) -> Result:
        sessions = [item["session"] for item in items]
        names = _names(sessions, intermediate=False) or _names(sessions, intermediate=True)
        model = next((model for session in sessions for model in main_models(session)), {})

        def answer(keys: Sequence[str]) -> dict[str, Any]:
            response = {"batch_id": batch.id, "items": items}
            placed: dict[str, Any] = with_places(response, dict(zip(names, keys, strict=True)))
            return placed

        return Result(
            outputs=[Output(partial(self._api.image, name)) for name in names],
            answer=answer,
            ran=Ran(
                runtime=RuntimeType.INVOKEAI.value,
                version=self.version,
                model=model.get("name"),
                model_hash=model.get("hash"),
                seeds=tuple(dict.fromkeys(seed for session in sessions for seed in seeds(session))),
            ),
            discard=partial(self._discard, items),
        )

    async def _discard(self, items: Sequence[Mapping[str, Any]]) -> None:
        """Delete the images that the items made, intermediate ones included."""
        with suppress(AgentError):
            await delete_images(self._api, items)


def _names(sessions: Sequence[Mapping[str, Any]], *, intermediate: bool) -> list[str]:
    """The images of all items, each once."""
    return list(dict.fromkeys(name for session in sessions for name in made_images(session, intermediate=intermediate)))


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
