"""What a failed call of AWS says about its request: was it taken, and does it help to send it again?"""

from enum import Enum
from http import HTTPStatus

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    HTTPClientError,
    IncompleteReadError,
    ProxyConnectionError,
)
from botocore.exceptions import (
    ConnectionError as NoConnection,
)
from botocore.parsers import ResponseParserError

CALL_FAILURES = (BotoCoreError, ClientError, ResponseParserError)
"""Everything that a call raises. An answer that was cut off is a ResponseParserError, which has a base of its own."""

THROTTLING = frozenset(
    {
        "KMSThrottling",
        "RequestLimitExceeded",
        "RequestThrottled",
        "SlowDown",
        "Throttled",
        "Throttling",
        "ThrottledException",
        "ThrottlingException",
        "TooManyRequestsException",
    }
)
"""Error codes, some of which come with status 400."""

TURNED_AWAY = frozenset({HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE})

UNCERTAIN = frozenset({HTTPStatus.REQUEST_TIMEOUT, *range(500, 600)})
"""A failure while the request was worked on, or of a proxy that did not see the end of it."""


class Acceptance(Enum):
    """What is known about the request."""

    REFUSED = "refused"
    """Not taken, and it would not be the next time."""
    NOT_TAKEN = "not taken"
    """Not taken; the next time it may be."""
    UNKNOWN = "unknown"
    """It may have been taken."""


def acceptance_of(error: Exception) -> Acceptance:
    """Judge a failure of CALL_FAILURES."""
    if isinstance(error, ClientError):
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        if status in TURNED_AWAY or error.response.get("Error", {}).get("Code") in THROTTLING:
            return Acceptance.NOT_TAKEN
        return Acceptance.UNKNOWN if status in UNCERTAIN else Acceptance.REFUSED
    if isinstance(error, NoConnection | ProxyConnectionError):
        return Acceptance.NOT_TAKEN
    if isinstance(error, HTTPClientError | IncompleteReadError | ResponseParserError):
        return Acceptance.UNKNOWN
    return Acceptance.REFUSED
