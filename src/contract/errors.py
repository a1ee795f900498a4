"""The one error of the contract: a list of everything that is wrong, each with its field."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pydantic import ValidationError

MAX_SHOWN_VALUE = 80
"""Characters of a refused value that an error shows: enough to recognise it, too few to flood an answer."""

MAX_TEXT = 4000
"""Characters of a whole error: it goes into logs and callbacks, and strangers choose how many fields they get wrong."""

_SHOULD = re.compile(r"^\w+ should ")
"""How pydantic begins: ``Input should be …``, ``String should have …``."""

_RULES = {"model_type": "must be an object", "dict_type": "must be an object"}
"""Where pydantic speaks Python and the message is JSON."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong: ``field`` is a dotted path such as ``task.metadata.id``."""

    field: str
    problem: str


class ContractError(Exception):
    """A message that breaks the contract. ``problems`` names every field that is wrong, not only the first.

    Its text is cut after MAX_TEXT characters.
    """

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems: tuple[Problem, ...] = tuple(problems)
        text = "; ".join(f"{p.field}: {p.problem}" if p.field else p.problem for p in self.problems)
        super().__init__(truncate(text, MAX_TEXT))


def truncate(text: str, length: int) -> str:
    """The first ``length`` characters of ``text``, with ``…`` behind them when there were more."""
    return text if len(text) <= length else f"{text[:length]}…"


def shown(value: object) -> str:
    """The value as an error may show it: on one line, and cut."""
    try:
        return truncate(repr(value), MAX_SHOWN_VALUE)
    except RecursionError:
        return f"a deeply nested {type(value).__name__}"


def problems_of(error: ValidationError, path: Sequence[str | int] = ()) -> tuple[Problem, ...]:
    """Every problem that pydantic found, with its field's path below ``path``, the value, and what is allowed."""
    return tuple(
        Problem(
            field=".".join(str(part) for part in (*path, *detail["loc"])),
            problem=_sentence(detail["type"], detail["msg"], detail["input"]),
        )
        for detail in error.errors(include_url=False, include_context=False)
    )


def _sentence(kind: str, message: str, value: object) -> str:
    if kind == "missing":
        return "is required"
    if kind == "extra_forbidden":
        return "is not a known field"
    rule = _RULES.get(kind) or _SHOULD.sub("must ", message).removeprefix("Value error, ")
    return f"{rule}, got {shown(value)}"
