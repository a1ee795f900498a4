"""What the front door checks, checked again: a task may be published to the topic or the queue directly."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from contract.clients import DEFAULT_NAME, Clients
from contract.errors import shown
from contract.policy.checks import violations
from contract.policy.model import TaskPolicy
from contract.runtimes import TASK_TYPES, RuntimeType
from contract.wire import Order
from queue_agent.errors import PermanentError, TransientError


@dataclass(frozen=True, slots=True)
class Admission:
    """Whether this agent's runtime serves a task. Raises PermanentError that names what is allowed."""

    runtime_type: RuntimeType
    runtime_name: str
    policy: TaskPolicy
    clients: Clients

    def check_type(self, order: Order) -> None:
        """Before anything is fetched."""
        served = TASK_TYPES[self.runtime_type]
        if order.metadata.tasktype not in served:
            asked = order.metadata.tasktype
            raise PermanentError(
                "tasktype", f"{self.runtime_type} does not serve {asked}; it serves {', '.join(served)}"
            )

    def readable_folders(self, order: Order, client_name: str | None) -> tuple[str, ...]:
        """The folders of the output bucket that links of the task may name.

        ``client_name`` is what the message says; None when something else than the front door sent it. Where the config
        names clients, a task of none reads nothing there. Raises PermanentError when the task is not of the kind that
        its client may send, and TransientError for a client that this agent does not know: agents learn of a new one
        later than the front door.
        """
        client, prefix = self.clients.by_name(client_name), order.metadata.prefix
        if client is None:
            if client_name in {None, DEFAULT_NAME}:
                return ()
            raise TransientError("client", f"the agents know no client {shown(client_name)}")
        if not client.may_use(self.runtime_name):
            raise PermanentError("client", f"client {client.name!r} may not use the runtime {self.runtime_name!r}")
        if not client.may_store(prefix):
            problem = f"the prefix of a task of client {client.name!r} must be {client.own_folders}, or below"
            raise PermanentError("client", f"{problem}, got {shown(prefix)}")
        return client.readable(prefix)

    def check_content(self, order: Order, content: Mapping[str, Any]) -> None:
        """Once the content is there, before its links are fetched."""
        problems = violations(self.policy, self.runtime_type, order.metadata.tasktype, content)
        if problems:
            raise PermanentError("policy", "; ".join(f"content.{one.field}: {one.problem}" for one in problems))
