"""The secrets that webhooks are signed with: one for each client, in Secrets Manager.

Its staging labels are the rotation: AWSCURRENT is the new secret, AWSPREVIOUS the one before. For OVERLAP_SECONDS after
a rotation both sign, so that receivers may change theirs at any time in between.
"""

import base64
import binascii
import secrets

PREFIX = "whsec_"
"""What Standard Webhooks writes before a secret. It is not part of the key."""

KEY_BYTES = 30
"""Standard Webhooks asks for 24 to 64. Base64 of 30 needs no padding, so it may be any 40 letters and digits, which is
what CloudFormation can generate."""

MIN_KEY_BYTES, MAX_KEY_BYTES = 24, 64

SECRET_CHARACTERS = KEY_BYTES * 4 // 3

CURRENT, PREVIOUS = "AWSCURRENT", "AWSPREVIOUS"

OVERLAP_SECONDS = 86_400


def secret_name(folder: str, client: str) -> str:
    """The name in Secrets Manager. ``folder`` is the stack's."""
    return f"{folder}/{client}"


def new_secret() -> str:
    """A secret as receivers take it."""
    return PREFIX + base64.b64encode(secrets.token_bytes(KEY_BYTES)).decode()


def shown_secret(stored: str) -> str:
    """What Secrets Manager holds, as receivers take it: CloudFormation generates it without the prefix."""
    return PREFIX + stored.strip().removeprefix(PREFIX)


def key_of(stored: str) -> bytes:
    """The bytes that sign. Raises ValueError, without the secret, for what is none."""
    try:
        key = base64.b64decode(stored.strip().removeprefix(PREFIX), validate=True)
    except binascii.Error:
        raise ValueError("the secret is not base64") from None
    if not MIN_KEY_BYTES <= len(key) <= MAX_KEY_BYTES:
        raise ValueError(f"the secret must hold {MIN_KEY_BYTES} to {MAX_KEY_BYTES} bytes, got {len(key)}")
    return key
