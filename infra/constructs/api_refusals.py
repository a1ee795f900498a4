"""What API Gateway answers by itself, in the shape of the function's errors."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from aws_cdk import aws_apigateway as apigateway

from infra.api_routes import API_PATHS
from infra.config.api import Auth
from infra.topology import Api


@dataclass(frozen=True, slots=True)
class Refusal:
    """``status`` None: API Gateway's own."""

    status: str | None
    message: str


REFUSALS: Mapping[str, Refusal] = {
    "INVALID_API_KEY": Refusal("401", "The x-api-key header is missing, or its key is not valid."),
    "MISSING_AUTHENTICATION_TOKEN": Refusal("404", "There is no such path or method; send POST to {paths}."),
    "BAD_REQUEST_BODY": Refusal("400", "The body must be a JSON object; JSON has no comments."),
    "REQUEST_TOO_LARGE": Refusal("413", "The body is too large; put large inputs in S3 or on the web, and send links."),
    "THROTTLED": Refusal("429", "Too many requests; try again in a moment."),
    "DEFAULT_4XX": Refusal(None, "The request is not allowed, or not as it should be."),
    "DEFAULT_5XX": Refusal(None, "The request could not be handled; try again."),
}
"""By the kind of answer. API Gateway answers to a request without a key as to one with a wrong key (INVALID_API_KEY),
and to an unknown path or method with MISSING_AUTHENTICATION_TOKEN."""

OVER_QUOTA: Mapping[str, Refusal] = {
    "QUOTA_EXCEEDED": Refusal(
        "429", "Limit Exceeded: the client has sent its requests of this day (UTC); try again tomorrow."
    ),
}
"""The same where a client has a quota."""

SIGNATURE_KINDS = ("MISSING_AUTHENTICATION_TOKEN", "INVALID_SIGNATURE", "EXPIRED_TOKEN", "ACCESS_DENIED")
"""Answers about signatures, where IAM judges requests. They keep the texts that SDKs and their users know."""

OWN_TEXT = '{"message":$context.error.messageString}'
"""The kind's usual body."""


def answer_in_json(api: apigateway.RestApi, plan: Api) -> None:
    """Give ``api`` its answers."""
    signed = SIGNATURE_KINDS if plan.auth is Auth.AWS_IAM else ()
    quota = any(one.daily_quota for one in plan.plans)
    for kind, refusal in {**REFUSALS, **(OVER_QUOTA if quota else {})}.items():
        if kind not in signed:
            _add(api, kind, json.dumps(_body(refusal)), status_code=refusal.status)
    for kind in signed:
        _add(api, kind, OWN_TEXT)


def _body(refusal: Refusal) -> dict[str, Any]:
    return {"message": refusal.message.format(paths=" or ".join(API_PATHS)), "errors": []}


def _add(api: apigateway.RestApi, kind: str, body: str, status_code: str | None = None) -> None:
    api.add_gateway_response(
        kind,
        type=apigateway.ResponseType.of(kind),
        status_code=status_code,
        templates={"application/json": body},
    )
