"""The headers by which an API knows its callers: an API key, a signature of IAM (SigV4), or none."""

from collections.abc import Callable, Mapping
from typing import TypeAlias

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

SERVICE = "execute-api"
"""API Gateway's name in signatures."""

Authorize: TypeAlias = Callable[[str, bytes], Mapping[str, str]]
"""Called with the URL and the body of a POST of JSON; returns headers for it."""


def by_key(api_key: str) -> Authorize:
    """The key in ``x-api-key``; nothing for an empty one."""
    headers = {"x-api-key": api_key} if api_key else {}
    return lambda url, body: headers  # noqa: ARG005 - a key is the same for each


def by_signature(credentials: Credentials, region: str) -> Authorize:
    """A signature with AWS credentials."""

    def sign(url: str, body: bytes) -> Mapping[str, str]:
        request = AWSRequest("POST", url, data=body)
        SigV4Auth(credentials, SERVICE, region).add_auth(request)
        return dict(request.headers.items())

    return sign
