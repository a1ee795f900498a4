"""Repeats a call of AWS that delivers an outcome, for as long as the message is this agent's."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from queue_agent.aws.lease import Lease
from queue_agent.errors import AwsDenied, AwsError
from queue_agent.outcome.delivery_health import DeliveryHealth

log = logging.getLogger(__name__)

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class RetryTimings:
    """In seconds. Pauses double from ``first_pause`` to ``longest_pause``."""

    first_pause: float = 0.5
    longest_pause: float = 10.0
    suspend_after: float = 3.0
    """A call that has failed for so long says that AWS is away, not that it hiccups."""
    hold: float = 60.0
    """How long an outcome that is in its record is held for the task table. After that it goes back to the queue, and
    its next delivery needs no GPU."""
    brief_hold: float = 3.0
    """The same for such a delivery, since other tasks are not prepared meanwhile."""


class DeliveryRetry:
    """What GPU time was paid for is kept until AWS takes it: only the lease or a shutdown ends the repetitions."""

    def __init__(self, health: DeliveryHealth, timings: RetryTimings) -> None:
        self._health = health
        self._timings = timings

    async def deliver(self, call: str, lease: Lease, action: Callable[[], Awaitable[T]]) -> T:
        """The action's result. ``call`` is its kind, as DeliveryHealth distinguishes them.

        Delivery is suspended once the action has failed for ``suspend_after`` seconds, and at once when it is denied.
        Raises LeaseLost, and at once whatever is not AWS's fault.
        """

        def failed(error: AwsError, elapsed: float) -> None:
            if isinstance(error, AwsDenied) or elapsed >= self._timings.suspend_after:
                self._health.suspend(call, error.cause)

        with self._health.delivering(call):
            return await self._repeat(lease, action, failed)

    async def hold(self, call: str, lease: Lease, action: Callable[[], Awaitable[T]], *, seconds: float) -> T:
        """The action's result. Delivery is suspended while the action is denied, and only then: what an outage of its
        service keeps back is recorded already.

        Raises AwsError once the action has failed for so many seconds without being denied, LeaseLost, and at once
        whatever is not AWS's fault.
        """

        def failed(error: AwsError, elapsed: float) -> None:
            if isinstance(error, AwsDenied):
                self._health.suspend(call, error.cause)
            elif elapsed >= seconds:
                raise error

        with self._health.delivering(call):
            return await self._repeat(lease, action, failed)

    async def attempt(self, lease: Lease, action: Callable[[], Awaitable[T]], *, seconds: float) -> T:
        """The action's result, without effect on DeliveryHealth: for what no GPU time was paid for.

        Raises AwsError once the action has failed for so many seconds, LeaseLost, and at once whatever is not AWS's
        fault.
        """

        def failed(error: AwsError, elapsed: float) -> None:
            if elapsed >= seconds:
                raise error

        return await self._repeat(lease, action, failed)

    async def _repeat(
        self, lease: Lease, action: Callable[[], Awaitable[T]], failed: Callable[[AwsError, float], None]
    ) -> T:
        loop = asyncio.get_running_loop()
        began, pause = loop.time(), self._timings.first_pause
        while True:
            lease.check()
            try:
                return await action()
            except AwsError as error:
                log.debug("AWS call failed; retrying", extra={"action": "wait", "cause": error.message, **lease.fields})
                failed(error, loop.time() - began)
            await asyncio.sleep(pause)
            pause = min(self._timings.longest_pause, pause * 2)
