"""What a task may ask of a runtime: caps, allow- and deny-lists. The front door and the agent judge by it alike."""

from contract.policy.checks import violations
from contract.policy.counts import excesses
from contract.policy.model import TaskPolicy

__all__ = ["TaskPolicy", "excesses", "violations"]
