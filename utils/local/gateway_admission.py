"""Whom the local API Gateway lets in: callers with an API key, with a signature of IAM, or everybody."""

import asyncio
import hmac
from collections.abc import Iterable
from http import HTTPStatus
from typing import Any

from aiohttp import web

from utils.local.lambda_proxy import Caller
from utils.local.signature import BadSignature, Signatures, SignedRequest
from utils.local.usage import ApiKey, OverLimit, Usage

MAX_BODY_BYTES = 10 * 1024 * 1024
"""Of API Gateway: "HTTP content length exceeded 10485760 bytes"."""

READ_SECONDS = 30.0
"""How long a client may take to send its body."""


class Refused(Exception):
    """A request that no function sees."""

    def __init__(self, status: HTTPStatus, message: str, **headers: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.headers = headers

    @property
    def body(self) -> dict[str, Any]:
        """The answer's JSON, in the shape of the function's errors."""
        return {"message": self.message, "errors": []}


class NotSigned(Refused):
    """403 with API Gateway's own text and shape, which SDKs and their users know."""

    def __init__(self, message: str) -> None:
        super().__init__(HTTPStatus.FORBIDDEN, message)

    @property
    def body(self) -> dict[str, Any]:
        return {"message": self.message}


class Admission:
    """Admits requests with one of ``keys``; or with ``signatures`` signed ones, and with ``open_to_all`` all, which
    have together what the only key allows."""

    def __init__(self, keys: Iterable[ApiKey], signatures: Signatures | None, *, open_to_all: bool) -> None:
        self._usages = tuple(Usage(key) for key in keys)
        self._signatures = signatures
        self._keyed = signatures is None and not open_to_all

    async def admit(self, request: web.Request) -> Caller:
        """Who sent it. Raises Refused for what API Gateway answers by itself."""
        usage, caller = self._usages[0], Caller()
        if self._signatures is not None:
            caller = Caller(access_key=await _signer(request, self._signatures))
        elif self._keyed:
            usage = self._usage(request.headers.get("x-api-key", "").encode(errors="surrogateescape"))
            caller = Caller(api_key=usage.key)
        try:
            usage.take()
        except OverLimit as error:
            raise Refused(HTTPStatus.TOO_MANY_REQUESTS, str(error)) from error
        return caller

    def _usage(self, value: bytes) -> Usage:
        """Every key is compared, so that the time tells nothing."""
        found = [usage for usage in self._usages if hmac.compare_digest(value, usage.key.value.encode())]
        if not found:
            raise Refused(HTTPStatus.UNAUTHORIZED, "the header x-api-key is missing or holds no valid key")
        return found[0]


async def _signer(request: web.Request, signatures: Signatures) -> str:
    signed = SignedRequest(
        request.method, f"{request.scheme}://{request.host}{request.raw_path}", request.headers, await body_of(request)
    )
    try:
        return signatures.check(signed)
    except BadSignature as error:
        raise NotSigned(str(error)) from error


async def body_of(request: web.Request) -> bytes:
    """The whole body. Raises Refused."""
    try:
        async with asyncio.timeout(READ_SECONDS):
            return await request.read()
    except web.HTTPRequestEntityTooLarge:
        raise too_large(f"the body must be at most {MAX_BODY_BYTES} bytes") from None
    except TimeoutError:
        raise Refused(HTTPStatus.REQUEST_TIMEOUT, "the body did not arrive in time") from None
    except web.RequestPayloadError:
        raise Refused(HTTPStatus.BAD_REQUEST, "the body cannot be decoded as its headers say") from None
    except ConnectionError:
        raise Refused(HTTPStatus.BAD_REQUEST, "the connection was lost") from None  # for the log; nobody reads it


def too_large(limit: str) -> Refused:
    """413; ``limit`` says which."""
    advice = "put images in S3 and send their s3:// URLs instead"
    return Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"the request is too large: {limit}; {advice}")
