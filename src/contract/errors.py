"""The one error of the contract: a list of what is wrong, each with its field."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from types import MappingProxyType

from pydantic import ValidationError
from pydantic_core import ErrorDetails

MAX_PROBLEMS = 20
"""Problems that one error names. A body may hold a million wrong values; nobody reads more than these."""

MAX_SHOWN_VALUE = 80
"""Characters of a refused value that an error shows: enough to recognise it, too few to flood an answer."""

MAX_TEXT = 4000
"""Characters of a whole error: it goes into logs and callbacks, and callers choose how many fields they get wrong."""

JSON_RULES: Mapping[str, str] = MappingProxyType({"model_type": "must be an object", "dict_type": "must be an object"})
"""Rules by pydantic's error type, where pydantic speaks Python and the message is JSON."""

_SHOULD = re.compile(r"^\w+ should ")
"""How pydantic begins: ``Input should be …``, ``String should have …``."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong: ``field`` is a dotted path such as ``task.metadata.id``, empty for the whole."""

    field: str
    problem: str

    def __str__(self) -> str:
        return f"{self.field}: {self.problem}" if self.field else self.problem


class ContractError(Exception):
    """A message that breaks the contract. Its text is truncated to MAX_TEXT characters.

    ``problems`` names every field that is wrong, MAX_PROBLEMS at most; it is read little further than that, so that it
    may be computed lazily. ``omitted`` counts what is wrong in addition and not among them: at least so many.
    """

    def __init__(self, problems: Iterable[Problem], *, omitted: int = 0) -> None:
        remaining = iter(problems)
        self.problems: tuple[Problem, ...] = tuple(islice(remaining, MAX_PROBLEMS))
        self.omitted = omitted + sum(1 for _ in islice(remaining, MAX_PROBLEMS))
        text = "; ".join(str(problem) for problem in self.problems)
        if self.omitted:
            text = f"{text}; and at least {self.omitted} more"
        super().__init__(truncate(text, MAX_TEXT))


def truncate(text: str, length: int) -> str:
    """The first ``length`` characters of ``text``, with ``…`` behind them when there were more."""
    return text if len(text) <= length else f"{text[:length]}…"


def one_line(text: str, length: int) -> str:
    """``text`` with every run of white space as one space, truncated to ``length`` characters."""
    return truncate(" ".join(text.split()), length)


def shown(value: object) -> str:
    """The value as an error may show it: on one line, MAX_SHOWN_VALUE characters at most, at a cost that its size does
    not change."""
    text = ""
    for piece in _pieces(value):
        text += piece
        if len(text) > MAX_SHOWN_VALUE:
            break
    return truncate(text, MAX_SHOWN_VALUE)


def _pieces(value: object) -> Iterator[str]:
    """``repr(value)`` from left to right; each level of nesting yields before it goes deeper."""
    if type(value) is dict:
        yield "{"
        for number, (key, inner) in enumerate(value.items()):
            yield ", " if number else ""
            yield from _pieces(key)
            yield ": "
            yield from _pieces(inner)
        yield "}"
    elif type(value) is list:
        yield "["
        for number, inner in enumerate(value):
            yield ", " if number else ""
            yield from _pieces(inner)
        yield "]"
    else:
        yield repr(value[: MAX_SHOWN_VALUE + 1] if isinstance(value, str) else value)


def problems_of(error: ValidationError, path: Sequence[str | int] = ()) -> tuple[Problem, ...]:
    """Every problem that pydantic found, with its field's path below ``path``, the value, and what is allowed."""
    return tuple(
        Problem(
            field=".".join(str(part) for part in (*path, *detail["loc"])),
            problem=sentence(detail),
        )
        for detail in error.errors(include_url=False, include_context=False)
    )


def sentence(detail: ErrorDetails, rules: Mapping[str, str] = JSON_RULES) -> str:
    """What pydantic found, as a rule and the value that breaks it. ``rules`` replaces pydantic's by its error type."""
    kind = detail["type"]
    if kind == "missing":
        return "is required"
    if kind == "extra_forbidden":
        return "is not a known field"
    rule = rules.get(kind) or _SHOULD.sub("must ", detail["msg"]).removeprefix("Value error, ")
    return f"{rule}, got {shown(detail['input'])}"
