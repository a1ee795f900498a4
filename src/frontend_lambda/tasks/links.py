"""Presigned links: they open an object without credentials until they expire.

The function's own credentials sign them, and those are temporary: AWS refuses a link once they have expired, which may
be before the time that the link names. Lambda does not say when that is, so a link is short-lived, and each answer
brings new ones.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

import boto3
from botocore.config import Config

from contract.presign import LINK_SECONDS, signer
from contract.task_table.view import Link
from frontend_lambda.settings import Settings


@dataclass(frozen=True, slots=True)
class Upload:
    """A link that takes one PUT with exactly these headers, until ``expires`` (epoch seconds)."""

    url: str
    headers: dict[str, str]
    expires: float


class Signer:
    """Signs links to the output bucket. It calls nothing. Safe to use from many threads."""

    def __init__(self, settings: Settings, session: boto3.Session, clock: Callable[[], float] = time.time) -> None:
        self._bucket = settings.output_bucket
        self._clock = clock
        self._s3 = session.client(
            "s3",
            region_name=settings.region,
            endpoint_url=settings.endpoint_url,
            config=Config(signature_version="s3v4"),
        )

        self.download: Callable[[str], Link] = signer(self._s3, self._bucket, clock=clock)
        """A link that a GET of the object with this key takes."""

    def upload(self, key: str, *, size: int, media_type: str | None) -> Upload:
        """A link that takes an object of exactly ``size`` bytes."""
        params = {"Bucket": self._bucket, "Key": key, "ContentLength": size}
        headers = {"Content-Length": str(size)}
        if media_type:
            params["ContentType"] = media_type
            headers["Content-Type"] = media_type
        expires = self._clock() + LINK_SECONDS
        url = self._s3.generate_presigned_url("put_object", Params=params, ExpiresIn=LINK_SECONDS)
        return Upload(url, headers, expires)
