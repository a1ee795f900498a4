"""What passes between API Gateway and a Lambda function, as the REST API's proxy integration has it.

Source of the shapes: "Lambda proxy integrations in API Gateway" of the API Gateway developer guide.
"""

import json
import secrets
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Annotated, Any

from aiohttp import web
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from utils.local.gateway_routes import Resource
from utils.local.usage import ApiKey

ACCOUNT = "123456789012"
"""moto's account; API Gateway writes the real one here."""

OWN_HEADERS = frozenset({"connection", "content-length", "date", "server", "transfer-encoding"})
"""What only the server can say; API Gateway does not take them from a function either."""


class MalformedResponse(Exception):
    """The function gave something that API Gateway cannot turn into a response."""


def _one_line(value: str) -> str:
    if not value.isprintable():
        raise ValueError("must not hold control characters")
    return value


HeaderText = Annotated[str, AfterValidator(_one_line)]
HeaderValue = HeaderText | bool | int | float


class ProxyResponse(BaseModel):
    """A function's answer. Anything else in it makes API Gateway answer 502."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    status: Annotated[int, Field(alias="statusCode", ge=200, le=599)]
    headers: dict[HeaderText, HeaderValue] | None = None
    multi_value_headers: Annotated[dict[HeaderText, list[HeaderValue]] | None, Field(alias="multiValueHeaders")] = None
    body: str | None = None
    is_base64: Annotated[bool, Field(alias="isBase64Encoded")] = False
    """Without effect: an API without binary media types passes the body on as it is."""

    @classmethod
    def of(cls, answer: Any) -> "ProxyResponse":
        """Check what a function returned, after the trip through JSON that every answer makes.

        Raises MalformedResponse.
        """
        try:
            return cls.model_validate_json(json.dumps(answer))
        except (TypeError, ValueError, RecursionError) as error:
            reason = [detail["loc"] for detail in error.errors()] if isinstance(error, ValidationError) else error
            raise MalformedResponse(f"not an answer of a Lambda proxy: {reason}") from error

    def header_pairs(self) -> list[tuple[str, str]]:
        """All headers, one pair a value. Those that the server itself decides on are left out."""
        single = {name: [value] for name, value in (self.headers or {}).items()}
        return [
            (name, str(value))
            for name, values in {**single, **(self.multi_value_headers or {})}.items()
            for value in values
            if name.lower() not in OWN_HEADERS
        ]


@dataclass(frozen=True, slots=True)
class LambdaContext:
    """The fields of Lambda's context object that do not depend on AWS. ``deadline`` in seconds of time.monotonic."""

    deadline: float
    function_name: str = "frontend"
    aws_request_id: str = field(default_factory=lambda: str(uuid.uuid4()))

    def get_remaining_time_in_millis(self) -> int:
        return max(0, round((self.deadline - time.monotonic()) * 1000))


@dataclass(frozen=True, slots=True)
class Caller:
    """Who sent a request: an API key, or the id of the access key that signed it; neither where the API is open."""

    api_key: ApiKey | None = None
    access_key: str | None = None


def proxy_event(
    request: web.Request, body: bytes, *, stage: str, resource: Resource, request_id: str, caller: Caller
) -> dict[str, Any]:
    """The event of a request to ``resource``. It holds the caller's key, as the real one does: never log it."""
    headers = {name: request.headers.getall(name) for name in request.headers}
    headers |= {
        "X-Amzn-Trace-Id": [f"Root=1-{int(time.time()):08x}-{secrets.token_hex(12)}"],
        "X-Forwarded-For": [request.remote or ""],
        "X-Forwarded-Proto": [request.scheme],
    }
    query = {name: request.query.getall(name) for name in request.query}
    now = datetime.now(UTC)
    return {
        "resource": resource.template,
        "path": resource.path,
        "httpMethod": request.method,
        "headers": _last_values(headers),
        "multiValueHeaders": headers,
        "queryStringParameters": _last_values(query) or None,
        "multiValueQueryStringParameters": query or None,
        "pathParameters": dict(resource.params) or None,
        "stageVariables": None,
        "requestContext": {
            "accountId": ACCOUNT,
            "apiId": "local",
            "domainName": request.host,
            "domainPrefix": "local",
            "extendedRequestId": request_id,
            "httpMethod": request.method,
            "identity": _identity(request, caller),
            "path": f"/{stage}{resource.path}",
            "protocol": f"HTTP/{request.version.major}.{request.version.minor}",
            "requestId": request_id,
            "requestTime": now.strftime("%d/%b/%Y:%H:%M:%S %z"),
            "requestTimeEpoch": int(now.timestamp() * 1000),
            "resourceId": resource.template.strip("/"),
            "resourcePath": resource.template,
            "stage": stage,
        },
        "body": body.decode(errors="replace") if body else None,
        "isBase64Encoded": False,
    }


def _identity(request: web.Request, caller: Caller) -> dict[str, str | None]:
    signed = caller.access_key is not None
    return {
        "accessKey": caller.access_key,
        "accountId": ACCOUNT if signed else None,
        "apiKey": caller.api_key.value if caller.api_key else None,
        "apiKeyId": caller.api_key.id if caller.api_key else None,
        "caller": caller.access_key,
        "cognitoAuthenticationProvider": None,
        "cognitoAuthenticationType": None,
        "cognitoIdentityId": None,
        "cognitoIdentityPoolId": None,
        "principalOrgId": None,
        "sourceIp": request.remote,
        "user": caller.access_key,
        "userAgent": request.headers.get("User-Agent"),
        "userArn": f"arn:aws:iam::{ACCOUNT}:root" if signed else None,
    }


def _last_values(values: Mapping[str, list[str]]) -> dict[str, str]:
    return {name: several[-1] for name, several in values.items()}
