"""The keys that a client's webhooks are signed with, read from Secrets Manager."""

import time
from collections.abc import Callable
from typing import Any

from contract.webhook_secret import CURRENT, OVERLAP_SECONDS, PREVIOUS, key_of, secret_name

Keys = tuple[bytes, ...]

CACHE_SECONDS = 60.0
"""For how long a process keeps what it read. A rotation is seen within this time."""


class SigningKeys:
    """Reads and keeps keys. ``client`` is boto3's of Secrets Manager. Safe to use from many threads."""

    def __init__(
        self, client: Any, folder: str, *, seconds: float = CACHE_SECONDS, clock: Callable[[], float] = time.time
    ) -> None:
        self._client = client
        self._folder = folder
        self._seconds = seconds
        self._clock = clock
        self._kept: dict[str, tuple[float, Keys]] = {}

    def of(self, client: str) -> Keys:
        """The newest key first; after a rotation the one before, too.

        Raises botocore's errors, and ValueError for a secret that is none.
        """
        read, keys = self._kept.get(client, (float("-inf"), ()))
        if not keys or self._clock() - read >= self._seconds:
            keys = self._read(secret_name(self._folder, client))
            self._kept[client] = (self._clock(), keys)
        return keys

    def _read(self, name: str) -> Keys:
        current = self._client.get_secret_value(SecretId=name, VersionStage=CURRENT)
        key = key_of(current["SecretString"])
        if self._clock() - current["CreatedDate"].timestamp() >= OVERLAP_SECONDS:
            return (key,)
        try:
            previous = self._client.get_secret_value(SecretId=name, VersionStage=PREVIOUS)
        except self._client.exceptions.ResourceNotFoundException:
            return (key,)
        return (key, key_of(previous["SecretString"]))
