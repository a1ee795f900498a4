"""Synchronous routes: the image kit's requests, each run as a task and answered with its result.

The routes, bodies and answers are those of ``contract.image_kit``. A result that is larger than a function's answer is
a link, and a task that has not ended in time is answered 202 with its place.
"""

import base64
import json
import time
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from contract.callback import Callback, Cause
from contract.errors import ContractError, Problem, shown
from contract.image_kit import RESULT, ROUTES, URL
from contract.object_keys import SYNC_FOLDER, ObjectKeys
from contract.runtimes import TaskType
from frontend_lambda.admission import Admission
from frontend_lambda.caller import Caller
from frontend_lambda.content import CONTENT
from frontend_lambda.responses import Response, respond
from frontend_lambda.settings import Settings
from frontend_lambda.v1alpha2 import accept

MAX_ANSWER_BYTES = 6 * 1024 * 1024 - 64 * 1024
"""Lambda carries 6 MiB of an answer as JSON; the rest is for headers and quotes."""

LINK_SECONDS = 300
"""For how long a link to a result opens."""

INVALID, ILLEGAL_URL = "invalid param", f"parameter `{URL}` illegal"
"""Messages that callers of the earlier services know."""

CALLERS_CAUSES = frozenset({"invalid-request", "link", "policy", "output-limit", "content"})
"""Causes of a failed task that the caller can fix."""

ABSENT = frozenset({"NoSuchKey", "404", "403", "AccessDenied"})
"""What S3 says of an object that is not there yet, with and without the permission to list."""


@dataclass(frozen=True, slots=True)
class SyncTimings:
    """Seconds. ``total``: for a request, below the 29 s of API Gateway; ``pauses`` between looks at the result, the
    last one from then on."""

    total: float = 25.0
    pauses: tuple[float, ...] = (0.1, 0.1, 0.2, 0.2, 0.3, 0.5)


class SyncRoutes:
    """Keeps one S3 client. Safe to use from many threads."""

    def __init__(self, settings: Settings, session: boto3.Session, timings: SyncTimings | None = None) -> None:
        self._runtime = settings.sync_image_kit
        self._bucket = settings.output_bucket
        self._timings = timings or SyncTimings()
        self._s3: Any = session.client(
            "s3",
            region_name=settings.region,
            endpoint_url=settings.endpoint_url,
            config=Config(connect_timeout=1, read_timeout=5, retries={"mode": "standard"}, signature_version="s3v4"),
        )

    @property
    def paths(self) -> tuple[str, ...]:
        """The resources that are served."""
        return tuple(f"/{route}" for route in ROUTES) if self._runtime else ()

    def operation(self, path: str) -> TaskType | None:
        """What the path asks for; None for one that is not served."""
        return ROUTES.get(path.removeprefix("/")) if self._runtime else None

    def admit(self, operation: TaskType, body: Any, caller: Caller) -> Admission:
        """The task of the body. Raises ContractError with everything that is wrong, by the body's own fields."""
        if not isinstance(body, dict):
            raise ContractError([Problem("", f"must be a JSON object, got {shown(body)}")])
        prefixes = caller.client.prefixes
        metadata = {
            "id": uuid.uuid4().hex,
            "runtime": self._runtime,
            "tasktype": operation.value,
            "prefix": f"{prefixes[0]}/{SYNC_FOLDER}" if prefixes else SYNC_FOLDER,
        }
        try:
            return accept({"task": {"metadata": metadata, "content": body}}, caller)
        except ContractError as error:
            raise ContractError(_own_fields(error), omitted=error.omitted) from error

    def refusal(self, error: ContractError) -> Response:
        """400, as the services say it."""
        return _failed(HTTPStatus.BAD_REQUEST, INVALID, error.problems)

    def answer(self, admission: Admission, accepted: Response, request_id: str, started: float) -> Response:
        """The result, once the task has ended. ``accepted`` is what an asynchronous route would answer, and is the body
        of 202 when the task has not ended ``total`` seconds after ``started`` (of time.monotonic)."""
        metadata = admission.task.metadata
        keys = ObjectKeys(self._bucket, metadata.prefix, metadata.id, message_id="", request_id=request_id)
        record = self._record(keys.record_key, started + self._timings.total)
        if record is None:
            return {**accepted, "statusCode": HTTPStatus.ACCEPTED.value}
        callback = Callback.model_validate(record["task"]["callback"])
        if callback.error is not None:
            return _failure_of(callback.error)
        if metadata.tasktype is TaskType.OCR:
            return _answered(record[RESULT])
        return self._image(callback.image_url[0].removeprefix(keys.url("")))

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
        yield from self._timings.pauses
        while True:
            yield self._timings.pauses[-1]

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

    def _image(self, key: str) -> Response:
        place = {"Bucket": self._bucket, "Key": key}
        size = self._s3.head_object(**place)["ContentLength"]
        if -(-size // 3) * 4 <= MAX_ANSWER_BYTES:
            image = self._s3.get_object(**place)["Body"].read()
            return _answered({RESULT: base64.b64encode(image).decode()})
        return _answered({"url": self._s3.generate_presigned_url("get_object", Params=place, ExpiresIn=LINK_SECONDS)})


def _own_fields(error: ContractError) -> Iterator[Problem]:
    for problem in error.problems:
        yield Problem(problem.field.removeprefix(CONTENT).removeprefix("."), problem.problem)


def _failure_of(cause: Cause) -> Response:
    if cause.type not in CALLERS_CAUSES:
        return _failed(HTTPStatus.BAD_GATEWAY, cause.message, ())
    message = ILLEGAL_URL if cause.type == "link" else INVALID
    return _failed(HTTPStatus.BAD_REQUEST, message, [Problem(URL if cause.type == "link" else "", cause.message)])


def _answered(value: Any) -> Response:
    return {
        "statusCode": HTTPStatus.OK.value,
        "headers": {"Content-Type": "application/json"},
        "body": json.dumps(value, ensure_ascii=False),
    }


def _failed(status: HTTPStatus, message: str, problems: Any) -> Response:
    errors = [{"field": one.field, "problem": one.problem} for one in problems]
    return respond(status, {"message": message, "errors": errors})
