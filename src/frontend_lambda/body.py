"""The body of a proxy event as a JSON value that every part behind the front door can carry."""

import base64
import json
import math
import re
from collections.abc import Iterator, Mapping
from itertools import chain
from typing import Any

from contract.errors import ContractError, Problem, shown

MAX_DEPTH = 100
"""Levels of nesting. Real workflows need about ten; parsers further on give up at a thousand or so."""

MAX_INTEGER_CHARACTERS = 20
"""What 64 bits take, with or without a sign. Seeds of ComfyUI use all of them."""

INTEGERS = range(-(10 ** (MAX_INTEGER_CHARACTERS - 1)) + 1, 10**MAX_INTEGER_CHARACTERS)
"""Those that have no more characters."""

_COMMENT = re.compile(r"(?:,\s*)?((?://|#).*|/\*.*?(?:\*/|$))", re.MULTILINE)
"""What annotated samples have behind or between values."""


def read_json(event: Mapping[str, Any]) -> Any:
    """The body, parsed. Raises ContractError when it is missing or not JSON, and for numbers, text and nesting that
    JSON parsers do not agree on: NaN, infinite and huge numbers, half surrogate pairs."""
    text = _text(event)
    if not text.strip():
        raise ContractError([Problem("", "the body is empty; it must be a JSON object")])
    try:
        value = json.loads(text)
    except RecursionError as error:
        raise ContractError([Problem("", f"the body is nested deeper than {MAX_DEPTH} levels")]) from error
    except json.JSONDecodeError as error:
        raise ContractError([Problem("", f"the body is not JSON: {_cause(error)}")]) from error
    except ValueError as error:  # of more digits than Python reads
        raise ContractError([Problem("", "the body holds a number that 64 bits cannot hold")]) from error
    problems = _unfit_values(value, ())
    if (first := next(problems, None)) is not None:
        raise ContractError(chain([first], problems))
    return value


def part(value: Any, *keys: str) -> Any:
    """The value at ``keys`` in JSON that is not checked yet; None where it does not go so deep."""
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def whole(value: Any) -> int | None:
    """A whole number, which JSON may also write as 5.0; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float) or value != int(value):
        return None
    return int(value)


def _cause(error: json.JSONDecodeError) -> str:
    comment = _COMMENT.match(error.doc, error.pos)
    if comment is None:
        return str(error)
    start = comment.start(1)
    line, column = error.doc.count("\n", 0, start) + 1, start - error.doc.rfind("\n", 0, start)
    return f"it holds a comment at line {line}, column {column}, {shown(comment[1])}; JSON has none, so remove it"


def _text(event: Mapping[str, Any]) -> str:
    body = event.get("body")
    if body is None:
        return ""
    if not isinstance(body, str):
        raise ContractError([Problem("", "the body must be text")])
    if not event.get("isBase64Encoded"):
        return body
    try:
        return base64.b64decode(body, validate=True).decode()
    except ValueError as error:
        raise ContractError([Problem("", "the body is not JSON: it is not UTF-8 text")]) from error


def _unfit_values(value: Any, path: tuple[str | int, ...]) -> Iterator[Problem]:
    """``value`` is checked in place where it holds nothing else, for a body may have a million values."""
    if isinstance(value, str) and not _is_unicode(value):
        yield Problem(_field(path), f"must be valid Unicode text, got {shown(value)}")
    elif _is_unfit_number(value):
        yield Problem(_field(path), "must be a finite number that 64 bits can hold")
    elif isinstance(value, dict | list):
        if len(path) == MAX_DEPTH:
            yield Problem(_field(path), f"is nested deeper than {MAX_DEPTH} levels")
            return
        if isinstance(value, dict):
            yield from _unfit_names(value, path)
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            kind = item.__class__
            if kind is int:
                fit = item in INTEGERS
            else:
                fit = item.isascii() if kind is str else kind is not dict and kind is not list and kind is not float
            if not fit:
                yield from _unfit_values(item, (*path, key))


def _is_unfit_number(value: Any) -> bool:
    return not math.isfinite(value) if isinstance(value, float) else isinstance(value, int) and value not in INTEGERS


def _unfit_names(value: Mapping[str, Any], path: tuple[str | int, ...]) -> Iterator[Problem]:
    for key in value:
        if not key.isascii() and not _is_unicode(key):
            yield Problem(_field(path), f"must have names of valid Unicode text, got {shown(key)}")


def _field(path: tuple[str | int, ...]) -> str:
    return ".".join(str(part) for part in path)


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
