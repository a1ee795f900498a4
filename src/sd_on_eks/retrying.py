"""Sends a request until it has an answer that is worth having."""

import random
import time
from http import HTTPStatus
from itertools import count

from sd_on_eks.errors import ProtocolError, Unreachable, api_error
from sd_on_eks.timings import Timings
from sd_on_eks.wire import Flow, Lost, Pause, Request, Response

PASSING = frozenset(
    {
        HTTPStatus.REQUEST_TIMEOUT,
        HTTPStatus.TOO_MANY_REQUESTS,
        HTTPStatus.INTERNAL_SERVER_ERROR,
        HTTPStatus.BAD_GATEWAY,
        HTTPStatus.SERVICE_UNAVAILABLE,
        HTTPStatus.GATEWAY_TIMEOUT,
    }
)
"""Statuses after which the same request may succeed. Every request of the client may be sent again: each has its
effect once, since a task's id is chosen before its first try."""

QUOTA = b"Limit Exceeded"
"""API Gateway's message, with 429, when the key has no request left for the day; that does not pass soon."""

MAX_DOUBLINGS = 16
"""Beyond which the longest pause is long reached."""


def send(request: Request, timings: Timings, until: float | None = None) -> Flow[Response]:
    """The answer to ``request``. Raises Unreachable and ApiError when it failed for as long as ``retry_for``, and
    ``until`` (of time.monotonic), let it be tried, and ApiError at once for an error that does not pass."""
    limit = time.monotonic() + timings.retry_for
    until = limit if until is None else min(limit, until)
    for attempt in count():
        response: Response | Lost = yield request
        if isinstance(response, Response) and not passes(response):
            return checked(response)
        pause = pause_after(response, attempt, timings)
        if time.monotonic() + pause > until:
            break
        yield Pause(pause)
    if isinstance(response, Lost):
        cause = str(response.cause) or type(response.cause).__name__
        raise Unreachable(f"{origin_of(request.url)} did not answer: {cause}") from response.cause
    return checked(response)


def passes(response: Response) -> bool:
    """Whether the response is an error that may be gone the next time."""
    return response.status in PASSING and not (
        response.status == HTTPStatus.TOO_MANY_REQUESTS and QUOTA in response.body
    )


def checked(response: Response) -> Response:
    """The response, unless it is an error. Raises ApiError."""
    if response.ok:
        return response
    try:
        body = response.json()
    except ProtocolError:  # a proxy's page; the status says enough
        body = None
    raise api_error(response.status, body, response.headers.get("x-amzn-requestid"))


def pause_after(response: Response | Lost, attempt: int, timings: Timings) -> float:
    """Seconds until the next try: what Retry-After asks for, and else a random part of a span that doubles, so that
    many clients that failed together do not come back together."""
    if isinstance(response, Response) and (asked := retry_after(response)) is not None:
        return asked
    span = min(timings.longest_pause, timings.first_pause * 2 ** min(attempt, MAX_DOUBLINGS))
    return random.uniform(span / 2, span)  # noqa: S311 - spreads requests, protects nothing


def retry_after(response: Response) -> float | None:
    """The seconds of Retry-After; None without it, and for a date, which this API never sends."""
    text = response.headers.get("retry-after", "")
    return float(text) if text.isascii() and text.isdigit() else None


def origin_of(url: str) -> str:
    """Scheme, host and path of a URL, without its query, which may be a signature."""
    return url.partition("?")[0]
