"""Whether AWS takes what this agent delivers. An agent that cannot deliver must not spend GPU time on more results."""

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from contract.callback import Cause
from contract.metrics import DELIVERY_SUSPENDED
from queue_agent.telemetry.metrics import Metrics

log = logging.getLogger(__name__)


class DeliveryHealth:
    """``ok`` is set while results, callbacks and deletions are taken; new tasks wait for it.

    Each kind of call (``store``, ``notify``, ``delete``) is suspended and resumed on its own, since one may be denied
    while the others work. What is held is repeated meanwhile, and its first success resumes; when nothing of a kind is
    held any more, that kind is resumed, too, because only another attempt can show whether it works.
    """

    def __init__(self, metrics: Metrics) -> None:
        self.ok = asyncio.Event()
        self.ok.set()
        self.since: float | None = None
        """The wall clock's time in seconds at which delivery was suspended; None while it is not."""
        self._metrics = metrics
        self._suspended: dict[str, Cause] = {}
        self._held: Counter[str] = Counter()

    @property
    def cause(self) -> Cause | None:
        """Why delivery is suspended: that of the call which has failed for longest. None while it is not."""
        return next(iter(self._suspended.values()), None)

    def suspend(self, call: str, cause: Cause) -> None:
        """Calls of this kind fail. Logged once until they are resumed."""
        if call in self._suspended:
            return
        self._suspended[call] = cause
        if self.since is None:
            self.since = time.time()
        self._update()
        log.error(
            "results cannot be delivered; no task is taken until they can",
            extra={"action": "delivery_suspended", "call": call, "cause_type": cause.type, "cause": cause.message},
        )

    def resume(self, call: str) -> None:
        """A call of this kind succeeded, or nothing of this kind is held."""
        if self._suspended.pop(call, None) is None:
            return
        suspended = time.time() - (self.since or time.time())
        if not self._suspended:
            self.since = None
        self._update()
        log.info(
            "results can be delivered again",
            extra={"action": "delivery_resumed", "call": call, "suspended_s": round(suspended, 1)},
        )

    @contextmanager
    def delivering(self, call: str) -> Iterator[None]:
        """While a delivery of this kind is attempted and repeated. Leaving without an error says that it succeeded."""
        self._held[call] += 1
        try:
            yield
        except BaseException:
            if self._held[call] == 1:
                self.resume(call)
            raise
        else:
            self.resume(call)
        finally:
            self._held[call] -= 1

    def _update(self) -> None:
        if self._suspended:
            self.ok.clear()
        else:
            self.ok.set()
        self._metrics.set(DELIVERY_SUSPENDED, float(bool(self._suspended)))
