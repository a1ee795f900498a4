"""Everything that can go wrong with a task, by whose fault it is. The fault decides the message's fate (see fate.py).

AgentError
├── PermanentError          the task itself: it would fail anywhere, so it fails at once
│   └── TaskTimeout      it ran longer than a task may
├── TransientError    the runtime or AWS: the task goes back to the queue, for at most so many runs
│   └── RuntimeUnavailable      the runtime cannot be reached or died
├── Interrupted          the run was stopped on this agent's own word (shutdown); nobody's fault
└── LeaseLost            the message is no longer this agent's; whoever holds it will end the task
"""

from contract.callback import Cause


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
    """The caller can mend it: bad content, unknown model, a link that cannot be fetched."""


class TaskTimeout(PermanentError):
    """The task ran longer than ``task_timeout``; the runtime was told to stop."""

    def __init__(self, seconds: float) -> None:
        super().__init__("timeout", f"the task ran longer than {seconds:g} s and was stopped; ask for less at once")


class TransientError(AgentError):
    """Not the task's fault: worth another run, here or elsewhere."""


class RuntimeUnavailable(TransientError):
    """The runtime refused the connection, closed it, or answers that it is not ready."""


class Interrupted(AgentError):
    """The runtime stopped the job because this agent asked it to."""


class LeaseLost(AgentError):
    """Another agent may hold the message by now, so this one must not speak of the task any more."""

    def __init__(self) -> None:
        super().__init__("lease-lost", "the lease of the message was lost; another agent will end the task")
