"""What the front door responds, in the form that a Lambda gives to API Gateway. The body is always JSON."""

import json
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Any, TypeAlias

from contract.errors import ContractError, Problem, truncate

Response: TypeAlias = dict[str, Any]
"""``{"statusCode", "headers", "body"}``"""

MAX_FIELD = 200
MAX_PROBLEM = 4000
"""Characters. Names of fields come from callers; a problem may list 45 runtimes and models."""


def respond(status: HTTPStatus, body: Mapping[str, Any], headers: Mapping[str, str] | None = None) -> Response:
    """A response in JSON."""
    return {
        "statusCode": status.value,
        "headers": {"Content-Type": "application/json", **(headers or {})},
        "body": json.dumps(body),
    }


def failure(status: HTTPStatus, message: str, headers: Mapping[str, str] | None = None) -> Response:
    """An error that no field of the body is the reason for."""
    return respond(status, {"message": message, "errors": []}, headers)


def refusal(error: ContractError) -> Response:
    """400, with every problem that ``error`` names."""
    message, errors = refused(error)
    return respond(HTTPStatus.BAD_REQUEST, {"message": message, "errors": errors})


def refused(error: ContractError) -> tuple[str, list[dict[str, str]]]:
    """``message`` and ``errors`` of the answer to a request that breaks the contract."""
    problems = [
        Problem(truncate(problem.field, MAX_FIELD), truncate(problem.problem, MAX_PROBLEM))
        for problem in error.problems
    ]
    if error.omitted:
        problems.append(Problem("", f"and at least {error.omitted} more"))
    message = f"the request was refused: {_summary(problems)}"
    return message, [{"field": p.field, "problem": p.problem} for p in problems]


def _summary(problems: Iterable[Problem]) -> str:
    first, *others = problems
    text = f"{first.field} {first.problem}".strip()
    return f"{text} (and {len(others)} more, see errors)" if others else text
