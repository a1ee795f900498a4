"""Signatures of requests (SigV4), judged as API Gateway judges them where a method's authorization is AWS_IAM.

botocore signs the request once more, with what its own headers say, and the two signatures are compared. Signatures in
the query string are not taken.
"""

import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

from botocore.auth import SIGV4_TIMESTAMP, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.compat import HTTPHeaders
from botocore.credentials import Credentials
from multidict import CIMultiDictProxy

SERVICE = "execute-api"

MAX_SKEW = timedelta(minutes=5)
"""Between the caller's clock and AWS's."""

MISSING = "Missing Authentication Token"
"""For a request that is not signed."""

_AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256\s+Credential=(?P<key>[^/,\s]+)/(?P<date>[0-9]{8})/(?P<region>[a-z0-9-]+)/(?P<service>[a-z0-9-]+)"
    r"/aws4_request\s*,\s*SignedHeaders=(?P<headers>[A-Za-z0-9;_.-]+)\s*,\s*Signature=(?P<signature>[0-9a-f]{64})"
)


class BadSignature(Exception):
    """The request is not signed, or not as it should be. The text is API Gateway's."""


@dataclass(frozen=True, slots=True)
class SignedRequest:
    """What a signature is about. ``url`` is as it came, with its query; header names are compared without case."""

    method: str
    url: str
    headers: CIMultiDictProxy[str]
    body: bytes


class Signatures:
    """Judges requests. ``secrets`` are secret keys by the id of the access key."""

    def __init__(self, secrets: Mapping[str, str], region: str) -> None:
        self._secrets = secrets
        self._region = region

    def check(self, request: SignedRequest, now: datetime | None = None) -> str:
        """The id of the access key that signed it. Raises BadSignature."""
        authorization = request.headers.get("Authorization")
        if not authorization:
            raise BadSignature(MISSING)
        found = _AUTHORIZATION.fullmatch(authorization.strip())
        if found is None:
            raise BadSignature(f"Authorization header must be a signature of AWS4-HMAC-SHA256. Authorization={SHOWN}")
        secret = self._secrets.get(found["key"])
        if secret is None:
            raise BadSignature("The security token included in the request is invalid.")
        if (found["region"], found["service"]) != (self._region, SERVICE):
            raise BadSignature(f"Credential should be scoped to {self._region} and the service {SERVICE}.")
        signed = found["headers"].lower().split(";")
        timestamp = self._timestamp(request, found["date"], now or datetime.now(UTC))
        expected = _signature(request, signed, timestamp, Credentials(found["key"], secret), self._region)
        if not _covers_body(request) or not hmac.compare_digest(expected, found["signature"]):
            raise BadSignature(
                "The request signature we calculated does not match the signature you provided. Check your AWS Secret "
                "Access Key and signing method. Consult the service documentation for details."
            )
        return found["key"]

    @staticmethod
    def _timestamp(request: SignedRequest, date: str, now: datetime) -> str:
        timestamp = request.headers.get("X-Amz-Date", "")
        try:
            signed_at = datetime.strptime(timestamp, SIGV4_TIMESTAMP).replace(tzinfo=UTC)
        except ValueError:
            raise BadSignature("Authorization header requires existence of an 'X-Amz-Date' header.") from None
        if not timestamp.startswith(date):
            raise BadSignature("Date in Credential scope does not match the date of 'X-Amz-Date'.")
        if abs(now - signed_at) > MAX_SKEW:
            raise BadSignature(
                f"Signature expired: {timestamp} is more than {MAX_SKEW.seconds} s away from {now:{SIGV4_TIMESTAMP}}"
            )
        return timestamp


SHOWN = "…"
"""In place of a header that may hold a secret."""


def _covers_body(request: SignedRequest) -> bool:
    """A client may say the body's hash in a header; then it must be that of the body."""
    said = request.headers.get("X-Amz-Content-SHA256")
    return said is None or said == sha256(request.body).hexdigest()


def _signature(request: SignedRequest, signed: list[str], timestamp: str, credentials: Credentials, region: str) -> str:
    again = AWSRequest(method=request.method, url=request.url, data=request.body, headers={})
    for name in signed:
        for value in request.headers.getall(name, []):
            again.headers[name] = value
    again.context["timestamp"] = timestamp
    auth: Any = _AsSigned(credentials, SERVICE, region)
    return str(auth.signature(auth.string_to_sign(again, auth.canonical_request(again)), again))


class _AsSigned(SigV4Auth):
    """Signs the headers that the client signed, and no others: clients differ in which these are."""

    def headers_to_sign(self, request: AWSRequest) -> HTTPHeaders:
        return request.headers
