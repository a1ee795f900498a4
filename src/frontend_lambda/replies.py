"""What the front door answers, in the form that a Lambda gives to API Gateway. The body is always JSON."""

import json
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Any, TypeAlias

from contract.errors import ContractError, Problem
from frontend_lambda.body import MAX_PROBLEMS

Reply: TypeAlias = dict[str, Any]
"""``{"statusCode", "headers", "body"}``"""

MAX_FIELD = 200
MAX_PROBLEM = 4000
"""Characters. Names of fields come from strangers; a problem may list 45 runtimes and models."""


def reply(status: HTTPStatus, body: Mapping[str, Any], headers: Mapping[str, str] | None = None) -> Reply:
    """A JSON answer."""
    return {
        "statusCode": status.value,
        "headers": {"Content-Type": "application/json", **(headers or {})},
        "body": json.dumps(body),
    }


def failure(status: HTTPStatus, message: str, headers: Mapping[str, str] | None = None) -> Reply:
    """An error that no field of the body is the reason for."""
    return reply(status, {"message": message, "errors": []}, headers)


def refusal(error: ContractError) -> Reply:
    """400, with every problem, or the first hundred."""
    problems = error.problems
    shown = [_shown(problem) for problem in problems[:MAX_PROBLEMS]]
    if len(problems) > MAX_PROBLEMS:
        shown.append(Problem("", f"and {len(problems) - MAX_PROBLEMS} more"))
    message = f"the request was refused: {_summary(shown)}"
    return reply(
        HTTPStatus.BAD_REQUEST,
        {"message": message, "errors": [{"field": p.field, "problem": p.problem} for p in shown]},
    )


def _summary(problems: Iterable[Problem]) -> str:
    first, *others = problems
    text = f"{first.field} {first.problem}".strip()
    return f"{text} (and {len(others)} more, see errors)" if others else text


def _shown(problem: Problem) -> Problem:
    return Problem(_cut(problem.field, MAX_FIELD), _cut(problem.problem, MAX_PROBLEM))


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else f"{text[:length]}…"
