"""Everything that can go wrong with a task, by whose fault it is. The fault decides what becomes of the message
(outcome/disposition.py) and what is suspected: the task, the runtime, or AWS.

AgentError
├── PermanentError           the task itself: it would fail anywhere, so it fails at once
│   └── TaskTimeout          it ran longer than a task may
├── TransientError           worth another run, for at most so many runs
│   ├── RuntimeFault         the runtime failed at the task; several in a row make the runtime suspect
│   │   ├── RuntimeHung          it goes on with a task that was to stop; only a restart helps
│   │   └── RuntimeUnavailable   it cannot be reached, died, or does not take jobs now
│   │       └── RuntimeBusy      it works for another client; nothing was begun, so nothing is counted
│   ├── LinkUnavailable      the server of a link cannot be reached now, or not from here
│   └── AwsError             an AWS call failed; what is held is kept, and the call is repeated
│       └── AwsDenied        AWS refused it for want of a permission, which only an operator can grant
├── CalledOff                nobody wants the result any more: the task ends without one, and without another run
│   ├── TaskCanceled         its client canceled it
│   └── TaskExpired          its deadline is over
├── Interrupted              the run was stopped on this agent's own word (shutdown); nobody's fault
└── LeaseLost                the message is no longer this agent's; the agent that holds it will end the task
"""

from contract.callback import LINK_UNAVAILABLE, Cause, Status


class AgentError(Exception):
    """``type`` is a short name for programs; ``message`` tells a person what happened and what to do."""

    def __init__(self, type_: str, message: str) -> None:
        super().__init__(message)
        self.type = type_
        self.message = message

    @property
    def cause(self) -> Cause:
        return Cause(type=self.type, message=self.message)


class PermanentError(AgentError):
    """The caller can fix it: bad content, unknown model, a link that cannot be fetched."""


class TaskTimeout(PermanentError):
    """The task ran longer than ``task_timeout``; the runtime was asked to stop."""

    def __init__(self, seconds: float) -> None:
        super().__init__("timeout", f"the task ran longer than {seconds:g} s and was stopped; ask for less at once")


class TransientError(AgentError):
    """Not the task's fault: worth another run, here or elsewhere."""


class RuntimeFault(TransientError):
    """The runtime failed at the task. ``broken``: it says itself that no task can succeed there (a dead GPU, a full
    disk), so that it is suspect after one such failure."""

    def __init__(self, type_: str, message: str, *, broken: bool = False) -> None:
        super().__init__(type_, message)
        self.broken = broken


class RuntimeHung(RuntimeFault):
    """The runtime ignores interrupts, so nothing else can run there. ``type`` is ``runtime-hung``."""

    TYPE = "runtime-hung"

    def __init__(self, seconds: float) -> None:
        message = f"the runtime did not stop the task within {seconds:g} s of its time-out; restart it"
        super().__init__(self.TYPE, message, broken=True)


class RuntimeUnavailable(RuntimeFault):
    """The runtime refused the connection, closed it, or answers that it is not ready."""


class RuntimeBusy(RuntimeUnavailable):
    """The runtime works for another client; the task has not begun."""


class LinkUnavailable(TransientError):
    """The server of a link does not answer, or says that it is in trouble. ``type`` is ``link-unavailable``."""

    def __init__(self, message: str) -> None:
        super().__init__(LINK_UNAVAILABLE, message)


class AwsError(TransientError):
    """A call of AWS failed: throttled, unreachable, or refused for a reason that may pass. ``type`` is ``aws``."""

    def __init__(self, message: str, *, type_: str = "aws") -> None:
        super().__init__(type_, message)


class AwsDenied(AwsError):
    """AWS refused the call for want of a permission. ``type`` is ``aws-denied``."""

    def __init__(self, message: str) -> None:
        super().__init__(message, type_="aws-denied")


class CalledOff(AgentError):
    """Nobody wants the task's result any more. ``status`` is what the task ends with, and the error's ``type``."""

    status: Status

    def __init__(self, message: str) -> None:
        super().__init__(self.status.value, message)


class TaskCanceled(CalledOff):
    """Its client canceled it."""

    status = Status.CANCELED

    def __init__(self) -> None:
        super().__init__("the task was canceled")


class TaskExpired(CalledOff):
    """Its deadline is over."""

    status = Status.EXPIRED

    def __init__(self) -> None:
        super().__init__("the task did not end before its deadline")


class Interrupted(AgentError):
    """The runtime stopped the job because this agent asked it to."""


class LeaseLost(AgentError):
    """Another agent may hold the message by now, so this one must not speak of the task any more."""

    def __init__(self) -> None:
        super().__init__("lease-lost", "the lease of the message was lost; another agent will end the task")
