"""Tells Kubernetes which pod to remove first: one that is busy costs more than one that is idle.

The cost is an annotation of the pod, which the ReplicaSet reads when it scales in. The Kubernetes API is spoken by
aiohttp, which is there anyway: the kubernetes package takes 39 MB of memory just to be imported.
"""

import asyncio
import logging
import ssl
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from types import TracebackType
from typing import Self

import aiohttp
from yarl import URL

log = logging.getLogger(__name__)

ANNOTATION = "controller.kubernetes.io/pod-deletion-cost"
"""See "Pod deletion cost" in the documentation of the ReplicaSet."""

IDLE_COST = 0
"""What a pod without the annotation costs too."""

BUSY_COST = 100

SETTLE_SECONDS = 10.0
"""A pod is called idle after this long without a task, so that one task after another is one write; the HPA, by whose
word pods are removed, looks every 15 s."""

WRITE_SECONDS = 10.0
"""For one request, from the connection to the answer."""

RETRY_PAUSES = (1.0, 5.0, 15.0, 60.0)
"""Seconds after the first, second, … refusal in a row; the last one from then on. A Role that is made after its pods
must not go unseen for ever."""

MAX_REASON_BYTES = 2048


@dataclass(frozen=True, kw_only=True)
class Pod:
    """This process's own pod, and how to speak of it.

    ``account`` is the folder with ``token`` and ``ca.crt`` as Kubernetes mounts them for a service account. The token
    changes every hour or so, and is read anew for every request.
    """

    api: URL
    namespace: str
    name: str
    account: Path


class _RefusedError(Exception):
    """The API server did not take the annotation; the text says why."""


class DeletionCost:
    """Keeps the annotation of one pod, for as long as the context lasts.

    ``busy`` and ``idle`` return at once and never raise: the write follows in the background, and only when the cost
    differs from what was written last. A write that fails is tried again until it is out of date.
    """

    def __init__(
        self,
        pod: Pod,
        *,
        settle: float = SETTLE_SECONDS,
        timeout: float = WRITE_SECONDS,
        pauses: tuple[float, ...] = RETRY_PAUSES,
    ) -> None:
        self._pod = pod
        self._settle = settle
        self._timeout = aiohttp.ClientTimeout(total=timeout)
        self._pauses = pauses
        self._wanted = IDLE_COST
        self._written: int | None = None
        self._failures = 0
        self._changed = asyncio.Event()
        self._keeper: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._keeper = asyncio.create_task(self._keep(), name="deletion cost")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._keeper:
            self._keeper.cancel()
            await asyncio.wait([self._keeper])

    def busy(self) -> None:
        """A task runs from now on."""
        self._want(BUSY_COST)

    def idle(self) -> None:
        """No task runs any more."""
        self._want(IDLE_COST)

    def _want(self, cost: int) -> None:
        self._wanted = cost
        self._changed.set()

    async def _keep(self) -> None:
        while True:
            self._changed.clear()
            wanted = self._wanted
            if wanted == self._written:
                await self._changed.wait()
            elif wanted == IDLE_COST and self._written == BUSY_COST and await self._busy_again():
                continue
            else:
                await self._write(wanted)

    async def _busy_again(self) -> bool:
        with suppress(TimeoutError):
            await asyncio.wait_for(self._changed.wait(), self._settle)
        return self._changed.is_set()

    async def _write(self, cost: int) -> None:
        try:
            await self._patch(cost)
        except (_RefusedError, aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            # What the pod costs is unknown now: a request without an answer may have been carried out.
            self._written = None
            pause = self._pauses[min(self._failures, len(self._pauses) - 1)]
            self._failures += 1
            log.log(
                logging.WARNING if self._failures == 1 else logging.DEBUG,
                "could not tell Kubernetes whether this pod is busy; an idle one may outlive it at scale-in",
                extra={"action": "deletion_cost", "cause": str(error) or type(error).__name__},
            )
            await asyncio.sleep(pause)
            return
        if self._failures:
            log.info("Kubernetes knows again whether this pod is busy", extra={"action": "deletion_cost"})
        self._failures = 0
        self._written = cost

    async def _patch(self, cost: int) -> None:
        pod = self._pod
        async with (
            aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(ssl=ssl.create_default_context(cafile=pod.account / "ca.crt")),
                timeout=self._timeout,
                trust_env=False,
            ) as session,
            session.patch(
                pod.api / "api/v1/namespaces" / pod.namespace / "pods" / pod.name,
                json={"metadata": {"annotations": {ANNOTATION: str(cost)}}},
                headers={
                    "Authorization": f"Bearer {(pod.account / 'token').read_text().strip()}",
                    "Content-Type": "application/merge-patch+json",
                },
                allow_redirects=False,  # the token is for this server only
            ) as answer,
        ):
            if answer.status != HTTPStatus.OK:
                reason = await answer.content.read(MAX_REASON_BYTES)
                raise _RefusedError(f"{answer.status} {reason.decode(errors='replace')}")
