"""Whether the runtime would take a task now, and since when not."""

import asyncio
import logging

from queue_agent.errors import RuntimeFault, RuntimeUnavailable
from queue_agent.lifecycle.shutdown import Shutdown
from queue_agent.runtimes.base import Runtime

log = logging.getLogger(__name__)

READY_POLL_SECONDS = 5.0
"""While the runtime is idle and well: often enough to keep a crashed pod from taking messages for long."""

AWAY_POLL_SECONDS = 0.5
"""While it is away: a GPU that is ready again should not wait."""


class Readiness:
    """Watches the runtime while no task runs on it; a run tells by itself whether the runtime is there."""

    def __init__(self, runtime: Runtime, away_limit: float) -> None:
        self.ready = asyncio.Event()
        self.running = False
        self._runtime = runtime
        self._away_limit = away_limit
        self._away_since: float | None = None

    async def check(self) -> bool:
        """Ask the runtime now. Raises RuntimeUnavailable when it has been away for longer than the limit."""
        now = asyncio.get_running_loop().time()
        if await self._is_ready():
            if not self.ready.is_set():
                log.info("the runtime is ready", extra={"action": "ready"})
            self._away_since = None
            self.ready.set()
            return True
        if self.ready.is_set():
            log.warning("the runtime is not ready; messages stay in the queue", extra={"action": "not_ready"})
        self.ready.clear()
        self._away_since = self._away_since if self._away_since is not None else now
        if now - self._away_since > self._away_limit:
            raise RuntimeUnavailable(
                "runtime-away",
                f"the runtime was not ready for {self._away_limit:g} s; see its own log, and RUNTIME_AWAY_LIMIT",
            )
        return False

    async def _is_ready(self) -> bool:
        try:
            await self._runtime.check_ready()
        except RuntimeFault:
            return False
        return True

    async def watch(self, stop: Shutdown) -> None:
        """Keep ``ready`` true until the stop. Raises RuntimeUnavailable as check does."""
        while not stop.requested.is_set():
            ready = self.running or await self.check()
            await stop.pause(READY_POLL_SECONDS if ready else AWAY_POLL_SECONDS)
