"""The one state that the agent keeps of its runtime: whether it is there, whether it works, whether it is trusted."""

import asyncio
import logging
from collections.abc import Callable
from enum import Enum

from contract.callback import Cause

log = logging.getLogger(__name__)

STARTING = Cause(type="starting", message="the runtime has not been asked yet")


class Phase(Enum):
    """What the runtime does for this agent."""

    AWAY = "away"
    """It does not take tasks: starting, gone, or working for somebody else."""
    SUSPECT = "suspect"
    """It answers, and failed at tasks of this agent: it takes none until a trial is due."""
    READY = "ready"
    """It would take a task now."""
    RUNNING = "running"
    """It works on a task of this agent."""


class RuntimeState:
    """Moves between the phases, logs each change once, and calls ``on_change`` after it.

    ``idle`` is set unless a task runs; ``taking`` while messages may be taken, because the runtime is ready or will be
    after the running task.
    """

    def __init__(self) -> None:
        self.phase = Phase.AWAY
        self.reason: Cause | None = STARTING
        self.idle = asyncio.Event()
        self.idle.set()
        self.taking = asyncio.Event()
        self.began = 0.0
        self._suspected: Cause | None = None
        self._listeners: list[Callable[[], None]] = []

    def on_change(self, listener: Callable[[], None]) -> None:
        """Call ``listener`` after every change."""
        self._listeners.append(listener)

    @property
    def running(self) -> bool:
        return self.phase is Phase.RUNNING

    def ready(self) -> None:
        """The runtime would take a task."""
        if self.phase is not Phase.READY:
            log.info("the runtime is ready", extra={"action": "ready"})
            self._enter(Phase.READY, None)

    def away(self, reason: Cause) -> None:
        """The runtime does not take tasks. The reason is logged when it is a new one."""
        if self.phase is not Phase.AWAY or reason != self.reason:
            log.warning(
                "the runtime is not ready; messages stay in the queue",
                extra={"action": "not_ready", "cause_type": reason.type, "cause": reason.message},
            )
            self._enter(Phase.AWAY, reason)

    def suspect(self, reason: Cause, pause: float) -> None:
        """The runtime failed at tasks: it takes none for ``pause`` seconds. A task that runs there now may end."""
        log.error(
            "the runtime fails; no task is taken until a trial",
            extra={"action": "suspect", "cause_type": reason.type, "cause": reason.message, "pause_s": pause},
        )
        if self.phase is Phase.RUNNING:
            self._suspected = reason
            self.taking.clear()
            self._notify()
        else:
            self._enter(Phase.SUSPECT, reason)

    def begin(self, *, already_running: bool = False) -> bool:
        """A task runs from now on; False, and nothing changes, when the runtime is not ready.

        One that is ``already_running`` there is why the runtime takes no other.
        """
        if not (self.phase is Phase.READY or already_running):
            return False
        self.began = asyncio.get_running_loop().time()
        self.idle.clear()
        self._enter(Phase.RUNNING, None)
        return True

    def end(self) -> None:
        """The task runs no more. The runtime counts as ready unless it was suspected meanwhile."""
        suspected, self._suspected = self._suspected, None
        if self.phase is Phase.RUNNING:
            self._enter(Phase.SUSPECT if suspected else Phase.READY, suspected)
        self.idle.set()

    def _enter(self, phase: Phase, reason: Cause | None) -> None:
        self.phase, self.reason = phase, reason
        if phase in {Phase.READY, Phase.RUNNING}:
            self.taking.set()
        else:
            self.taking.clear()
        self._notify()

    def _notify(self) -> None:
        for listener in self._listeners:
            listener()
