"""Errors of the task API: RFC 9457 problem details, with the ``message`` and ``errors`` of the older routes."""

import json
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from contract.errors import ContractError, Problem
from frontend_lambda.responses import Response, refused

CONTENT_TYPE = "application/problem+json"

TYPE = "urn:problem-type:"
"""Before the name of a problem's type, which programs can compare."""


class TaskProblem(Exception):
    """A request that gets another answer than it asked for.

    ``kind`` is for programs and does not change; ``detail`` is for people. ``errors`` names the fields that are wrong.
    """

    def __init__(
        self,
        status: HTTPStatus,
        kind: str,
        detail: str,
        *,
        errors: Sequence[Mapping[str, str]] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.kind = kind
        self.detail = detail
        self.errors = errors
        self.headers = headers or {}

    @property
    def body(self) -> dict[str, Any]:
        return {
            "type": f"{TYPE}{self.kind}",
            "title": self.status.phrase,
            "status": self.status.value,
            "detail": self.detail,
            "message": self.detail,
            "errors": list(self.errors),
        }

    def response(self) -> Response:
        return {
            "statusCode": self.status.value,
            "headers": {"Content-Type": CONTENT_TYPE, **self.headers},
            "body": json.dumps(self.body),
        }


def invalid(error: ContractError) -> TaskProblem:
    """400, with every problem that ``error`` names."""
    message, errors = refused(error)
    return TaskProblem(HTTPStatus.BAD_REQUEST, "invalid-request", message, errors=errors)


def invalid_field(field: str, problem: str) -> TaskProblem:
    """400, for one field, query parameter or header."""
    return invalid(ContractError([Problem(field, problem)]))


def not_found(what: str) -> TaskProblem:
    """404. What another client has is not found either."""
    return TaskProblem(HTTPStatus.NOT_FOUND, "not-found", what)


def no_such_task(task_id: str) -> TaskProblem:
    return not_found(f"there is no task {task_id!r}; it was never sent, or its record has expired")


def id_in_use(task_id: str) -> TaskProblem:
    """422: the id belongs to a task that another body made."""
    return TaskProblem(
        HTTPStatus.UNPROCESSABLE_ENTITY,
        "id-in-use",
        f"the id {task_id!r} belongs to a task that was sent with another body; send a new task with an id of its own",
    )


def unavailable(detail: str) -> TaskProblem:
    """503: nothing changed; the same request may succeed later."""
    return TaskProblem(HTTPStatus.SERVICE_UNAVAILABLE, "unavailable", detail, headers={"Retry-After": "2"})


def forbidden(detail: str) -> TaskProblem:
    return TaskProblem(HTTPStatus.FORBIDDEN, "forbidden", detail)


def not_allowed(methods: Sequence[str]) -> TaskProblem:
    """405."""
    allowed = ", ".join(methods)
    return TaskProblem(
        HTTPStatus.METHOD_NOT_ALLOWED, "method-not-allowed", f"this path takes {allowed}", headers={"Allow": allowed}
    )


def failed() -> TaskProblem:
    """500: our fault, without internals."""
    return TaskProblem(HTTPStatus.INTERNAL_SERVER_ERROR, "internal-error", "the API failed")
