"""S3 as the commit record: outputs first, ``.out`` last, and only once.

``.out`` is the runtime's full answer with the outputs' URLs, and under ``task`` what this platform adds about the run.
"""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import filetype
from botocore.exceptions import ClientError
from pydantic import ValidationError

from contract.callback import Callback, Cause
from contract.object_keys import ObjectKeys
from contract.task_table.item import Output as StoredOutput
from queue_agent.aws.clients import aws_errors, code_of
from queue_agent.concurrency import all_of, within
from queue_agent.errors import AwsError, LeaseLost, RuntimeFault
from queue_agent.outcome.limits import OutputBudget, OutputLimits
from queue_agent.outcome.parts import Size, counted, joined, parts_of
from queue_agent.runtimes.base import Output
from queue_agent.telemetry.tracing import Span

if TYPE_CHECKING:
    from types_aiobotocore_s3 import S3Client
    from types_aiobotocore_s3.type_defs import CompletedPartTypeDef

log = logging.getLogger(__name__)

PARALLEL = 4
"""Outputs of one task stored at a time."""

ABORT_SECONDS = 3.0
"""How long aborting an upload may take. The bucket's lifecycle rule removes what could not be aborted."""

DEFAULT_EXTENSION = "png"

ABSENT = frozenset({"NoSuchKey", "404"})
TAKEN = frozenset({"PreconditionFailed", "412"})
"""Something is stored under the key. ConditionalRequestConflict is not among them: another write was under way, and S3
asks to repeat the call."""


@dataclass(frozen=True, slots=True)
class Record:
    """What an earlier delivery of the task committed: the callback that is due, which run of which message wrote it,
    what it stored, and how many seconds it took on the runtime (None when no run gave a result)."""

    callback: Callback
    run_id: str
    message_id: str
    outputs: tuple[StoredOutput, ...] = ()
    seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Attempts:
    """How often a redelivered task has begun to run, why the last run ended, and which message noted it."""

    runs: int
    cause: Cause | None = None
    message_id: str | None = None


class KeyTaken(Exception):
    """Another task of the same prefix and id has this code."""


class Store:
    """Reads and writes the objects of tasks in the output bucket."""

    def __init__(self, client: "S3Client", bucket: str, limits: OutputLimits | None = None) -> None:
        self._client = client
        self._bucket = bucket
        self.limits = limits or OutputLimits()

    async def find_record(self, keys: ObjectKeys) -> tuple[ObjectKeys, Record | None]:
        """The task's own commit record if there is one, and the first keys that no other task has.

        Raises AwsError.
        """
        while True:
            body = await self._read(keys.record_key)
            if body is None:
                return keys, None
            record = _own_record(body, keys)
            if record is not None:
                return keys, record
            keys = keys.next_turn()

    async def put_outputs(
        self, keys: ObjectKeys, outputs: Sequence[Output], span: Span, *, fresh: bool
    ) -> list[StoredOutput]:
        """Store the outputs and return what was stored, in order. With ``fresh`` nothing is overwritten. ``span``
        counts their bytes. When one fails, the others' uploads have ended before its error is raised.

        Raises KeyTaken (only with ``fresh``), AwsError, PermanentError for outputs beyond the limits, and RuntimeFault
        when the runtime does not give an output.
        """
        gate = asyncio.Semaphore(PARALLEL)
        budget = OutputBudget(self.limits)

        async def put(number: int, output: Output) -> StoredOutput:
            async with gate:
                size = Size()
                parts = counted(parts_of(output), number, budget, span, size)
                key, media_type = await self._put_output(keys, number, parts, output.extension, fresh=fresh)
                return StoredOutput(key=key, type=media_type, size=size.bytes)

        return await all_of(put(number, output) for number, output in enumerate(outputs, 1))

    async def put_record(self, keys: ObjectKeys, answer: dict[str, Any], task: dict[str, Any], run_id: str) -> None:
        """Write ``.out``, once. ``task`` holds the callback.

        Raises LeaseLost when another run has committed this task, KeyTaken when another task has the code,
        PermanentError when the record is too large, AwsError otherwise.
        """
        source = {"message_id": keys.message_id, "request_id": keys.request_id, "run_id": run_id}
        body = json.dumps({**answer, "task": {**task, **source}}).encode()
        self.limits.check_record(len(body))
        try:
            with aws_errors(f"store {keys.url(keys.record_key)}"):
                await self._put(keys.record_key, body, "application/json", fresh=True)
        except KeyTaken:
            existing = await self._read(keys.record_key)
            if existing is None:
                raise AwsError(
                    f"could not store {keys.url(keys.record_key)}: S3 says that it exists, and that it does not"
                ) from None
            record = _own_record(existing, keys)
            if record is None:
                raise
            # The SDK repeats a PUT whose response was lost on the way, which then meets itself.
            if record.run_id != run_id:
                raise LeaseLost from None

    async def attempts(self, keys: ObjectKeys) -> Attempts | None:
        """What is noted of earlier runs; None when nothing is. Raises AwsError."""
        body = await self._read(keys.attempts_key)
        if body is None:
            return None
        noted = json.loads(body)
        cause = Cause.model_validate(noted["cause"]) if noted["cause"] else None
        return Attempts(runs=noted["runs"], cause=cause, message_id=noted.get("message_id"))

    async def note_attempts(self, keys: ObjectKeys, attempts: Attempts, *, fresh: bool = False) -> None:
        """Note them for the next delivery; with ``fresh`` only if nothing is noted. Raises AwsError."""
        cause = attempts.cause.model_dump() if attempts.cause else None
        body = json.dumps({"runs": attempts.runs, "cause": cause, "message_id": keys.message_id})
        with aws_errors("note the attempt"), suppress(KeyTaken):
            await self._put(keys.attempts_key, body.encode(), "application/json", fresh=fresh)

    async def _read(self, key: str) -> bytes | None:
        with aws_errors(f"read s3://{self._bucket}/{key}"):
            try:
                response = await self._client.get_object(Bucket=self._bucket, Key=key)
            except ClientError as error:
                if code_of(error) in ABSENT:
                    return None
                raise
            async with response["Body"] as body:
                return await body.read()

    async def _put_output(
        self, keys: ObjectKeys, number: int, parts: AsyncIterator[bytes], named: str | None, *, fresh: bool
    ) -> tuple[str, str]:
        """The object's key and its media type."""
        head = await anext(parts, b"")
        if not head:
            raise RuntimeFault("empty-output", f"output {number} of the runtime is empty")
        extension, media_type = _file_type(head, named)
        key = keys.image_key(number, extension)
        following = await anext(parts, None)
        with aws_errors(f"store {keys.url(key)}"):
            if following is None:
                await self._put(key, head, media_type, fresh=fresh)
            else:
                await self._put_parts(key, joined(head, following, parts), media_type, fresh=fresh)
        return key, media_type

    async def _put(self, key: str, body: bytes, media_type: str, *, fresh: bool) -> None:
        with _taken(key):
            await self._client.put_object(
                Bucket=self._bucket, Key=key, Body=body, ContentType=media_type, **_condition(fresh=fresh)
            )

    async def _put_parts(self, key: str, parts: AsyncIterator[bytes], media_type: str, *, fresh: bool) -> None:
        begun = await self._client.create_multipart_upload(Bucket=self._bucket, Key=key, ContentType=media_type)
        upload = begun["UploadId"]
        done: list[CompletedPartTypeDef] = []
        try:
            async for part in parts:
                number = len(done) + 1
                response = await self._client.upload_part(
                    Bucket=self._bucket, Key=key, UploadId=upload, PartNumber=number, Body=part
                )
                done.append({"PartNumber": number, "ETag": response["ETag"]})
            with _taken(key):
                await self._client.complete_multipart_upload(
                    Bucket=self._bucket,
                    Key=key,
                    UploadId=upload,
                    MultipartUpload={"Parts": done},
                    **_condition(fresh=fresh),
                )
        except BaseException:
            await self._abort(key, upload)
            raise

    async def _abort(self, key: str, upload: str) -> None:
        """Never raises, save on cancellation: what broke the upload off is what counts."""
        try:
            with aws_errors(f"abort the upload of {key}"):
                await within(
                    ABORT_SECONDS,
                    self._client.abort_multipart_upload(Bucket=self._bucket, Key=key, UploadId=upload),
                )
        except AwsError as error:
            log.warning("an upload was not aborted", extra={"action": "abort_upload", "cause": error.message})


def _condition(*, fresh: bool) -> dict[str, Any]:
    return {"IfNoneMatch": "*"} if fresh else {}


@contextmanager
def _taken(key: str) -> Iterator[None]:
    """Raises KeyTaken where S3 says that the key is taken."""
    try:
        yield
    except ClientError as error:
        if code_of(error) in TAKEN:
            raise KeyTaken(key) from error
        raise


def _file_type(head: bytes, named: str | None) -> tuple[str, str]:
    """Extension and media type, by the content's first bytes, else by what the runtime calls the file."""
    kind = filetype.guess(head)
    if kind is not None:
        return kind.extension, kind.mime
    return named or DEFAULT_EXTENSION, "application/octet-stream" if named else "image/png"


def _own_record(body: bytes, keys: ObjectKeys) -> Record | None:
    """The record if it is this task's own; an object of the same name that says otherwise is another task's."""
    try:
        task = json.loads(body)["task"]
        if (task.get("request_id") or task["message_id"]) != keys.identity:
            return None
        return Record(
            callback=Callback.model_validate(task["callback"]),
            run_id=str(task["run_id"]),
            message_id=str(task["message_id"]),
            outputs=tuple(StoredOutput.model_validate(output) for output in task.get("outputs", ())),
            seconds=task["ran"]["seconds"] if "ran" in task else None,
        )
    except (ValueError, KeyError, TypeError, AttributeError, ValidationError):
        return None
