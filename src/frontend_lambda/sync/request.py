"""What every synchronous route gets and is, and the answers that they share."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Protocol, TypeAlias

from contract.clients import Client
from contract.errors import ContractError, Problem
from contract.object_keys import SYNC_FOLDER
from frontend_lambda.admission import Admission
from frontend_lambda.caller import Caller
from frontend_lambda.content import CONTENT
from frontend_lambda.responses import Response, respond

INVALID = "invalid param"
"""A message that callers of the earlier services know."""

Accept: TypeAlias = Callable[[Admission], Response]
"""Queues a task, and returns what an asynchronous route answers: 200 with its place, or the error."""


@dataclass(frozen=True, slots=True)
class SyncRequest:
    """``started`` is in seconds of time.monotonic; ``facts`` gains what the log line says of the request."""

    event: Mapping[str, Any]
    caller: Caller
    request_id: str
    started: float
    facts: dict[str, Any]


class SyncRoute(Protocol):
    """A route of the REST API: one method of one resource."""

    @property
    def method(self) -> str:
        """``GET`` or ``POST``."""
        ...

    @property
    def path(self) -> str:
        """With a slash at its beginning."""
        ...

    def respond(self, request: SyncRequest, accept: Accept) -> Response:
        """The answer. Raises ContractError for a request that is wrong, by its own fields."""
        ...


def folder(client: Client) -> str:
    """Where the results of a client's requests are."""
    return f"{client.prefixes[0]}/{SYNC_FOLDER}" if client.prefixes else SYNC_FOLDER


def answered(value: Any) -> Response:
    """200 with the result."""
    return {
        "statusCode": HTTPStatus.OK.value,
        "headers": {"Content-Type": "application/json"},
        "body": json.dumps(value, ensure_ascii=False),
    }


def failed(status: HTTPStatus, message: str, problems: Iterable[Problem] = ()) -> Response:
    """An error; ``problems`` name the fields that are its reason."""
    errors = [{"field": one.field, "problem": one.problem} for one in problems]
    return respond(status, {"message": message, "errors": errors})


def refused(error: ContractError) -> Response:
    """400, as the earlier services say it."""
    return failed(HTTPStatus.BAD_REQUEST, INVALID, error.problems)


def own_fields(error: ContractError) -> Iterator[Problem]:
    """The problems of a task by the fields of the request that it was made of."""
    for problem in error.problems:
        yield Problem(problem.field.removeprefix(CONTENT).removeprefix("."), problem.problem)
