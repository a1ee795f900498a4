"""What becomes of a message whose task went wrong. Decided here and nowhere else."""

from enum import Enum

from queue_agent.errors import CalledOff, Interrupted, LeaseLost, LinkUnavailable, PermanentError

MAX_RECEIVES = 50
"""A message taken this often is given up even if its runs were never counted: something stops each agent that takes it.
The queue's own redrive (maxReceiveCount) is set higher, so that there is a callback before SQS moves the message to the
dead-letter queue."""

MAX_LINK_RECEIVES = 12
"""A link whose server cannot be reached is given up at this delivery, after about half an hour of growing delays: long
enough for a node's resolver or a client's server to recover, and for other pods to receive the message."""

FIRST_RETRY_DELAY = 1
LONGEST_RETRY_DELAY = 15 * 60
"""Seconds. A failed task waits 1, 2, 4, … seconds: short for a hiccup, long enough to outlast an outage of hours within
the message's 14 days and MAX_RECEIVES."""


class Disposition(Enum):
    """How a message ends, or goes on."""

    FAIL = "fail"
    """Failed callback, message deleted."""
    CALL_OFF = "call off"
    """Callback that says so, message deleted."""
    RETRY = "retry"
    """Back to the queue after a delay; this run counts."""
    DEAD_LETTER = "give up"
    """Failed callback, message to the dead-letter queue."""
    RELEASE = "hand back"
    """Back to the queue at once; this run does not count."""
    ABANDON = "drop"
    """Left alone: it is another agent's."""


def decide(  # noqa: PLR0911 - one for each kind
    error: BaseException, *, runs: int, receives: int, max_attempts: int
) -> Disposition:
    """What becomes of a message after ``error``.

    ``runs`` counts the runs begun so far, this one included; ``receives`` is how often SQS delivered the message. What
    is not known to be the caller's fault is worth another run, save that a link's server must answer in the end.
    """
    if isinstance(error, LeaseLost):
        return Disposition.ABANDON
    if isinstance(error, CalledOff):
        return Disposition.CALL_OFF
    if isinstance(error, PermanentError):
        return Disposition.FAIL
    if isinstance(error, LinkUnavailable) and receives >= MAX_LINK_RECEIVES:
        return Disposition.FAIL
    if receives >= MAX_RECEIVES:
        return Disposition.DEAD_LETTER
    if isinstance(error, Interrupted):
        return Disposition.RELEASE
    return Disposition.DEAD_LETTER if runs >= max_attempts else Disposition.RETRY


def retry_delay(receives: int) -> int:
    """Whole seconds to wait before the next delivery, doubling with each."""
    return int(min(LONGEST_RETRY_DELAY, FIRST_RETRY_DELAY * 2.0 ** min(receives - 1, 30)))
