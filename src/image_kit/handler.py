"""The image kit as a Lambda function behind a REST API: ``image_kit.handler.handle`` takes its proxy events.

The routes are those of ``contract.image_kit``; the answers are those of the server. A function's answer has a limit,
and so has the time that API Gateway waits: a larger answer is stored, and answered as ``{"url": link}``; a longer job
ends as 504 with what to do instead.
"""

import asyncio
import base64
import binascii
import json
import logging
import os
import threading
import uuid
from collections.abc import Callable, Mapping
from functools import cache
from http import HTTPStatus
from typing import Any, TypeAlias

from contract.errors import shown
from contract.image_kit import RESULT, ROUTES, ImageRequest
from contract.policy import violations
from contract.runtimes import RuntimeType, TaskType
from image_kit.errors import BadRequest, Failed, KitError, Stopped, TooLate
from image_kit.links import Links
from image_kit.models import LoadedModels
from image_kit.operations import Answer, Models, answer
from image_kit.results import Results
from image_kit.service import checked, image_of
from image_kit.settings import Settings, read_settings
from image_kit.watch import Watch

Event: TypeAlias = Mapping[str, Any]
Response: TypeAlias = dict[str, Any]
Handler: TypeAlias = Callable[[Event, Any], Response]

MAX_ANSWER_BYTES = 6 * 1024 * 1024 - 64 * 1024
"""Lambda carries 6 MiB of an answer as JSON; the rest is for headers and escaped quotes."""

MARGIN_SECONDS = 2.0
"""Before the function's own end: for the encoding of the answer, and its way."""

log = logging.getLogger(__name__)


def handle(event: Event, context: Any) -> Response:
    """What Lambda calls. The first call reads the environment and loads the model that it needs."""
    return _from_environment()(event, context)


@cache
def _from_environment() -> Handler:
    logging.getLogger().setLevel(logging.INFO)
    settings = read_settings(os.environ)
    return Function(LoadedModels(settings.weights, settings.threads), settings)


class Function:
    """Answers proxy events, one at a time. It never raises: what it cannot explain is a 500 and a line in the log."""

    def __init__(self, models: Models, settings: Settings) -> None:
        self._models = models
        self._settings = settings

    def __call__(self, event: Event, context: Any) -> Response:
        try:
            return _response(HTTPStatus.OK, asyncio.run(self._answer(event, context)))
        except KitError as error:
            log.info("refused", extra={"action": "answer", "status": error.status.value, "problem": error.message})
            return _response(error.status, error.body)
        except Exception as error:
            log.exception("failed", extra={"action": "answer"})
            return _response(HTTPStatus.INTERNAL_SERVER_ERROR, Failed(f"the image kit failed: {error}").body)

    async def _answer(self, event: Event, context: Any) -> Any:
        operation = _operation(event)
        body = _body(event)
        request = checked(operation, body)
        if forbidden := violations(self._settings.task_policy, RuntimeType.IMAGEKIT, operation, body):
            raise BadRequest(forbidden)
        async with Links(self._settings.reach, self._settings.region) as links:
            data = await image_of(request, links, self._settings.limits)
        answered = self._run(request, data, context.get_remaining_time_in_millis() / 1000)
        if isinstance(answered, dict) and len(answered[RESULT]) > MAX_ANSWER_BYTES:
            image = base64.b64decode(answered[RESULT])
            return {"url": await Results(self._settings).store(f"{uuid.uuid4()}.png", image)}
        return answered

    def _run(self, request: ImageRequest, data: bytes, seconds: float) -> Answer:
        """Raises TooLate when the answer would come after ``seconds``."""
        watch = Watch()
        timer = threading.Timer(max(0.0, seconds - MARGIN_SECONDS), watch.stop)
        timer.start()
        try:
            return answer(self._models, request, data, self._settings.limits, watch)
        except Stopped as error:
            raise TooLate(seconds) from error
        except KitError:
            raise
        except Exception as error:
            raise Failed(f"the model failed: {type(error).__name__}: {error}") from error
        finally:
            timer.cancel()


def _operation(event: Event) -> TaskType:
    """Raises KitError for another route or method."""
    route = str(event.get("resource", "")).strip("/")
    operation = ROUTES.get(route)
    if operation is None:
        raise NoRoute(HTTPStatus.NOT_FOUND, f"there is no such path; there is {', '.join(f'/{one}' for one in ROUTES)}")
    if event.get("httpMethod") != "POST":
        raise NoRoute(HTTPStatus.METHOD_NOT_ALLOWED, "only POST is answered here")
    return operation


class NoRoute(KitError):
    """The request is for nothing that is served."""

    type = "http"

    def __init__(self, status: HTTPStatus, message: str) -> None:
        super().__init__(message)
        self.status = status


def _body(event: Event) -> Any:
    text = event.get("body") or ""
    try:
        return json.loads(base64.b64decode(text, validate=True) if event.get("isBase64Encoded") else text)
    except (binascii.Error, RecursionError, ValueError) as error:
        raise BadRequest.of("", f"must be JSON, got {shown(text)}") from error


def _response(status: HTTPStatus, body: Any) -> Response:
    return {
        "statusCode": status.value,
        "headers": {"Content-Type": "application/json"},
        "body": json.dumps(body, ensure_ascii=False),
        "isBase64Encoded": False,
    }
