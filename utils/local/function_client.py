"""Calls a function of ``utils.local.function_server`` as if it were a handler of this process."""

import json
import urllib.request
from typing import Any

from utils.local.function_server import FUNCTION_ERROR, INVOKE_PATH
from utils.local.lambda_proxy import LambdaContext


class RemoteFunction:
    """``url`` is that of the server, without a path. Safe to use from many threads."""

    def __init__(self, url: str) -> None:
        self._url = f"{url}{INVOKE_PATH}"

    def __call__(self, event: dict[str, Any], context: LambdaContext) -> Any:
        """What the function returned. Raises RemoteFailure, and OSError when it cannot be called in time."""
        request = urllib.request.Request(  # noqa: S310 - our own server
            self._url, json.dumps(event).encode(), {"Content-Type": "application/json"}
        )
        seconds = max(0.1, context.get_remaining_time_in_millis() / 1000)
        with urllib.request.urlopen(request, timeout=seconds) as response:  # noqa: S310
            answer = json.load(response)
            if response.headers.get(FUNCTION_ERROR):
                raise RemoteFailure(f"{answer['errorType']}: {answer['errorMessage']}")
            return answer


class RemoteFailure(Exception):
    """The function raised; the text is its error."""
