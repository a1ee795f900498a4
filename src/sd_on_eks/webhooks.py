"""Webhooks as the platform sends them, signed as Standard Webhooks 1.0 says (https://www.standardwebhooks.com)."""

import base64
import binascii
import hmac
import json
import time
from collections.abc import Mapping
from datetime import datetime

from pydantic import ValidationError

from sd_on_eks.errors import ConfigError, InvalidWebhook
from sd_on_eks.models import Model, TaskSnapshot

ID_HEADER, TIMESTAMP_HEADER, SIGNATURE_HEADER = "webhook-id", "webhook-timestamp", "webhook-signature"

VERSION = "v1,"
"""Before a signature by HMAC-SHA256; those of other versions are passed over."""

SECRET_PREFIX = "whsec_"  # noqa: S105 - what a secret begins with

TOLERANCE_SECONDS = 300.0
"""How far a webhook's time may be from now: what was recorded earlier and is sent again is refused."""


class WebhookEvent(Model):
    """What a webhook says: ``type`` is ``task.started`` or ``task.ended``, ``data`` the task when it was sent.

    ``id`` is the same in every try of one event: handle each once.
    """

    id: str
    type: str
    timestamp: datetime
    data: TaskSnapshot


def verify_webhook(
    body: bytes,
    headers: Mapping[str, str],
    secret: str,
    *,
    tolerance: float | None = TOLERANCE_SECONDS,
    now: float | None = None,
) -> WebhookEvent:
    """The event of a request that the platform has signed with ``secret``. Verify the bytes as they arrived.

    The names of ``headers`` may have any case. ``tolerance`` in seconds; None accepts any time. ``now`` in epoch
    seconds, by default the clock's. Raises InvalidWebhook, and ConfigError for a secret that is none.
    """
    found = {name.lower(): value for name, value in headers.items()}
    missing = [name for name in (ID_HEADER, TIMESTAMP_HEADER, SIGNATURE_HEADER) if not found.get(name)]
    if missing:
        raise InvalidWebhook(f"the request has no header {' and no '.join(missing)}")
    _check_time(found[TIMESTAMP_HEADER], tolerance, time.time() if now is None else now)
    signed = f"{found[ID_HEADER]}.{found[TIMESTAMP_HEADER]}.".encode() + body
    expected = VERSION + base64.b64encode(hmac.digest(_key_of(secret), signed, "sha256")).decode()
    signatures = found[SIGNATURE_HEADER].encode("utf-8", "replace").split()
    if not any(hmac.compare_digest(expected.encode(), signature) for signature in signatures):
        raise InvalidWebhook("no signature is by this secret")
    try:
        content = json.loads(body)
        return WebhookEvent.model_validate({**content, "id": found[ID_HEADER]})
    except (ValueError, TypeError, ValidationError) as error:
        raise InvalidWebhook("the signature is right, but the body is no event of a task") from error


def _check_time(text: str, tolerance: float | None, now: float) -> None:
    if not text.isascii() or not text.isdigit():
        raise InvalidWebhook(f"the header {TIMESTAMP_HEADER} must be epoch seconds, is {text!r}")
    age = now - int(text)
    if tolerance is not None and abs(age) > tolerance:
        raise InvalidWebhook(f"the request was signed {age:.0f} s ago; {tolerance:g} s are allowed")


def _key_of(secret: str) -> bytes:
    try:
        key = base64.b64decode(secret.strip().removeprefix(SECRET_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        raise ConfigError(f"the webhook secret must be {SECRET_PREFIX} and Base64") from None
    if not key:
        raise ConfigError("the webhook secret is empty")
    return key
