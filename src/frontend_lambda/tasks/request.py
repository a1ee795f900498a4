"""A request to the task API, read from a proxy event."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from urllib.parse import unquote

from contract.trace import TraceContext
from frontend_lambda.body import part
from frontend_lambda.caller import Caller

TASKS_PATH = "/v1alpha2/tasks"

ENCODED_SLASH = "%2F"

_WAIT = re.compile(r"(?:^|[,;\s])wait\s*=\s*\"?0*([0-9]+)\"?(?=$|[,;\s])", re.IGNORECASE)

MAX_WAIT_DIGITS = 9
"""Those of a longer number do not matter, and Python reads 4,300 at most."""

ANY_TAG = "*"
"""``If-None-Match: *`` names every revision."""


@dataclass(frozen=True, kw_only=True)
class TaskRequest:
    """``params`` are the variable parts of the path, decoded. ``facts`` gains what the log line says of the request.

    ``started`` is in seconds of time.monotonic.
    """

    event: Mapping[str, Any]
    params: Mapping[str, str]
    caller: Caller
    request_id: str
    trace: TraceContext
    facts: dict[str, Any]
    started: float

    @property
    def client(self) -> str:
        return self.caller.client.name

    @cached_property
    def query(self) -> Mapping[str, list[str]]:
        """Every value of each query parameter."""
        several = self.event.get("multiValueQueryStringParameters")
        return {name: list(values) for name, values in several.items()} if several else {}

    @cached_property
    def base_url(self) -> str:
        """``https://{host}/{stage}``, as the caller reached it, without ``/`` at its end."""
        return base_url(self.event)

    @property
    def tasks_url(self) -> str:
        return f"{self.base_url}{TASKS_PATH}"

    def task_url(self, task_id: str) -> str:
        return f"{self.tasks_url}/{task_id}"

    def header(self, name: str) -> str | None:
        """The last value of a header; names are compared without regard to case."""
        return header(self.event, name)

    @property
    def wait_seconds(self) -> int:
        """What ``Prefer: wait=N`` asks for; 0 without it. What is no number is ignored, as RFC 7240 demands."""
        found = _WAIT.search(self.header("Prefer") or "")
        return int(found[1][:MAX_WAIT_DIGITS]) if found else 0

    @property
    def known_revisions(self) -> frozenset[str]:
        """The entity tags of ``If-None-Match``, weak or strong."""
        tags = (self.header("If-None-Match") or "").split(",")
        return frozenset(tag.strip().removeprefix("W/").strip('"') for tag in tags if tag.strip())


def header(event: Mapping[str, Any], name: str) -> str | None:
    """The last value of a header of a proxy event."""
    headers = event.get("headers") or {}
    found = [value for given, value in headers.items() if given.lower() == name.lower() and isinstance(value, str)]
    return found[-1] if found else None


def base_url(event: Mapping[str, Any]) -> str:
    """``https://{host}/{stage}``: behind a domain of the user's own, its base path takes the stage's place."""
    context = part(event, "requestContext") or {}
    whole = _names(str(context.get("path", "")))
    own = len(_names(path_of(event)))
    prefix = "".join(f"/{name}" for name in whole[: len(whole) - own])
    scheme = "http" if header(event, "X-Forwarded-Proto") == "http" else "https"
    return f"{scheme}://{context.get('domainName', '')}{prefix}"


def path_of(event: Mapping[str, Any]) -> str:
    """The path below the stage without empty parts: clients join the endpoint, which ends in a slash, and a path in
    many ways. The resource and its variables say it; the event's own path also holds the base path of a domain. A slash
    in a variable was encoded, and is again: it is no part of the path's structure."""
    parameters = event.get("pathParameters") or {}
    names: list[str] = []
    for name in _names(event["resource"]):
        if name == "{proxy+}":
            names += _names(str(parameters.get("proxy", "")))
        elif name.startswith("{"):
            names.append(str(parameters.get(name.strip("{}"), "")).replace("/", ENCODED_SLASH))
        else:
            names.append(name)
    return "/" + "/".join(names)


def match(template: str, path: str) -> dict[str, str] | None:
    """The variable parts of ``path``, if it is one of ``template``: ``/v1alpha2/tasks/{id}``."""
    expected, names = _names(template), _names(path)
    if len(expected) != len(names):
        return None
    params: dict[str, str] = {}
    for pattern, name in zip(expected, names, strict=True):
        if pattern.startswith("{"):
            params[pattern.strip("{}")] = unquote(name)
        elif pattern != name:
            return None
    return params


def _names(path: str) -> list[str]:
    return [name for name in path.split("/") if name]
