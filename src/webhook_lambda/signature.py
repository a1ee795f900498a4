"""Signatures as Standard Webhooks 1.0 defines them (https://www.standardwebhooks.com), with HMAC-SHA256."""

import base64
import hashlib
import hmac
from collections.abc import Mapping, Sequence

from contract.task_event import TaskEvent

ID_HEADER, TIMESTAMP_HEADER, SIGNATURE_HEADER = "webhook-id", "webhook-timestamp", "webhook-signature"

VERSION = "v1"

ID_PREFIX = "msg_"

ID_BYTES = 16
"""Of a hash: 128 bits, so that no two events share an id."""


def webhook_id(event: TaskEvent) -> str:
    """The same for each try, and for a repeated event: receivers know by it what they have had."""
    name = "\0".join((event.client, event.id, event.request, event.event))
    return ID_PREFIX + hashlib.sha256(name.encode()).hexdigest()[: 2 * ID_BYTES]


def signed(message_id: str, timestamp: int, body: bytes, keys: Sequence[bytes]) -> Mapping[str, str]:
    """The headers of a request. ``timestamp`` in epoch seconds; a signature for each of ``keys``, the newest first."""
    content = f"{message_id}.{timestamp}.".encode() + body
    return {
        ID_HEADER: message_id,
        TIMESTAMP_HEADER: str(timestamp),
        SIGNATURE_HEADER: " ".join(f"{VERSION},{_signature(key, content)}" for key in keys),
    }


def _signature(key: bytes, content: bytes) -> str:
    return base64.b64encode(hmac.digest(key, content, "sha256")).decode()
