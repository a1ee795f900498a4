"""Why a run is to stop before its end."""

import asyncio

from contract.task_table.writes import Refusal
from queue_agent.errors import AgentError, LeaseLost, TaskCanceled, TaskExpired


class Halt:
    """``asked`` is set once ``error`` says why the run is to stop. The first reason counts."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()
        self.error: AgentError | None = None

    def ask(self, error: AgentError) -> None:
        """Have the run stopped."""
        self.error = self.error or error
        self.asked.set()


def error_of(refusal: Refusal) -> AgentError | None:
    """What becomes of a task that the table refuses to run; None where it runs all the same.

    A task that has ended is another agent's: its record tells the outcome.
    """
    match refusal:
        case Refusal.CANCELED:
            return TaskCanceled()
        case Refusal.EXPIRED:
            return TaskExpired()
        case Refusal.ENDED:
            return LeaseLost()
        case Refusal.ANOTHER:
            return None
