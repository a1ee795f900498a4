"""Keeps the runtime's state up to date: asks the runtime while no task runs, and judges the runs' ends."""

import asyncio
import logging

from contract.callback import Cause
from queue_agent.concurrency import set_within, within
from queue_agent.errors import PermanentError, RuntimeBusy, RuntimeFault, RuntimeUnavailable
from queue_agent.lifecycle.breaker import Breaker
from queue_agent.lifecycle.runtime_state import Phase, RuntimeState
from queue_agent.lifecycle.shutdown import Shutdown
from queue_agent.runtimes.base import Runtime
from queue_agent.settings import Timings

log = logging.getLogger(__name__)


class Readiness:
    """A run tells by itself whether the runtime is there, so it is asked only between runs."""

    def __init__(
        self, runtime: Runtime, state: RuntimeState, breaker: Breaker, away_limit: float, timings: Timings
    ) -> None:
        self._runtime = runtime
        self._state = state
        self._breaker = breaker
        self._away_limit = away_limit
        self._timings = timings
        self._away_since: float | None = None
        self._trial_at = 0.0

    @property
    def needs_restart(self) -> bool:
        """Whether the runtime's container should be restarted; what its liveness probe asks."""
        return self._breaker.needs_restart

    async def check(self) -> None:
        """Ask the runtime now. Raises RuntimeUnavailable when it has been away for longer than the limit."""
        try:
            await within(self._timings.ready_limit, self._runtime.check_ready())
            if self._state.running:
                return
        except RuntimeBusy as busy:
            self._away_since = None
            self._state.away(busy.cause)
        except RuntimeFault as fault:
            self._note_away(fault.cause)
        except TimeoutError:
            seconds = f"{self._timings.ready_limit:g} s"
            self._note_away(Cause(type="runtime-silent", message=f"the runtime did not answer within {seconds}"))
        else:
            self._note_there()

    async def watch(self, shutdown: Shutdown) -> None:
        """Keep the state true until the shutdown. Raises RuntimeUnavailable as ``check`` does."""
        while not shutdown.requested.is_set():
            if not self._state.running:
                await self.check()
            settled = self._state.phase in {Phase.READY, Phase.RUNNING}
            pause = self._timings.ready_poll if settled else self._timings.away_poll
            await set_within(shutdown.requested, pause)

    def succeeded(self) -> None:
        """A run completed."""
        self._breaker.succeeded()

    def failed(self, message_id: str, error: Exception) -> bool:
        """A run failed. Whether the failure is the runtime's alone, so that the run does not count."""
        if isinstance(error, RuntimeBusy):
            return True
        if isinstance(error, PermanentError):
            self._breaker.succeeded()
        if not isinstance(error, RuntimeFault):
            return False
        innocent = self._breaker.failed(message_id, error)
        if self._breaker.suspect:
            self._trial_at = asyncio.get_running_loop().time() + self._breaker.pause
            self._state.suspect(error.cause, self._breaker.pause)
        return innocent

    def _note_there(self) -> None:
        was_gone, self._away_since = self._away_since is not None, None
        if was_gone and self._breaker.suspect:
            self._breaker.restarted()
            self._trial_at = 0.0
        if self._breaker.suspect and asyncio.get_running_loop().time() < self._trial_at:
            return
        self._state.ready()

    def _note_away(self, reason: Cause) -> None:
        now = asyncio.get_running_loop().time()
        self._away_since = self._away_since if self._away_since is not None else now
        self._state.away(reason)
        if now - self._away_since > self._away_limit:
            raise RuntimeUnavailable(
                "runtime-away",
                f"the runtime was not ready for {self._away_limit:g} s: {reason.message}; "
                "see its own log, and RUNTIME_AWAY_LIMIT",
            )
