"""What the front door checks, checked again: a task may be published to the topic or the queue directly."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from contract.policy.checks import violations
from contract.policy.model import TaskPolicy
from contract.runtimes import TASK_TYPES, RuntimeType
from contract.wire import Order
from queue_agent.errors import PermanentError


@dataclass(frozen=True, slots=True)
class Admission:
    """Whether this agent's runtime serves a task. Raises PermanentError that names what is allowed."""

    runtime_type: RuntimeType
    policy: TaskPolicy

    def check_type(self, order: Order) -> None:
        """Before anything is fetched."""
        served = TASK_TYPES[self.runtime_type]
        if order.metadata.tasktype not in served:
            asked = order.metadata.tasktype
            raise PermanentError(
                "tasktype", f"{self.runtime_type} does not serve {asked}; it serves {', '.join(served)}"
            )

    def check_content(self, order: Order, content: Mapping[str, Any]) -> None:
        """Once the content is there, before its links are fetched."""
        problems = violations(self.policy, self.runtime_type, order.metadata.tasktype, content)
        if problems:
            raise PermanentError("policy", "; ".join(f"content.{one.field}: {one.problem}" for one in problems))
