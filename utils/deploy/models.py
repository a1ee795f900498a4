"""Copies a model from the web into a bucket, part by part, without keeping it on this machine.

An interrupted upload is resumed: the source is read again from its beginning, since only that gives the checksum of
the whole, and parts that S3 holds already are not sent again. The object appears when its checksum was right.
"""

import hashlib
import http
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import urllib3
from botocore.exceptions import ClientError

from utils.deploy.account import CLIENT, Account
from utils.deploy.console import DeployError, Progress, say

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client
    from types_boto3_s3.type_defs import CompletedPartTypeDef, HeadObjectOutputTypeDef

PART_BYTES = 64 * 2**20
"""A few of them fit into memory, and 10,000, the most that S3 takes, are 640 GB."""

UPLOADS_AT_ONCE = 3

READ_BYTES = 2**20

TRIES = 5
"""How often the source is asked again without a byte coming in between."""

TIMEOUT = urllib3.Timeout(connect=10, read=60)

SHA256 = "sha256"
"""The object's metadata key that holds the checksum."""

HEX_DIGITS = 64


@dataclass(frozen=True, slots=True)
class Model:
    """A file on the web, and its place in the bucket. ``sha256`` None takes the hub's word, if it gives it."""

    url: str
    key: str
    sha256: str | None = None


SD_1_5 = Model(
    "https://huggingface.co/stable-diffusion-v1-5/stable-diffusion-v1-5/resolve/"
    "451f4fe16113bff5a5d2269ed5ad43b0592e9a14/v1-5-pruned-emaonly.safetensors",
    "Stable-diffusion/v1-5-pruned-emaonly.safetensors",
    "6ce0161689b3853acaa03779ec93eafe75a02f4ced659bee03f50797806fa2fa",
)
"""The guide's model, at a revision that cannot change."""


@dataclass(frozen=True, slots=True)
class Source:
    """What the web says of a file."""

    size: int
    sha256: str | None


class Web:
    """Reads files. Raises DeployError when they cannot be had."""

    def __init__(self) -> None:
        proxy = urllib.request.getproxies().get("https")
        self._pool = urllib3.ProxyManager(proxy) if proxy else urllib3.PoolManager()

    def probe(self, url: str) -> Source:
        """Size in bytes, and the checksum that the Hugging Face hub states before it redirects to its store."""
        first = self._ask("HEAD", url, redirect=False)
        response = first.headers.get("X-Linked-ETag", "").strip('"')
        last = self._ask("GET", url, redirect=True, headers={"Range": "bytes=0-0", "Accept-Encoding": "identity"})
        last.drain_conn()
        _, _, total = last.headers.get("Content-Range", "").partition("/")
        if last.status != http.HTTPStatus.PARTIAL_CONTENT or not total.isdigit():
            raise DeployError(f"{url} cannot be read in parts: it answers {last.status}", "Name another URL.")
        return Source(int(total), response if len(response) == HEX_DIGITS else None)

    def read(self, url: str, size: int) -> Iterator[bytes]:
        """The whole file in pieces; a connection that breaks is made again where it broke."""
        done = fruitless = 0
        while done < size:
            before = done
            try:
                for piece in self._from(url, done):
                    done += len(piece)
                    yield piece
            except (urllib3.exceptions.HTTPError, OSError) as error:
                problem = str(error)
            else:
                problem = "the connection was closed early"
            fruitless = fruitless + 1 if done == before else 0
            if fruitless == TRIES:
                raise DeployError(f"{url} cannot be read further than {done} of {size} bytes: {problem}", AGAIN)

    def _from(self, url: str, start: int) -> Iterator[bytes]:
        headers = {"Range": f"bytes={start}-", "Accept-Encoding": "identity"}
        answer = self._pool.request("GET", url, headers=headers, preload_content=False, timeout=TIMEOUT, retries=5)
        try:
            if answer.status != http.HTTPStatus.PARTIAL_CONTENT:
                raise urllib3.exceptions.HTTPError(f"it answers {answer.status}")
            yield from answer.stream(READ_BYTES)
        finally:
            answer.close()

    def _ask(
        self, method: str, url: str, *, redirect: bool, headers: dict[str, str] | None = None
    ) -> urllib3.BaseHTTPResponse:
        try:
            answer = self._pool.request(method, url, headers=headers, redirect=redirect, timeout=TIMEOUT, retries=5)
        except urllib3.exceptions.HTTPError as error:
            raise DeployError(f"{url} cannot be reached: {error}", *FIX_URL) from error
        if answer.status >= http.HTTPStatus.BAD_REQUEST:
            raise DeployError(f"{url} answers {answer.status}", *FIX_URL)
        return answer


AGAIN = "Run the same command again; it continues from here."
FIX_URL = (
    "Check the network and HTTPS_PROXY, or copy the file from a mirror:",
    "deploy/upload-model.sh -b BUCKET --url https://MIRROR/FILE.safetensors",
)


def copy(account: Account, bucket: str, model: Model, *, part_bytes: int = PART_BYTES, web: Web | None = None) -> None:
    """Copy ``model`` into ``bucket`` unless it is there. Raises DeployError, and leaves no half of an object behind."""
    s3 = account.session.client("s3", config=CLIENT)
    held = _head(s3, bucket, model.key)
    if model.sha256 and held and held["Metadata"].get(SHA256) == model.sha256:
        say(f"    s3://{bucket}/{model.key} is there")
        return
    web = web or Web()
    source = web.probe(model.url)
    expected = model.sha256 or source.sha256
    # One that was stored by other means has no checksum, and is known by its size only.
    same = held is not None and (expected is None or held["Metadata"].get(SHA256, expected) == expected)
    if held and same and held["ContentLength"] == source.size:
        say(f"    s3://{bucket}/{model.key} is there")
        return
    say(f"    copying {model.url} to s3://{bucket}/{model.key}, {source.size / 1e9:.2f} GB")
    upload = _Upload.open(s3, bucket, model.key, expected)
    found = upload.send(web.read(model.url, source.size), part_bytes, Progress(source.size))
    if expected and found != expected:
        upload.abort()
        raise DeployError(
            f"{model.url} is not what it should be: its SHA-256 is {found}, and {expected} was expected",
            "Nothing was stored. Run it again; if it stays so, name another --url.",
        )
    upload.complete()
    say(f"    SHA-256 {found}{'' if expected else ', with nothing to compare it to'}")


def _head(s3: "S3Client", bucket: str, key: str) -> "HeadObjectOutputTypeDef | None":
    try:
        return s3.head_object(Bucket=bucket, Key=key)
    except ClientError as error:
        if error.response["Error"]["Code"] == "404":
            return None
        raise


class _Upload:
    """One multipart upload, new or found again."""

    def __init__(self, s3: "S3Client", bucket: str, key: str, upload_id: str, held: dict[int, str]) -> None:
        self._s3 = s3
        self._bucket, self._key, self._id = bucket, key, upload_id
        self._held = held
        self._parts: dict[int, str] = {}

    @classmethod
    def open(cls, s3: "S3Client", bucket: str, key: str, sha256: str | None) -> "_Upload":
        pages = s3.get_paginator("list_multipart_uploads").paginate(Bucket=bucket, Prefix=key)
        ids = [one["UploadId"] for page in pages for one in page.get("Uploads", ()) if one["Key"] == key]
        if ids:
            parts = s3.get_paginator("list_parts").paginate(Bucket=bucket, Key=key, UploadId=ids[-1])
            held = {part["PartNumber"]: part["ETag"] for page in parts for part in page.get("Parts", ())}
            say(f"    resuming an interrupted upload, {len(held)} parts are there")
            return cls(s3, bucket, key, ids[-1], held)
        metadata = {SHA256: sha256} if sha256 else {}
        made = s3.create_multipart_upload(Bucket=bucket, Key=key, Metadata=metadata)
        return cls(s3, bucket, key, made["UploadId"], {})

    def send(self, pieces: Iterator[bytes], part_bytes: int, progress: Callable[[int], None]) -> str:
        """Store all that ``pieces`` give. Returns its SHA-256. What was sent stays when this is cut off."""
        whole, done = hashlib.sha256(), 0
        with ThreadPoolExecutor(UPLOADS_AT_ONCE) as pool:
            sending: list[Future[None]] = []
            try:
                for number, part in enumerate(_parts(pieces, part_bytes), start=1):
                    whole.update(part)
                    done += len(part)
                    if len(sending) == UPLOADS_AT_ONCE:
                        sending.pop(0).result()
                    sending.append(pool.submit(self._send_part, number, part))
                    progress(done)
                for future in sending:
                    future.result()
            except BaseException:
                pool.shutdown(wait=True, cancel_futures=True)
                raise
        return whole.hexdigest()

    def complete(self) -> None:
        parts: list[CompletedPartTypeDef] = [
            {"PartNumber": number, "ETag": etag} for number, etag in sorted(self._parts.items())
        ]
        self._s3.complete_multipart_upload(
            Bucket=self._bucket, Key=self._key, UploadId=self._id, MultipartUpload={"Parts": parts}
        )

    def abort(self) -> None:
        self._s3.abort_multipart_upload(Bucket=self._bucket, Key=self._key, UploadId=self._id)

    def _send_part(self, number: int, part: bytes) -> None:
        """S3's tag of a part is its MD5, unless a KMS key encrypts it: then none is known again, and all are sent."""
        digest = hashlib.md5(part, usedforsecurity=False).hexdigest()
        held = self._held.get(number, "")
        if held.strip('"') != digest:
            sent = self._s3.upload_part(
                Bucket=self._bucket, Key=self._key, UploadId=self._id, PartNumber=number, Body=part
            )
            held = sent["ETag"]
        self._parts[number] = held


def _parts(pieces: Iterator[bytes], size: int) -> Iterator[bytes]:
    """The same bytes in parts of ``size``, the last one smaller."""
    part = bytearray()
    for piece in pieces:
        part += piece
        while len(part) >= size:
            yield bytes(part[:size])
            del part[:size]
    if part:
        yield bytes(part)
