"""The Lambda function behind the REST API: proxy event in, proxy response out."""

import logging
import uuid
from collections.abc import Callable, Mapping
from functools import cache
from http import HTTPStatus
from typing import Any, NamedTuple, TypeAlias

import boto3

from contract.errors import ContractError
from contract.object_keys import output_location
from contract.task import MAX_ID_LENGTH
from contract.trace import ATTRIBUTE, XRAY_HEADER, TraceContext, from_xray
from contract.wire import CLIENT_ATTRIBUTE, request_id_of
from frontend_lambda import v1alpha1, v1alpha2
from frontend_lambda.admission import Admission
from frontend_lambda.body import part, read_json
from frontend_lambda.caller import Caller, Callers, UnknownKey
from frontend_lambda.logs import LOGGER, stack_of, write_to_stdout
from frontend_lambda.responses import Response, failure, refusal, respond
from frontend_lambda.sender import NotSent, Sender, Timings
from frontend_lambda.settings import Settings, load

Event: TypeAlias = Mapping[str, Any]
Handler: TypeAlias = Callable[[Event, Any], Response]


class Version(NamedTuple):
    """One version of the API: how a body becomes a task, and where the body names it."""

    accept: Callable[[Any, Caller], Admission]
    task_id: Callable[[Any], Any]


VERSIONS: Mapping[str, Version] = {
    "/v1alpha1": Version(v1alpha1.accept, v1alpha1.task_id),
    "/v1alpha2": Version(v1alpha2.accept, v1alpha2.task_id),
}
"""By the resource of the REST API."""

ANY_PATH = "/{proxy+}"
"""The resource that takes every other path: clients join the endpoint, which ends in a slash, and a path in many ways.
"""


def handle(event: Event, context: Any) -> Response:
    """What Lambda calls. The first call reads the environment; raises ValueError when that is not complete."""
    return _from_environment()(event, context)


@cache
def _from_environment() -> Handler:
    settings = load()
    write_to_stdout(settings.log_level)
    return make_handler(settings)


def make_handler(settings: Settings, session: boto3.Session | None = None, timings: Timings | None = None) -> Handler:
    """A handler of these settings that keeps its AWS clients from call to call, and may be called by many threads.

    ``session`` brings other credentials than those that boto3 finds by itself.
    """
    sender = Sender(settings, session or boto3.Session(), timings)
    return FrontDoor(Callers(settings.clients, settings.catalog, settings.output_bucket), sender)


class FrontDoor:
    """Answers proxy events. It never raises: what it cannot explain is a 500 and a line in the log."""

    def __init__(self, callers: Callers, sender: Sender) -> None:
        self._callers = callers
        self._sender = sender

    def __call__(self, event: Event, context: Any) -> Response:
        trace = _trace(event)
        request_id = _request_id(event, context)
        facts: dict[str, Any] = {"action": "receive", "request_id": request_id, "trace_id": trace.trace_id}
        try:
            response = self._response(event, trace, facts)
        except Exception as error:  # noqa: BLE001 - a response in JSON, where Lambda would make it a 502 without one
            facts |= {"outcome": "failed", "error": type(error).__name__, "stack": stack_of(error)}
            response = failure(HTTPStatus.INTERNAL_SERVER_ERROR, "the task was not accepted: the front door failed")
        facts["status"] = response["statusCode"]
        level = logging.ERROR if facts["status"] >= HTTPStatus.INTERNAL_SERVER_ERROR else logging.INFO
        LOGGER.log(level, "request %s", facts["outcome"], extra=facts)
        return response

    def _response(self, event: Event, trace: TraceContext, facts: dict[str, Any]) -> Response:
        """``facts`` gains what the log line says about the request."""
        facts["outcome"] = "refused"
        version = VERSIONS.get(_resource(event))
        if version is None:
            return failure(HTTPStatus.NOT_FOUND, f"there is no such path; there is {' and '.join(VERSIONS)}")
        if event["httpMethod"] != "POST":
            return failure(HTTPStatus.METHOD_NOT_ALLOWED, "only POST is answered here", {"Allow": "POST"})
        try:
            caller = self._callers.of(event)
        except UnknownKey as error:
            return failure(HTTPStatus.FORBIDDEN, str(error))
        facts["client"] = caller.client.name
        try:
            body = read_json(event)
            facts["task_id"] = _loggable(version.task_id(body))
            admission = version.accept(body, caller)
        except ContractError as error:
            facts["problems"] = len(error.problems) + error.omitted
            return refusal(error)
        return self._accepted(admission, caller, trace, facts)

    def _accepted(self, admission: Admission, caller: Caller, trace: TraceContext, facts: dict[str, Any]) -> Response:
        metadata = admission.task.metadata
        facts |= {"task_id": metadata.id, "runtime": metadata.runtime, "tasktype": metadata.tasktype.value}
        location = output_location(caller.output_bucket, metadata.prefix, metadata.id)
        response = respond(HTTPStatus.OK, {"id_task": metadata.id, **admission.response, "output_location": location})
        attributes = {**admission.attributes, ATTRIBUTE: trace.traceparent, CLIENT_ATTRIBUTE: caller.client.name}
        try:
            self._sender.send(admission.task, attributes, facts["request_id"], client_group=caller.message_group)
        except NotSent as error:
            cause = error.__cause__
            facts |= {"outcome": "failed", "step": error.step, "error": type(cause).__name__, "detail": str(cause)}
            return failure(
                HTTPStatus.SERVICE_UNAVAILABLE, "the task was not accepted: it could not be queued; send it again later"
            )
        facts["outcome"] = "accepted"
        return response


def _request_id(event: Event, context: Any) -> str:
    """API Gateway's, which the caller sees in the header x-amzn-RequestId, or Lambda's; a new one where neither is a
    UUID, for the console's test calls all have the same."""
    for given in (part(event, "requestContext", "requestId"), getattr(context, "aws_request_id", None)):
        if isinstance(given, str) and request_id_of(given):
            return given
    return str(uuid.uuid4())


def _resource(event: Event) -> str:
    """The resource that was meant: of other paths, the one without empty parts."""
    resource: str = event["resource"]
    if resource != ANY_PATH:
        return resource
    path = part(event, "pathParameters", "proxy")
    return "/" + "/".join(name for name in str(path).split("/") if name)


def _trace(event: Event) -> TraceContext:
    """The trace that API Gateway gives each request. Inside Lambda the SDK sends its header on to SNS by itself; the
    message attribute says the same where nobody carries the header."""
    header = part(event, "headers", XRAY_HEADER)
    return (from_xray(header) if isinstance(header, str) else None) or TraceContext.fresh()


def _loggable(task_id: Any) -> str | None:
    """The id of a task that may yet be refused: only what looks like one goes to the log."""
    return task_id if isinstance(task_id, str) and len(task_id) <= MAX_ID_LENGTH and task_id.isprintable() else None
