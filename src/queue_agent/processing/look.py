"""A look at the task table while a task is prepared, so that a canceled one does not reach the runtime."""

import asyncio
import logging

from contract.task_table.writes import Refusal
from queue_agent.concurrency import cancel_all
from queue_agent.outcome.delivery import Delivery
from queue_agent.outcome.ledger import Ledger

log = logging.getLogger(__name__)


class Look:
    """Begins at once, and is waited for until ``seconds`` after its beginning: a table that is slow delays no start."""

    def __init__(self, ledger: Ledger, delivery: Delivery, seconds: float) -> None:
        self._ends = asyncio.get_running_loop().time() + seconds
        self._looking = asyncio.create_task(self._look(ledger, delivery)) if ledger.kept else None

    async def refusal(self) -> Refusal | None:
        """Why the task is not to run; None when it may, or nobody knows in time."""
        if self._looking is None:
            return None
        left = self._ends - asyncio.get_running_loop().time()
        await asyncio.wait({self._looking}, timeout=max(0.0, left))
        return self._looking.result() if self._looking.done() else None

    async def close(self) -> None:
        """Nobody waits for it any more."""
        if self._looking is not None and not self._looking.done():
            await cancel_all([self._looking])

    async def _look(self, ledger: Ledger, delivery: Delivery) -> Refusal | None:
        try:
            return await ledger.look(delivery)
        except Exception as error:  # noqa: BLE001 - what the table holds must not cost a run, whatever it is
            log.debug("not looked up", extra={"action": "look", "cause": str(error), **delivery.fields})
            return None
