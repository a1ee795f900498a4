"""Objects that ``s3://`` links name, and the platform's own."""

from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from contract.links import s3_place
from contract.object_keys import RESERVED_PREFIX
from queue_agent.aws.clients import aws_errors, code_of
from queue_agent.inputs.links import link_fault, shown_link

if TYPE_CHECKING:
    from types_aiobotocore_s3 import S3Client

CHUNK_BYTES = 256 * 1024

FOREIGN_CODES = frozenset(
    {
        "NoSuchKey",
        "NoSuchBucket",
        "404",
        "403",
        "AccessDenied",
        "InvalidObjectState",
        "InvalidRequest",
        "KeyTooLongError",
        "PermanentRedirect",
    }
)
"""What S3 says of an object that the task should not have named."""


class S3Source:
    """Reads the input buckets, and of the output bucket the folders that a task may read."""

    def __init__(self, client: "S3Client", input_buckets: frozenset[str], output_bucket: str | None) -> None:
        self._client = client
        self._input_buckets = input_buckets
        self._output_bucket = output_bucket

    def linked(self, link: str, readable: tuple[str, ...]) -> AsyncGenerator[bytes, None]:
        """The object in chunks. ``readable``: the folders of the output bucket that the task may read.

        Raises PermanentError when the task may not read it or it is not there, AwsError when S3 is down.
        """
        place = s3_place(link)
        assert place, "in_s3() lets no other in"
        bucket, key = place
        if bucket not in self._input_buckets and bucket != self._output_bucket:
            allowed = ", ".join(sorted({*self._input_buckets, self._output_bucket or ""} - {""}))
            raise link_fault(link, f"bucket {bucket!r} is not among the input buckets: {allowed}")
        parts = key.split("/")
        own = any(key.startswith(f"{folder}/") for folder in readable)
        if not key or (parts[0] == RESERVED_PREFIX and not own) or not {".", ".."}.isdisjoint(parts):
            raise link_fault(link, "it names no object that a task may read")
        if bucket not in self._input_buckets and not own:
            named = [repr(folder) for folder in readable if not folder.startswith(RESERVED_PREFIX)]
            folders = f"only what is below {' or '.join(named)}" if named else "nothing"
            raise link_fault(link, f"in the output bucket, this task may read {folders}")
        return self.object(bucket, key, link)

    async def object(self, bucket: str, key: str, link: str) -> AsyncGenerator[bytes, None]:
        """The object in chunks. Raises as ``linked`` does."""
        with aws_errors(f"read {shown_link(link)}"):
            try:
                response = await self._client.get_object(Bucket=bucket, Key=key)
            except ClientError as error:
                if code_of(error) in FOREIGN_CODES:
                    raise link_fault(link, f"S3 says {code_of(error)}") from error
                raise
            async with response["Body"] as body:
                while chunk := await body.read(CHUNK_BYTES):
                    yield chunk
