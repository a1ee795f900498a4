"""``GET /{path}?prompt=``: an image from a text, by a task of a runtime or by a SageMaker endpoint.

The answer is 200 ``{"url": link, "prompt": text}``; the link opens without credentials for LINK_SECONDS.
"""

import logging
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from contract.errors import ContractError
from contract.policy import violations
from contract.runtimes import RuntimeType, TaskType
from contract.sync_routes import PROMPT, TextToImageRoute, text_to_image_content
from frontend_lambda.body import part
from frontend_lambda.logs import LOGGER
from frontend_lambda.responses import Response, failure
from frontend_lambda.sync.request import Accept, SyncRequest, answered, folder
from frontend_lambda.sync.results import Results
from frontend_lambda.sync.sagemaker import Endpoint, EndpointFailed
from frontend_lambda.sync.tasks import TaskRunner

JPEG = "image/jpeg"
"""What the endpoint is asked for."""


class TextToImageTask:
    """Each request is a task of a runtime. One that has not ended in time is answered 202 with its place."""

    method = "GET"

    def __init__(self, route: TextToImageRoute, results: Results) -> None:
        assert route.runtime, "a route has a runtime or an endpoint"
        self.path = f"/{route.path}"
        self._runner = TaskRunner(route.runtime, TaskType.TEXT_TO_IMAGE, results)

    def respond(self, request: SyncRequest, accept: Accept) -> Response:
        content = text_to_image_content(_query(request.event))
        ended = self._runner.run(content, request, accept)
        if isinstance(ended, dict):
            return ended
        return answered({"url": self._runner.results.link(ended.outputs[0]), PROMPT: content[PROMPT]})


class TextToImageEndpoint:
    """Each request is a call of a SageMaker endpoint; its image is stored in the output bucket."""

    method = "GET"

    def __init__(self, route: TextToImageRoute, results: Results, endpoint: Endpoint) -> None:
        self.path = f"/{route.path}"
        self._policy = route.policy
        self._results = results
        self._endpoint = endpoint

    def respond(self, request: SyncRequest, accept: Accept) -> Response:  # noqa: ARG002 - there is no task
        client = request.caller.client
        if client.runtimes:
            problem = f"the client {client.name} may use its runtimes only, and none of them is behind this path"
            return failure(HTTPStatus.FORBIDDEN, problem)
        content = text_to_image_content(_query(request.event))
        # The fields are those of the WebUI, and so is what they cost.
        if forbidden := violations(self._policy, RuntimeType.SDWEBUI, TaskType.TEXT_TO_IMAGE, content):
            raise ContractError(forbidden)
        request.facts["endpoint"] = self._endpoint.name
        key = f"{folder(client)}/{request.request_id}.jpg"
        try:
            image = self._endpoint.generate(content)
            self._results.store(key, image, JPEG)
        except EndpointFailed as error:
            request.facts.update(outcome="failed", step="endpoint", detail=error.detail)
            return error.response()
        except (BotoCoreError, ClientError) as error:
            request.facts.update(outcome="failed", step="store", detail=str(error))
            return failure(HTTPStatus.SERVICE_UNAVAILABLE, "the image could not be stored; send the request again")
        request.facts["outcome"] = "answered"
        return answered({"url": self._link(key), PROMPT: content[PROMPT]})

    def _link(self, key: str) -> str | None:
        """None when no link can be made; the image is stored all the same."""
        try:
            return self._results.link(key)
        except (BotoCoreError, ClientError) as error:
            LOGGER.log(logging.ERROR, "no link to an image", extra={"action": "link", "key": key, "detail": str(error)})
            return None


def _query(event: Mapping[str, Any]) -> Mapping[str, str]:
    """The last value of each query parameter."""
    values = part(event, "queryStringParameters")
    return {name: value for name, value in values.items() if isinstance(value, str)} if values else {}
