"""Images from a SageMaker endpoint of the kind that JumpStart deploys for Stable Diffusion.

Request: JSON ``{"prompt", "width", "height", …}`` with Accept ``application/json;jpeg``. Answer: JSON with
``generated_images``, a list of JPEG images as base64. Source: AWS's documentation of the JumpStart models.
"""

import base64
import binascii
import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, ReadTimeoutError

from contract.errors import Problem, truncate
from frontend_lambda.failures import THROTTLING
from frontend_lambda.responses import Response
from frontend_lambda.settings import Settings
from frontend_lambda.sync.request import INVALID, failed

JSON, JSON_WITH_JPEG = "application/json", "application/json;jpeg"
IMAGES = "generated_images"

BUSY = THROTTLING | {"ModelNotReadyException", "ServiceUnavailable", "ServiceUnavailableException"}
"""Error codes of an endpoint that may answer later."""

MAX_DETAIL = 500
"""Characters of a model's own error."""


class EndpointFailed(Exception):
    """There is no image. ``detail`` is for the log, the message and ``problems`` for the caller."""

    def __init__(self, status: HTTPStatus, message: str, detail: str, *problems: Problem) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.detail = detail
        self.problems = problems

    def response(self) -> Response:
        return failed(self.status, self.message, self.problems)


class Endpoint:
    """Keeps one client. Safe to use from many threads. A call is sent once: each repeat would be another run."""

    def __init__(self, name: str, settings: Settings, session: boto3.Session, seconds: float) -> None:
        self.name = name
        self._seconds = seconds
        self._client: Any = session.client(
            "sagemaker-runtime",
            region_name=settings.region,
            endpoint_url=settings.sagemaker_url or settings.endpoint_url,
            config=Config(connect_timeout=1, read_timeout=seconds, retries={"total_max_attempts": 1}),
        )

    def generate(self, content: Mapping[str, Any]) -> bytes:
        """The first image, a JPEG. Raises EndpointFailed."""
        try:
            answer = self._client.invoke_endpoint(
                EndpointName=self.name,
                ContentType=JSON,
                Accept=JSON_WITH_JPEG,
                Body=json.dumps(content).encode(),
            )
            body = answer["Body"].read()
        except ReadTimeoutError as error:
            problem = f"the image takes longer than {self._seconds:g} s; ask for a smaller one"
            raise EndpointFailed(HTTPStatus.GATEWAY_TIMEOUT, problem, str(error)) from error
        except ClientError as error:
            raise _failure_of(error) from error
        except BotoCoreError as error:
            raise _busy(str(error)) from error
        return _first_image(body)


def _first_image(body: bytes) -> bytes:
    try:
        image = json.loads(body)[IMAGES][0]
        return base64.b64decode(image, validate=True)
    except (binascii.Error, IndexError, KeyError, RecursionError, TypeError, ValueError) as error:
        problem = f"the endpoint's answer holds no {IMAGES} with an image as base64"
        raise EndpointFailed(HTTPStatus.BAD_GATEWAY, problem, f"{type(error).__name__}: {error}") from error


def _failure_of(error: ClientError) -> EndpointFailed:
    """ModelError carries the status and the message that the model itself answered with."""
    detail = str(error)
    if error.response.get("Error", {}).get("Code") in BUSY:
        return _busy(detail)
    own, status = error.response.get("OriginalMessage"), error.response.get("OriginalStatusCode")
    if own is None:
        return EndpointFailed(HTTPStatus.BAD_GATEWAY, "the endpoint cannot be called; see the function's log", detail)
    message = truncate(str(own), MAX_DETAIL)
    if status == HTTPStatus.BAD_REQUEST:
        return EndpointFailed(HTTPStatus.BAD_REQUEST, INVALID, detail, Problem("", message))
    return EndpointFailed(HTTPStatus.BAD_GATEWAY, f"the model failed: {message}", detail)


def _busy(detail: str) -> EndpointFailed:
    return EndpointFailed(
        HTTPStatus.SERVICE_UNAVAILABLE, "the endpoint does not take requests now; send it again later", detail
    )
