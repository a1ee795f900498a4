"""S3 as the commit record: pictures first, ``.out`` last, and only once.

``.out`` is the runtime's full answer with the pictures' places, and under ``task`` what this platform says of the run.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import filetype
from botocore.exceptions import ClientError
from pydantic import ValidationError

from contract.callback import Callback, Cause
from contract.metrics import STORED_BYTES
from contract.object_keys import ObjectKeys
from queue_agent.aws.clients import aws_errors, code_of
from queue_agent.errors import LeaseLost, RuntimeFault
from queue_agent.runtimes.base import Output
from queue_agent.telemetry.tracing import Span

if TYPE_CHECKING:
    from types_aiobotocore_s3 import S3Client
    from types_aiobotocore_s3.type_defs import CompletedPartTypeDef

PART_BYTES = 8 * 1024 * 1024
"""What is held of one output at a time; larger ones go up in parts of this size (S3 wants at least 5 MiB)."""

PARALLEL = 4
"""Outputs of one task stored at a time."""

DEFAULT_EXTENSION = "png"

ABSENT = frozenset({"NoSuchKey", "404"})
TAKEN = frozenset({"PreconditionFailed", "412", "ConditionalRequestConflict"})


@dataclass(frozen=True, slots=True)
class Record:
    """What an earlier delivery of the message committed: the callback that is due, and which run wrote it."""

    callback: Callback
    run_id: str


@dataclass(frozen=True, slots=True)
class Attempts:
    """How often a redelivered task has begun to run, and why the last run ended."""

    runs: int
    cause: Cause | None = None


class KeyTaken(Exception):
    """Another task of the same prefix and id has this code."""


class Store:
    """Reads and writes the objects of tasks in the output bucket."""

    def __init__(self, client: "S3Client", bucket: str) -> None:
        self._client = client
        self._bucket = bucket

    async def find_record(self, keys: ObjectKeys) -> tuple[ObjectKeys, Record | None]:
        """The message's own commit record if there is one, and the first places that no other message has.

        Raises AwsError.
        """
        while True:
            body = await self._read(keys.record_key)
            if body is None:
                return keys, None
            record = _record(body, keys.message_id)
            if record is not None:
                return keys, record
            keys = keys.next_turn()

    async def put_outputs(self, keys: ObjectKeys, outputs: Sequence[Output], span: Span, *, fresh: bool) -> list[str]:
        """Store the outputs and return their places, in order. With ``fresh`` nothing is overwritten. ``span`` is told
        of their bytes.

        Raises KeyTaken (only with ``fresh``), AwsError, and what the outputs' ``read`` raises.
        """
        gate = asyncio.Semaphore(PARALLEL)

        async def put(number: int, output: Output) -> str:
            async with gate:
                return await self._put_output(keys, number, output, span, fresh=fresh)

        tasks = [asyncio.create_task(put(number, output)) for number, output in enumerate(outputs, 1)]
        try:
            return await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()

    async def put_record(self, keys: ObjectKeys, answer: dict[str, Any], task: dict[str, Any], run_id: str) -> None:
        """Write ``.out``, once. ``task`` holds the callback.

        Raises LeaseLost when another agent has committed this message, KeyTaken when another message has the code,
        AwsError otherwise.
        """
        body = json.dumps({**answer, "task": {**task, "message_id": keys.message_id, "run_id": run_id}})
        try:
            with aws_errors(f"store {keys.url(keys.record_key)}"):
                await self._put(keys.record_key, body.encode(), "application/json", fresh=True)
        except KeyTaken:
            existing = await self._read(keys.record_key)
            record = _record(existing, keys.message_id) if existing else None
            if record is None:
                raise
            # A PUT whose answer got lost on the way is repeated by the SDK and then meets itself.
            if record.run_id != run_id:
                raise LeaseLost from None

    async def attempts(self, keys: ObjectKeys) -> Attempts | None:
        """What is noted of earlier runs; None when nothing is. Raises AwsError."""
        body = await self._read(keys.attempts_key)
        if body is None:
            return None
        noted = json.loads(body)
        return Attempts(runs=noted["runs"], cause=Cause.model_validate(noted["cause"]) if noted["cause"] else None)

    async def note_attempts(self, keys: ObjectKeys, attempts: Attempts) -> None:
        """Raises AwsError."""
        cause = attempts.cause.model_dump() if attempts.cause else None
        body = json.dumps({"runs": attempts.runs, "cause": cause, "message_id": keys.message_id})
        with aws_errors("note the attempt"):
            await self._put(keys.attempts_key, body.encode(), "application/json", fresh=False)

    async def _read(self, key: str) -> bytes | None:
        with aws_errors(f"read s3://{self._bucket}/{key}"):
            try:
                answer = await self._client.get_object(Bucket=self._bucket, Key=key)
            except ClientError as error:
                if code_of(error) in ABSENT:
                    return None
                raise
            async with answer["Body"] as body:
                return await body.read()

    async def _put_output(self, keys: ObjectKeys, number: int, output: Output, span: Span, *, fresh: bool) -> str:
        parts = _counted(_parts(output), span)
        head = await anext(parts, b"")
        if not head:
            raise RuntimeFault("empty-output", f"output {number} of the runtime is empty")
        extension, media_type = _kind(head, output.extension)
        key = keys.image_key(number, extension)
        following = await anext(parts, None)
        with aws_errors(f"store {keys.url(key)}"):
            if following is None:
                await self._put(key, head, media_type, fresh=fresh)
            else:
                await self._put_parts(key, _chain(head, following, parts), media_type)
        return keys.url(key)

    async def _put(self, key: str, body: bytes, media_type: str, *, fresh: bool) -> None:
        condition: dict[str, Any] = {"IfNoneMatch": "*"} if fresh else {}
        try:
            await self._client.put_object(Bucket=self._bucket, Key=key, Body=body, ContentType=media_type, **condition)
        except ClientError as error:
            if code_of(error) in TAKEN:
                raise KeyTaken(key) from error
            raise

    async def _put_parts(self, key: str, parts: AsyncIterator[bytes], media_type: str) -> None:
        begun = await self._client.create_multipart_upload(Bucket=self._bucket, Key=key, ContentType=media_type)
        upload = begun["UploadId"]
        done: list[CompletedPartTypeDef] = []
        try:
            async for part in parts:
                number = len(done) + 1
                answer = await self._client.upload_part(
                    Bucket=self._bucket, Key=key, UploadId=upload, PartNumber=number, Body=part
                )
                done.append({"PartNumber": number, "ETag": answer["ETag"]})
            await self._client.complete_multipart_upload(
                Bucket=self._bucket, Key=key, UploadId=upload, MultipartUpload={"Parts": done}
            )
        except BaseException:
            await self._client.abort_multipart_upload(Bucket=self._bucket, Key=key, UploadId=upload)
            raise


async def _parts(output: Output) -> AsyncIterator[bytes]:
    held: list[bytes] = []
    size = 0
    async for chunk in output.read():
        held.append(chunk)
        size += len(chunk)
        if size >= PART_BYTES:
            yield b"".join(held)
            held, size = [], 0
    if size:
        yield b"".join(held)


async def _counted(parts: AsyncIterator[bytes], span: Span) -> AsyncIterator[bytes]:
    async for part in parts:
        span.carry(STORED_BYTES, len(part))
        yield part


async def _chain(first: bytes, second: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield first
    yield second
    async for part in rest:
        yield part


def _kind(head: bytes, named: str | None) -> tuple[str, str]:
    kind = filetype.guess(head)
    if kind is not None:
        return kind.extension, kind.mime
    return named or DEFAULT_EXTENSION, "application/octet-stream" if named else "image/png"


def _record(body: bytes, message_id: str) -> Record | None:
    """The record if it is this message's own; an object of the same name that says otherwise is another task's."""
    try:
        task = json.loads(body)["task"]
        if task["message_id"] != message_id:
            return None
        return Record(callback=Callback.model_validate(task["callback"]), run_id=str(task["run_id"]))
    except (ValueError, KeyError, TypeError, ValidationError):
        return None
