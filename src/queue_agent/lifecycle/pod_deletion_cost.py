"""Tells Kubernetes which pod to remove first: one that is busy costs more than one that is idle.

The cost is an annotation of the pod, which the ReplicaSet reads when it scales in. The Kubernetes API is spoken by
aiohttp, which is there anyway: the kubernetes package takes 39 MB of memory just to be imported.
"""

import asyncio
import logging
import ssl
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path

import aiohttp
from yarl import URL

from queue_agent.concurrency import any_set

log = logging.getLogger(__name__)

ANNOTATION = "controller.kubernetes.io/pod-deletion-cost"
"""See "Pod deletion cost" in the documentation of the ReplicaSet."""

IDLE_COST = 0
"""What a pod without the annotation costs too."""

BUSY_COST = 100
"""Plus a point for each second that the running task has taken so far."""

SPACING_SECONDS = 2.0
"""Between two writes: a pod that runs one short task after another must not flood the Kubernetes API."""

GROWTH_SECONDS = 15.0
"""A running task's cost is written again when it has grown by this: the HPA, which removes pods, looks every 15 s."""

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
    changes every hour or so, and is read again for every request.
    """

    api: URL
    namespace: str
    name: str
    account: Path


class _RefusedError(Exception):
    """The API server did not take the annotation; the text says why."""


class DeletionCost:
    """Keeps the annotation of one pod while ``keep`` runs.

    ``busy`` and ``idle`` return at once and never raise: the write follows in the background, and only when the cost
    differs from what was written last. A write that fails is tried again until it is out of date.
    """

    def __init__(
        self,
        pod: Pod,
        *,
        spacing: float = SPACING_SECONDS,
        growth: float = GROWTH_SECONDS,
        timeout: float = WRITE_SECONDS,
        pauses: tuple[float, ...] = RETRY_PAUSES,
    ) -> None:
        self._pod = pod
        self._spacing = spacing
        self._growth = growth
        self._timeout = aiohttp.ClientTimeout(total=timeout)
        self._pauses = pauses
        self._busy_since: float | None = None
        self._written: int | None = None
        self._failures = 0
        self._changed = asyncio.Event()

    def busy(self) -> None:
        """A task runs from now on."""
        self._busy_since = asyncio.get_running_loop().time()
        self._changed.set()

    def idle(self) -> None:
        """No task runs any more."""
        self._busy_since = None
        self._changed.set()

    async def keep(self) -> None:
        """Write the cost whenever it has changed, until cancelled."""
        while True:
            self._changed.clear()
            cost = self._cost()
            if self._differs(cost):
                await self._write(cost)
                await asyncio.sleep(self._spacing)
            else:
                await any_set(self._changed, seconds=None if self._busy_since is None else self._growth)

    def _cost(self) -> int:
        """Grows with the work that would be lost."""
        if self._busy_since is None:
            return IDLE_COST
        return BUSY_COST + int(asyncio.get_running_loop().time() - self._busy_since)

    def _differs(self, cost: int) -> bool:
        if self._written is None or (cost == IDLE_COST) != (self._written == IDLE_COST):
            return self._written != cost
        return abs(cost - self._written) >= self._growth

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
                "could not report to Kubernetes whether this pod is busy; an idle one may outlive it at scale-in",
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
