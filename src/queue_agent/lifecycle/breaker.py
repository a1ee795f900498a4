"""Whether the runtime, rather than its tasks, is to blame for failures."""

from collections.abc import Sequence

from queue_agent.errors import RuntimeFault, RuntimeHung

FAILURES_IN_A_ROW = 2
"""Different tasks that failed with nothing completed in between. One may be the task's own doing; two are not."""

TRIALS_BEFORE_RESTART = 3
"""Failed trials after which only a restart of the runtime's container can help."""


class Breaker:
    """Judges runs. ``pauses`` are those of ``Timings.trial_pauses``.

    While ``suspect`` the next run is a trial; ``needs_restart`` once trials were in vain.
    """

    def __init__(self, pauses: Sequence[float]) -> None:
        self._pauses = pauses
        self._failed: set[str] = set()
        self._trips = 0
        self._tripped_by: str | None = None
        self._hung = False

    @property
    def suspect(self) -> bool:
        return self._trips > 0

    @property
    def needs_restart(self) -> bool:
        return self._hung or self._trips > TRIALS_BEFORE_RESTART

    @property
    def pause(self) -> float:
        """Seconds until the next trial: the longest one for a runtime that hangs, since its trial would hang, too."""
        if self._hung:
            return self._pauses[-1]
        return self._pauses[min(self._trips, len(self._pauses)) - 1] if self._trips else 0.0

    def succeeded(self) -> None:
        """A run completed, or failed by its own fault: the runtime works."""
        self._failed.clear()
        self._trips, self._tripped_by, self._hung = 0, None, False

    def failed(self, message_id: str, fault: RuntimeFault) -> bool:
        """A run failed by the runtime's fault. Whether the task is innocent of it, so that the run does not count.

        A task that tripped the breaker and fails again in its trial may break the runtime itself, and one that hangs
        may hang anywhere: their runs count.
        """
        trial = self.suspect
        self._failed.add(message_id)
        self._hung = self._hung or isinstance(fault, RuntimeHung)
        if not (trial or fault.broken or len(self._failed) >= FAILURES_IN_A_ROW):
            return False
        innocent = self._tripped_by != message_id and not isinstance(fault, RuntimeHung)
        self._trips += 1
        self._tripped_by = message_id
        return innocent

    def restarted(self) -> None:
        """The runtime was gone and is back: what comes next is a trial, and it need not be restarted for the past."""
        self._failed.clear()
        self._hung = False
        self._trips = min(self._trips, 1)
