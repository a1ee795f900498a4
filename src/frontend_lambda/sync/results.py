"""The results of tasks that are waited for: the record that says a task has ended, and its objects in S3."""

import base64
import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from contract.callback import Callback, Cause
from contract.errors import Problem
from contract.image_kit import URL
from contract.object_keys import ObjectKeys
from frontend_lambda.admission import Admission
from frontend_lambda.responses import Response
from frontend_lambda.settings import Settings
from frontend_lambda.sync.request import INVALID, failed

MAX_ANSWER_BYTES = 6 * 1024 * 1024 - 64 * 1024
"""Lambda carries 6 MiB of an answer as JSON; the rest is for headers and quotes."""

LINK_SECONDS = 300
"""For how long a link to a result opens."""

ILLEGAL_URL = f"parameter `{URL}` illegal"
"""A message that callers of the earlier services know."""

CALLERS_CAUSES = frozenset({"invalid-request", "link", "policy", "output-limit", "content"})
"""Causes of a failed task that the caller can fix."""

ABSENT = frozenset({"NoSuchKey", "404", "403", "AccessDenied"})
"""What S3 says of an object that is not there yet, with and without the permission to list."""


@dataclass(frozen=True, slots=True)
class SyncLimits:
    """Seconds. ``total``: for a request, below the 29 s of API Gateway; ``pauses`` between looks at the result, the
    last one from then on. ``answer_bytes``: the most that is answered in the body instead of by a link."""

    total: float = 25.0
    pauses: tuple[float, ...] = (0.1, 0.1, 0.2, 0.2, 0.3, 0.5)
    answer_bytes: int = MAX_ANSWER_BYTES


@dataclass(frozen=True, slots=True)
class Ended:
    """A task that has ended well: its record, and its outputs as keys in the bucket."""

    record: Mapping[str, Any]
    outputs: tuple[str, ...]


class Results:
    """Keeps one S3 client. Safe to use from many threads."""

    def __init__(self, settings: Settings, session: boto3.Session, limits: SyncLimits) -> None:
        self.limits = limits
        self._bucket = settings.output_bucket
        self._s3: Any = session.client(
            "s3",
            region_name=settings.region,
            endpoint_url=settings.endpoint_url,
            config=Config(connect_timeout=1, read_timeout=5, retries={"mode": "standard"}, signature_version="s3v4"),
        )

    def of(self, admission: Admission, accepted: Response, request_id: str, started: float) -> Ended | Response:
        """What the task made. A Response instead: ``accepted`` with status 202 when the task has not ended in time,
        or the error that it failed with. ``started`` is in seconds of time.monotonic."""
        metadata = admission.task.metadata
        keys = ObjectKeys(self._bucket, metadata.prefix, metadata.id, message_id="", request_id=request_id)
        record = self._record(keys.record_key, started + self.limits.total)
        if record is None:
            return {**accepted, "statusCode": HTTPStatus.ACCEPTED.value}
        callback = Callback.model_validate(record["task"]["callback"])
        if callback.error is not None:
            return _failure_of(callback.error)
        return Ended(record, tuple(url.removeprefix(keys.url("")) for url in callback.image_url))

    def store(self, key: str, data: bytes, media_type: str) -> None:
        """Raises botocore's errors."""
        self._s3.put_object(Bucket=self._bucket, Key=key, Body=data, ContentType=media_type)

    def link(self, key: str) -> str:
        """A link that opens the object without credentials, for LINK_SECONDS. Raises botocore's errors."""
        place = {"Bucket": self._bucket, "Key": key}
        url: str = self._s3.generate_presigned_url("get_object", Params=place, ExpiresIn=LINK_SECONDS)
        return url

    def base64(self, key: str) -> str | None:
        """The object, if it fits an answer."""
        place = {"Bucket": self._bucket, "Key": key}
        size = self._s3.head_object(**place)["ContentLength"]
        if -(-size // 3) * 4 > self.limits.answer_bytes:
            return None
        return base64.b64encode(self._s3.get_object(**place)["Body"].read()).decode()

    def _record(self, key: str, deadline: float) -> Mapping[str, Any] | None:
        """The task's record; None when there is none by ``deadline``."""
        for pause in self._pauses():
            body = self._read(key)
            if body is not None:
                record: Mapping[str, Any] = json.loads(body)
                return record
            if time.monotonic() + pause > deadline:
                return None
            time.sleep(pause)
        return None

    def _pauses(self) -> Iterator[float]:
        yield from self.limits.pauses
        while True:
            yield self.limits.pauses[-1]

    def _read(self, key: str) -> bytes | None:
        """The object; None when it is not there, or S3 does not answer now."""
        try:
            data: bytes = self._s3.get_object(Bucket=self._bucket, Key=key)["Body"].read()
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") in ABSENT:
                return None
            raise
        except BotoCoreError:
            return None
        return data


def _failure_of(cause: Cause) -> Response:
    if cause.type not in CALLERS_CAUSES:
        return failed(HTTPStatus.BAD_GATEWAY, cause.message)
    message = ILLEGAL_URL if cause.type == "link" else INVALID
    return failed(HTTPStatus.BAD_REQUEST, message, [Problem(URL if cause.type == "link" else "", cause.message)])
