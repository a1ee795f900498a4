"""The body of a proxy event as a JSON value that every part behind the front door can carry."""

import base64
import json
import math
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

from contract.errors import ContractError, Problem, shown

MAX_DEPTH = 100
"""Levels of nesting. Real workflows need about ten; parsers further on give up at a thousand or so."""

MAX_INTEGER_CHARACTERS = 20
"""What 64 bits take, with or without a sign. Seeds of ComfyUI use all of them."""

MAX_PROBLEMS = 100
"""A body may hold a million wrong values; nobody reads more than these."""


def read_json(event: Mapping[str, Any]) -> Any:
    """The body, parsed. Raises ContractError when it is missing or not JSON, and for numbers, text and nesting that
    JSON parsers do not agree on: NaN, infinite and huge numbers, half surrogate pairs."""
    text = _text(event)
    if not text.strip():
        raise ContractError([Problem("", "the body is empty; it must be a JSON object")])
    try:
        value = json.loads(text, parse_int=_integer)
    except RecursionError as error:
        raise ContractError([Problem("", f"the body is nested deeper than {MAX_DEPTH} levels")]) from error
    except ValueError as error:
        raise ContractError([Problem("", f"the body is not JSON: {error}")]) from error
    problems = tuple(islice(_unfit(value, ()), MAX_PROBLEMS))
    if problems:
        raise ContractError(problems)
    return value


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


def _integer(digits: str) -> int | float:
    return int(digits) if len(digits) <= MAX_INTEGER_CHARACTERS else math.inf


def _unfit(value: Any, path: tuple[str | int, ...]) -> Iterator[Problem]:
    if isinstance(value, str):
        if not _is_unicode(value):
            yield Problem(_field(path), f"must be valid Unicode text, got {shown(value)}")
    elif isinstance(value, float):
        if not math.isfinite(value):
            yield Problem(_field(path), "must be a finite number that 64 bits can hold")
    elif isinstance(value, dict | list):
        if len(path) == MAX_DEPTH:
            yield Problem(_field(path), f"is nested deeper than {MAX_DEPTH} levels")
            return
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            if isinstance(key, str) and not _is_unicode(key):
                yield Problem(_field(path), f"must have names of valid Unicode text, got {shown(key)}")
            if _may_be_unfit(item):
                yield from _unfit(item, (*path, key))


def _field(path: tuple[str | int, ...]) -> str:
    return ".".join(str(part) for part in path)


def _may_be_unfit(item: Any) -> bool:
    """Integers, booleans, null and plain ASCII never are; most of a large body is such text."""
    return not item.isascii() if isinstance(item, str) else isinstance(item, dict | list | float)


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
