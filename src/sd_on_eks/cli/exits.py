"""Exit codes."""

from enum import IntEnum

from sd_on_eks.errors import (
    ApiError,
    Error,
    InvalidWebhook,
    RateLimited,
    TaskNotCompleted,
    Unavailable,
    Unreachable,
    WaitTimeout,
)


class Exit(IntEnum):
    """What a script can tell apart."""

    OK = 0
    NOT_COMPLETED = 1
    """A task failed, was canceled or expired; or a webhook is not valid."""
    USAGE = 2
    """The command line, the configuration or a file is wrong."""
    REFUSED = 3
    """The API refused the request."""
    UNAVAILABLE = 4
    """No answer, or none that helps; later there may be one."""
    TIMEOUT = 5
    """The task has not ended in the time to wait; it goes on."""
    INTERRUPTED = 130


def exit_of(error: Error) -> Exit:
    """The exit code of an error."""
    if isinstance(error, TaskNotCompleted | InvalidWebhook):
        return Exit.NOT_COMPLETED
    if isinstance(error, WaitTimeout):
        return Exit.TIMEOUT
    if isinstance(error, Unreachable | Unavailable | RateLimited):
        return Exit.UNAVAILABLE
    return Exit.REFUSED if isinstance(error, ApiError) else Exit.USAGE
