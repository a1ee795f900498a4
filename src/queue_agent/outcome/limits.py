"""How much one task may deliver."""

from dataclasses import dataclass

from contract.policy.model import TaskPolicy
from queue_agent.errors import PermanentError

MAX_RECORD_BYTES = 16 * 1024 * 1024
"""Of ``.out``, which is the runtime's answer without its images: callers read it whole, and so does the agent that gets
the task's message again."""


@dataclass(frozen=True, slots=True)
class OutputLimits:
    """Counts and bytes; more than these is the task's own fault, because it gives as much on every runtime."""

    outputs: int = TaskPolicy().max_outputs
    output_bytes: int = TaskPolicy().max_output_bytes
    total_bytes: int = TaskPolicy().max_total_output_bytes
    record_bytes: int = MAX_RECORD_BYTES

    @classmethod
    def of(cls, policy: TaskPolicy) -> "OutputLimits":
        return cls(policy.max_outputs, policy.max_output_bytes, policy.max_total_output_bytes)

    def check_count(self, outputs: int) -> None:
        """Raises PermanentError when a run gave more outputs than a task may have."""
        if outputs > self.outputs:
            raise _over(f"the run gave {outputs} outputs; a task may have {self.outputs} (taskPolicy.maxOutputs)")

    def check_record(self, size: int) -> None:
        """Raises PermanentError when the record of a run is too large to be stored."""
        if size > self.record_bytes:
            raise _over(
                f"the runtime's answer without its images has {size} bytes; it may have {self.record_bytes}: "
                "put less data into the content, and show less of it in the workflow"
            )


class OutputBudget:
    """What the outputs of one task may still have, in bytes. Counts one attempt to store them."""

    def __init__(self, limits: OutputLimits) -> None:
        self._limits = limits
        self._total = 0

    def take(self, number: int, size: int, more: int) -> None:
        """Count ``more`` bytes of output ``number``, which has ``size`` with them. Raises PermanentError."""
        self._total += more
        if size > self._limits.output_bytes:
            most = f"{self._limits.output_bytes} bytes (taskPolicy.maxOutputBytes)"
            raise _over(f"output {number} has at least {size} bytes; an output may have {most}")
        if self._total > self._limits.total_bytes:
            most = f"{self._limits.total_bytes} bytes (taskPolicy.maxTotalOutputBytes)"
            raise _over(f"the outputs have at least {self._total} bytes; those of a task may have {most}")


def _over(message: str) -> PermanentError:
    return PermanentError("output-limit", message)
