"""The routes of the task API."""

import uuid
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, TypeAlias

import boto3

from contract.errors import ContractError, shown, truncate
from contract.task import MAX_ID_LENGTH, is_task_id
from frontend_lambda.body import read_json
from frontend_lambda.logs import loggable_id
from frontend_lambda.responses import Response, respond
from frontend_lambda.sender import Sender
from frontend_lambda.settings import Settings
from frontend_lambda.tasks import files, outputs
from frontend_lambda.tasks.cancellation import Cancellation
from frontend_lambda.tasks.idempotency import with_id
from frontend_lambda.tasks.links import Signer
from frontend_lambda.tasks.listing import Listing, next_url
from frontend_lambda.tasks.load import Loads
from frontend_lambda.tasks.problems import TaskProblem, invalid, invalid_field, no_such_task, not_allowed
from frontend_lambda.tasks.reader import Reader, is_known
from frontend_lambda.tasks.request import TASKS_PATH, TaskRequest, match
from frontend_lambda.tasks.runtimes import runtime_view
from frontend_lambda.tasks.submission import Submission
from frontend_lambda.tasks.table import TaskTable
from frontend_lambda.tasks.timings import TaskTimings
from frontend_lambda.tasks.views import Views

MAX_TASKS = 100
"""Tasks of one request."""

AT_ONCE = 8
"""Tasks of one request that are put and published at a time; an AWS client keeps ten connections."""

Answer: TypeAlias = Callable[[TaskRequest], Response]


@dataclass(frozen=True, slots=True)
class Route:
    """``template`` is a resource of the REST API."""

    method: str
    template: str
    answer: Answer


class TaskApi:
    """Answers the requests of the task API. Safe to use from many threads."""

    def __init__(
        self, settings: Settings, session: boto3.Session, table: TaskTable, sender: Sender, timings: TaskTimings
    ) -> None:
        self._bucket, self._gpu_hour_price = settings.output_bucket, settings.gpu_hour_price
        self._signer = Signer(settings, session)
        self._loads = Loads(settings, session, table, timings)
        self._reader = Reader(table, timings)
        self._views = Views(self._loads, self._signer, settings.output_bucket)
        self._submission = Submission(settings, table, sender, self._loads, self._reader, timings=timings)
        self._cancellation = Cancellation(table, self._reader)
        self._listing = Listing(table, self._reader)
        self.routes = (
            Route("POST", TASKS_PATH, self.submit),
            Route("GET", TASKS_PATH, self.list_tasks),
            Route("GET", f"{TASKS_PATH}/{{id}}", self.read),
            Route("POST", f"{TASKS_PATH}/{{id}}/cancel", self.cancel),
            Route("GET", f"{TASKS_PATH}/{{id}}/outputs/{{n}}", self.output),
            Route("POST", "/v1alpha2/files", self.upload),
            Route("GET", "/v1alpha2/runtimes", self.runtimes),
        )

    def find(self, method: str, path: str) -> tuple[Answer, Mapping[str, str]] | None:
        """What answers ``method`` on ``path``, and the variable parts of the path; None for a path of another API.

        Raises TaskProblem for a method that the path does not take.
        """
        found = [(route, params) for route in self.routes if (params := match(route.template, path)) is not None]
        for route, params in found:
            if route.method == method:
                return route.answer, params
        if found:
            raise not_allowed([route.method for route, _ in found])
        return None

    def submit(self, request: TaskRequest) -> Response:
        body = _json(request)
        if isinstance(body, dict) and "tasks" in body:
            return self._submit_all(request, body)
        submitted = self._submission.submit(
            request, with_id(body, request.header("Idempotency-Key")), request.request_id, request.facts
        )
        item = submitted.item
        if request.wait_seconds:
            with suppress(TaskProblem):  # the task is accepted, whatever happens to the table now
                item = self._reader.wait(request, item)
        at_once = submitted.repeat or item.status.terminal
        return self._applied(
            request, self._views.response(request, item, HTTPStatus.OK if at_once else HTTPStatus.ACCEPTED)
        )

    def list_tasks(self, request: TaskRequest) -> Response:
        page = self._listing.page(request)
        tasks = [self._views.task(request, item, links=page.links) for item in page.items]
        headers = {"Cache-Control": "no-store"}
        if page.next:
            headers["Link"] = f'<{next_url(request, page.next)}>; rel="next"'
        return respond(HTTPStatus.OK, {"tasks": tasks, "next": page.next}, headers)

    def read(self, request: TaskRequest) -> Response:
        item = self._reader.read(request.client, _id(request))
        if request.wait_seconds:
            item = self._reader.wait(request, item)
        if is_known(item, request.known_revisions):
            return self._applied(request, self._views.unchanged(item))
        return self._applied(request, self._views.response(request, item, HTTPStatus.OK))

    def cancel(self, request: TaskRequest) -> Response:
        item = self._cancellation.cancel(request.client, _id(request))
        return self._views.response(request, item, HTTPStatus.OK if item.status.terminal else HTTPStatus.ACCEPTED)

    def output(self, request: TaskRequest) -> Response:
        return outputs.redirect(self._reader.read(request.client, _id(request)), request.params["n"], self._signer)

    def upload(self, request: TaskRequest) -> Response:
        return files.upload(request, _json(request), self._signer, self._bucket)

    def runtimes(self, request: TaskRequest) -> Response:
        views = [
            runtime_view(runtime, self._loads.of(runtime.name), self._gpu_hour_price)
            for runtime in request.caller.catalog.runtimes
        ]
        return respond(HTTPStatus.OK, {"runtimes": views}, {"Cache-Control": "no-store"})

    def _submit_all(self, request: TaskRequest, body: dict[str, Any]) -> Response:
        """200: for each task of the array what it would have got by itself, in the same order."""
        tasks = body["tasks"]
        if not isinstance(tasks, list) or not 1 <= len(tasks) <= MAX_TASKS:
            found = len(tasks) if isinstance(tasks, list) else shown(tasks)
            raise invalid_field("tasks", f"must be a list of 1 to {MAX_TASKS} requests, got {found}")
        if unknown := body.keys() - {"tasks"}:
            raise invalid_field(min(unknown), "is not a known field; a request holds 'tasks', or 'task' and 'options'")
        if request.header("Idempotency-Key") is not None:
            raise invalid_field("Idempotency-Key", "is for a single task; give each of these an id of its own")
        with ThreadPoolExecutor(AT_ONCE, "submit") as pool:
            results = list(pool.map(lambda task: self._result(request, task), tasks))
        accepted = sum(result["status"] < HTTPStatus.BAD_REQUEST for result in results)
        outcome = "accepted" if accepted else "refused"
        request.facts.update(outcome=outcome, tasks=len(tasks), accepted=accepted)
        return respond(HTTPStatus.OK, {"results": results})

    def _result(self, request: TaskRequest, body: Any) -> dict[str, Any]:
        """What became of one task of several. Every task has its own request id, by which its runs know each other."""
        try:
            submitted = self._submission.submit(request, with_id(body, None), str(uuid.uuid4()), {})
            status = HTTPStatus.OK if submitted.repeat else HTTPStatus.ACCEPTED
            return {
                "status": status.value,
                "task": self._views.task(request, submitted.item, links=0),
                "error": None,
            }
        except TaskProblem as problem:
            return {"status": problem.status.value, "task": None, "error": problem.body}

    @staticmethod
    def _applied(request: TaskRequest, response: Response) -> Response:
        if request.wait_seconds:
            response["headers"]["Preference-Applied"] = "wait"
        return response


def _json(request: TaskRequest) -> Any:
    try:
        return read_json(request.event)
    except ContractError as error:
        raise invalid(error) from error


def _id(request: TaskRequest) -> str:
    """Raises TaskProblem for what no task is called."""
    task_id = request.params["id"]
    request.facts["task_id"] = loggable_id(task_id)
    if not is_task_id(task_id):
        raise no_such_task(truncate(task_id, MAX_ID_LENGTH))
    return task_id
