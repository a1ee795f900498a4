"""A message that this agent holds."""

import asyncio
import time
from dataclasses import dataclass, field

from contract.callback import Cause
from contract.wire import CLIENT_ATTRIBUTE, REQUEST_ID_ATTRIBUTE, WEBHOOK_ATTRIBUTE, client_of
from queue_agent.errors import LeaseLost, TaskExpired
from queue_agent.telemetry.tracing import Trace


@dataclass(eq=False, slots=True)
class Lease:
    """One message, held by this agent until ``expires`` (loop time).

    ``receives`` counts SQS's deliveries of it, ``first_received`` is the wall clock's time of the first in seconds,
    ``sent`` that of its sending. ``deadline`` is in epoch seconds; ``webhook`` names the events that are wanted.
    ``lost_cause`` says why it could not be renewed; None when SQS says that the message is not this agent's.
    """

    message_id: str
    receipt: str
    body: str
    receives: int
    traceparent: str | None
    trace: Trace
    expires: float
    first_received: float = field(default_factory=time.time)
    sent: float = field(default_factory=time.time)
    deadline: int | None = None
    webhook: str = ""
    request_id: str | None = None
    client: str | None = None
    """Name of the client whose task it is; None when the message was sent by something else than the front door."""
    group: str | None = None
    """SQS's message group, by which it keeps clients fair."""
    repeat: bool = False
    """Whether the front door sent it because it did not know whether an earlier message of the request was accepted."""
    lost: asyncio.Event = field(default_factory=asyncio.Event)
    lost_cause: Cause | None = None
    deleting: bool = False
    """A deletion was sent, so that SQS may not know the message any more."""

    @property
    def fields(self) -> dict[str, object]:
        """What every log line of the message carries."""
        return {"message_id": self.message_id, "receives": self.receives, "trace_id": self.trace.trace_id}

    @property
    def passed_on(self) -> dict[str, str]:
        """Attributes of the message that its callbacks carry, too, for those who send webhooks."""
        if not self.webhook:
            return {}
        request = self.request_id or self.message_id
        return {
            CLIENT_ATTRIBUTE: client_of(self.client),
            WEBHOOK_ATTRIBUTE: self.webhook,
            REQUEST_ID_ATTRIBUTE: request,
        }

    def check_deadline(self) -> None:
        """Raises TaskExpired when the task's deadline is over."""
        if self.deadline is not None and time.time() >= self.deadline:
            raise TaskExpired

    def check(self) -> None:
        """Raises LeaseLost when the message may be another agent's by now.

        The clock counts, not only what a renewal said: after a stall of the whole process the renewal is late, too.
        """
        if self.lost.is_set() or asyncio.get_running_loop().time() >= self.expires:
            raise LeaseLost
