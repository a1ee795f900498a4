"""Everything that the client raises::

Error
├── ConfigError           no endpoint or no key, or one that cannot be used
├── JobError              a job that cannot be sent: a file, a workflow's field, a runtime
├── Unreachable           no answer
├── ProtocolError         an answer that is not of this API
├── InvalidWebhook        a webhook that the platform has not signed, or not with this secret
├── WaitTimeout           the task has not ended in time; it goes on
├── ApiError              an answer that is an error
│   ├── InvalidRequest        400, 405
│   ├── Forbidden             401, 403
│   ├── NotFound              404
│   ├── TooLarge              413
│   ├── IdInUse               422
│   ├── RateLimited           429
│   └── Unavailable           500 and more
└── TaskNotCompleted      the task has ended in another way
    ├── TaskFailed
    ├── TaskCanceled
    └── TaskExpired
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any


class Error(Exception):
    """The base of all."""


class ConfigError(Error):
    """The endpoint or the API key is missing or cannot be used."""


class JobError(Error):
    """The job cannot be sent as it is."""


class Unreachable(Error):
    """No answer came, for as long as the request was tried. It may have been taken; repeat it with the same id."""


class ProtocolError(Error):
    """An answer is not what this API sends; the endpoint may be another one's."""


class InvalidWebhook(Error):
    """The request is no webhook of the platform, is signed with another secret, or is too old."""


class WaitTimeout(Error):
    """The task has not ended within the time to wait. It goes on; wait for it again by its id.

    ``task`` is the task as it was last seen, a Task or an AsyncTask.
    """

    def __init__(self, task: Any, seconds: float) -> None:
        super().__init__(f"task {task.id!r} is {task.status} after {seconds:g} s of waiting; it goes on")
        self.task = task
        self.seconds = seconds


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with one field of a request. ``field`` is a path such as ``task.metadata.id``."""

    field: str
    problem: str


class ApiError(Error):
    """An error that the API answered.

    ``status`` is the HTTP status. ``kind`` names the type of the problem for programs (``id-in-use``), and is empty
    where API Gateway answered by itself. ``request_id`` is what the platform's log has.
    """

    def __init__(
        self,
        status: int,
        message: str,
        *,
        kind: str = "",
        errors: Sequence[Problem] = (),
        request_id: str | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.kind = kind
        self.message = message
        self.errors = tuple(errors)
        self.request_id = request_id


class InvalidRequest(ApiError):
    """The request breaks the API's rules; ``errors`` names each field that is wrong."""


class Forbidden(ApiError):
    """The key is not valid, or may not do this."""


class NotFound(ApiError):
    """There is no such task or output of this client."""


class TooLarge(ApiError):
    """The request is larger than the API takes; upload files instead of sending them inside the content."""


class IdInUse(ApiError):
    """The id belongs to a task that another body made."""


class RateLimited(ApiError):
    """The key has sent too many requests, for as long as the request was tried, or its quota is used up."""


class Unavailable(ApiError):
    """The API could not answer, for as long as the request was tried."""


class TaskNotCompleted(Error):
    """The task has ended without being completed. ``task`` is a Task or an AsyncTask."""

    def __init__(self, task: Any) -> None:
        cause = f": {task.error.message}" if task.error else ""
        super().__init__(f"task {task.id!r} is {task.status}{cause}")
        self.task = task


class TaskFailed(TaskNotCompleted):
    """The run failed; ``task.error`` says why, and whether another try may help."""


class TaskCanceled(TaskNotCompleted):
    """Somebody canceled the task."""


class TaskExpired(TaskNotCompleted):
    """The task had not ended by its deadline."""


_BY_STATUS: Mapping[int, type[ApiError]] = {
    HTTPStatus.UNAUTHORIZED: Forbidden,
    HTTPStatus.FORBIDDEN: Forbidden,
    HTTPStatus.NOT_FOUND: NotFound,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: TooLarge,
    HTTPStatus.UNPROCESSABLE_ENTITY: IdInUse,
    HTTPStatus.TOO_MANY_REQUESTS: RateLimited,
}

_ENDINGS: Mapping[str, type[TaskNotCompleted]] = {
    "failed": TaskFailed,
    "canceled": TaskCanceled,
    "expired": TaskExpired,
}

_TYPE = "urn:problem-type:"


def api_error(status: int, body: Any, request_id: str | None) -> ApiError:
    """The error that an answer stands for. ``body`` is its JSON; anything else where it is none."""
    found = body if isinstance(body, dict) else {}
    message = found.get("message") or found.get("detail") or f"the API answered with status {status}"
    listed = found.get("errors")
    errors = [
        Problem(str(error.get("field", "")), str(error.get("problem", "")))
        for error in (listed if isinstance(listed, list) else ())
        if isinstance(error, dict)
    ]
    server_side = status >= HTTPStatus.INTERNAL_SERVER_ERROR
    kind = _BY_STATUS.get(status, Unavailable if server_side else InvalidRequest)
    name = str(found.get("type", "")).removeprefix(_TYPE)
    return kind(status, str(message), kind=name, errors=errors, request_id=request_id)


def ending_error(task: Any) -> TaskNotCompleted:
    """The error that stands for how ``task`` has ended."""
    return _ENDINGS.get(str(task.status), TaskNotCompleted)(task)
