"""The Lambda function behind the REST API: proxy event in, proxy response out."""

import logging
import time
import uuid
from collections.abc import Callable, Mapping
from functools import cache
from http import HTTPStatus
from typing import Any, NamedTuple, TypeAlias

import boto3

from contract.errors import ContractError
from contract.object_keys import output_location
from contract.trace import ATTRIBUTE, XRAY_HEADER, TraceContext, from_xray
from contract.wire import CLIENT_ATTRIBUTE, request_id_of
from frontend_lambda import v1alpha1, v1alpha2
from frontend_lambda.admission import Admission
from frontend_lambda.body import part, read_json
from frontend_lambda.caller import Caller, Callers, UnknownKey
from frontend_lambda.console import CONSOLE_PATH, Console
from frontend_lambda.logs import LOGGER, loggable_id, stack_of, write_to_stdout
from frontend_lambda.responses import Response, failure, refusal, respond
from frontend_lambda.sender import NotSent, Sender, Timings
from frontend_lambda.settings import Settings, load
from frontend_lambda.sync.request import SyncRequest, SyncRoute, refused
from frontend_lambda.sync.results import SyncLimits
from frontend_lambda.sync.routes import SyncRoutes
from frontend_lambda.tasks.api import TaskApi
from frontend_lambda.tasks.links import Signer
from frontend_lambda.tasks.problems import TaskProblem, failed, forbidden
from frontend_lambda.tasks.recorder import Recorder
from frontend_lambda.tasks.request import TASKS_PATH, TaskRequest, base_url, path_of
from frontend_lambda.tasks.table import TaskTable
from frontend_lambda.tasks.timings import TaskTimings

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


def handle(event: Event, context: Any) -> Response:
    """What Lambda calls. The first call reads the environment; raises ValueError when that is not complete."""
    return _from_environment()(event, context)


@cache
def _from_environment() -> Handler:
    settings = load()
    write_to_stdout(settings.log_level)
    return make_handler(settings)


def make_handler(
    settings: Settings,
    session: boto3.Session | None = None,
    timings: Timings | None = None,
    task_timings: TaskTimings | None = None,
    sync_limits: SyncLimits | None = None,
) -> Handler:
    """A handler of these settings that keeps its AWS clients from call to call, and may be called by many threads.

    ``session`` brings other credentials than those that boto3 finds by itself.
    """
    session = session or boto3.Session()
    times = task_timings or TaskTimings()
    sender, table = Sender(settings, session, timings), TaskTable(settings, session)
    return FrontDoor(
        Callers(settings.clients, settings.catalog, settings.output_bucket),
        sender,
        TaskApi(settings, session, table, sender, times),
        Recorder(settings, table, times),
        SyncRoutes(settings, session, sync_limits),
        console=Console(settings.console_page, Signer(settings, session)),
    )


class FrontDoor:
    """Answers proxy events. It never raises: what it cannot explain is a 500 and a line in the log."""

    def __init__(
        self,
        callers: Callers,
        sender: Sender,
        tasks: TaskApi,
        recorder: Recorder,
        sync: SyncRoutes,
        *,
        console: Console,
    ) -> None:
        self._callers = callers
        self._sender = sender
        self._tasks = tasks
        self._recorder = recorder
        self._sync = sync
        self._console = console

    def __call__(self, event: Event, context: Any) -> Response:
        trace = _trace(event)
        request_id = _request_id(event, context)
        facts: dict[str, Any] = {"action": "receive", "request_id": request_id, "trace_id": trace.trace_id}
        try:
            response = self._response(event, trace, facts)
        except Exception as error:  # noqa: BLE001 - a response in JSON, where Lambda would make it a 502 without one
            facts |= {"outcome": "failed", "error": type(error).__name__, "stack": stack_of(error)}
            response = failure(HTTPStatus.INTERNAL_SERVER_ERROR, "the task was not accepted: the API failed")
        facts["status"] = response["statusCode"]
        level = logging.ERROR if facts["status"] >= HTTPStatus.INTERNAL_SERVER_ERROR else logging.INFO
        LOGGER.log(level, "request %s", facts["outcome"], extra=facts)
        return response

    def _response(self, event: Event, trace: TraceContext, facts: dict[str, Any]) -> Response:
        """``facts`` gains what the log line says about the request."""
        facts["outcome"] = "refused"
        path = path_of(event)
        route = self._sync.find(path)
        if route is not None:
            return self._synchronous(event, route, trace, facts)
        version = VERSIONS.get(path)
        if version is None:
            response = self._console_response(event, path, facts) or self._task_response(event, path, trace, facts)
            known = " and ".join((*VERSIONS, *self._sync.paths))
            return response or failure(HTTPStatus.NOT_FOUND, f"there is no such path; there is {known}")
        if event["httpMethod"] != "POST":
            return _not_allowed("POST")
        try:
            caller = self._callers.of(event)
        except UnknownKey as error:
            return failure(HTTPStatus.FORBIDDEN, str(error))
        facts["client"] = caller.client.name
        try:
            body = read_json(event)
            facts["task_id"] = loggable_id(version.task_id(body))
            admission = version.accept(body, caller)
        except ContractError as error:
            facts["problems"] = len(error.problems) + error.omitted
            return refusal(error)
        return self._accepted(event, admission, caller, trace, facts)

    def _synchronous(self, event: Event, route: SyncRoute, trace: TraceContext, facts: dict[str, Any]) -> Response:
        started = time.monotonic()
        if event["httpMethod"] != route.method:
            return _not_allowed(route.method)
        try:
            caller = self._callers.of(event)
        except UnknownKey as error:
            return failure(HTTPStatus.FORBIDDEN, str(error))
        facts["client"] = caller.client.name
        request = SyncRequest(event, caller, facts["request_id"], started, facts)
        try:
            return route.respond(request, lambda admission: self._accepted(event, admission, caller, trace, facts))
        except ContractError as error:
            facts["problems"] = len(error.problems) + error.omitted
            return refused(error)

    def _accepted(
        self, event: Event, admission: Admission, caller: Caller, trace: TraceContext, facts: dict[str, Any]
    ) -> Response:
        metadata = admission.task.metadata
        facts |= {"task_id": metadata.id, "runtime": metadata.runtime, "tasktype": metadata.tasktype.value}
        location = output_location(caller.output_bucket, metadata.prefix, metadata.id)
        body = {"id_task": metadata.id, **admission.response, "output_location": location}
        item = self._recorder.record(caller.client.name, metadata, facts["request_id"])
        attributes = {**admission.attributes, ATTRIBUTE: trace.traceparent, CLIENT_ATTRIBUTE: caller.client.name}
        try:
            self._sender.send(admission.task, attributes, facts["request_id"], client_group=caller.message_group)
        except NotSent as error:
            cause = error.__cause__
            facts |= {"outcome": "failed", "step": error.step, "error": type(cause).__name__, "detail": str(cause)}
            if item and not error.uncertain:
                self._recorder.withdraw(item)
            return failure(
                HTTPStatus.SERVICE_UNAVAILABLE, "the task was not accepted: it could not be queued; send it again later"
            )
        facts["outcome"] = "accepted"
        headers = {"Location": f"{base_url(event)}{TASKS_PATH}/{metadata.id}"} if item else None
        return respond(HTTPStatus.OK, body, headers)

    def _console_response(self, event: Event, path: str, facts: dict[str, Any]) -> Response | None:
        if path != CONSOLE_PATH or event["httpMethod"] != "GET":
            return None
        facts["outcome"] = "answered"
        return self._console.answer(event)

    def _task_response(self, event: Event, path: str, trace: TraceContext, facts: dict[str, Any]) -> Response | None:
        """The answer of the task API; None for a path that it does not have."""
        try:
            found = self._tasks.find(event["httpMethod"], path)
            if found is None:
                return None
            answer, params = found
            caller = self._callers.of(event)
            facts["client"] = caller.client.name
            request = TaskRequest(
                event=event,
                params=params,
                caller=caller,
                request_id=facts["request_id"],
                trace=trace,
                facts=facts,
                started=time.monotonic(),
            )
            response = answer(request)
        except UnknownKey as error:
            return forbidden(str(error)).response()
        except TaskProblem as problem:
            return problem.response()
        except Exception as error:  # noqa: BLE001 - problem details, as for every other error of this API
            facts |= {"outcome": "failed", "error": type(error).__name__, "stack": stack_of(error)}
            return failed().response()
        if facts["outcome"] == "refused":
            facts["outcome"] = "answered"
        return response


def _not_allowed(method: str) -> Response:
    return failure(HTTPStatus.METHOD_NOT_ALLOWED, f"only {method} is answered here", {"Allow": method})


def _request_id(event: Event, context: Any) -> str:
    """API Gateway's, which the caller sees in the header x-amzn-RequestId, or Lambda's; a new one where neither is a
    UUID, for the console's test calls all have the same."""
    for given in (part(event, "requestContext", "requestId"), getattr(context, "aws_request_id", None)):
        if isinstance(given, str) and request_id_of(given):
            return given
    return str(uuid.uuid4())


def _trace(event: Event) -> TraceContext:
    """The trace that API Gateway gives each request. Inside Lambda the SDK sends its header on to SNS by itself; the
    message attribute says the same where nobody carries the header."""
    header = part(event, "headers", XRAY_HEADER)
    return (from_xray(header) if isinstance(header, str) else None) or TraceContext.fresh()
