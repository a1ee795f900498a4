"""How a custom resource answers CloudFormation: by a PUT to an address that comes with the question."""

import json
import logging
import urllib.request
from collections.abc import Callable
from typing import Any

ANSWER_TIMEOUT = 10
"""Seconds to tell CloudFormation."""

_LOG = logging.getLogger(__name__)


def answer(event: dict[str, Any], context: Any, objection: Callable[[], str | None]) -> None:
    """Tell CloudFormation that it may go on, or why not.

    ``objection`` returns the reason, or None. Whatever it raises is a reason, too: without an answer CloudFormation
    waits for an hour.
    """
    try:
        reason = objection()
    except Exception as error:  # noqa: BLE001 (whatever it is, CloudFormation must hear of it)
        _LOG.exception("the question cannot be answered")
        reason = f"the question cannot be answered: {type(error).__name__}: {error}"
    _put(event, reason, context.log_stream_name)


def _put(event: dict[str, Any], reason: str | None, log_stream: str) -> None:
    body = {
        "Status": "FAILED" if reason else "SUCCESS",
        "Reason": reason or "",
        "PhysicalResourceId": event.get("PhysicalResourceId") or log_stream,
        **{name: event[name] for name in ("StackId", "RequestId", "LogicalResourceId")},
    }
    # The address is CloudFormation's own, signed, and always https.
    request = urllib.request.Request(  # noqa: S310
        event["ResponseURL"], json.dumps(body).encode(), {"Content-Type": ""}, method="PUT"
    )
    with urllib.request.urlopen(request, timeout=ANSWER_TIMEOUT):  # noqa: S310
        _LOG.info("answered", extra={"status": body["Status"]})
