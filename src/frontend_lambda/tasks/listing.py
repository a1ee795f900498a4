"""A client's tasks, the newest first, a page at a time."""

import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from contract.errors import ContractError, Problem, shown
from contract.task import MAX_RUNTIME_LENGTH
from contract.task_table.item import State, TaskItem
from contract.task_table.keys import BY_CLIENT_SORT_KEY, PARTITION_KEY, SORT_KEY, created_id
from frontend_lambda.tasks.cursor import InvalidCursor, read_cursor, write_cursor
from frontend_lambda.tasks.options import label_problem
from frontend_lambda.tasks.problems import invalid, unavailable
from frontend_lambda.tasks.reader import NO_ANSWER, Reader
from frontend_lambda.tasks.request import TaskRequest
from frontend_lambda.tasks.table import MAX_KEYS, TableUnavailable, TaskTable

DEFAULT_LIMIT, MAX_LIMIT = 20, 100

MAX_LINKS = 4
"""Links of a task in a list. A link has up to 2 KB, and a page 100 tasks; Lambda answers with 6 MB at most."""

MAX_READ = 1000
"""Tasks that one request looks at. Where few of many match, a page has fewer tasks than its limit, and a cursor."""

READ_SECONDS = 15.0
"""After which a page ends with what was found: API Gateway waits for 29 s."""

_NUMBER = re.compile(r"[0-9]{1,9}")

PARAMETERS = ("status", "runtime", "label", "limit", "cursor", "links")


@dataclass(frozen=True, slots=True)
class Query:
    """``before`` is the ``created_id`` of the last task of the page before; None for the first page. ``links`` is how
    many outputs of each task have a link."""

    status: State | None
    runtime: str | None
    labels: Mapping[str, str]
    limit: int
    before: str | None
    links: int = 0

    def matches(self, item: TaskItem) -> bool:
        if self.status is not None and item.status is not self.status:
            return False
        if self.runtime is not None and item.runtime != self.runtime:
            return False
        return all(item.labels.get(name) == value for name, value in self.labels.items())

    @property
    def filtered(self) -> bool:
        return bool(self.status or self.runtime or self.labels)


@dataclass(frozen=True, slots=True)
class Page:
    """``next`` is a cursor; None where there are no more tasks. ``links`` as the query has it."""

    items: Sequence[TaskItem]
    next: str | None
    links: int = 0


class Listing:
    """Lists tasks. Safe to use from many threads."""

    def __init__(self, table: TaskTable, reader: Reader) -> None:
        self._table = table
        self._reader = reader

    def page(self, request: TaskRequest) -> Page:
        """The tasks that the request's query asks for. Raises TaskProblem."""
        query = read_query(request)
        found: list[TaskItem] = []
        before, read, more = query.before, 0, True
        deadline = time.monotonic() + READ_SECONDS
        while more and len(found) < query.limit and read < MAX_READ and time.monotonic() < deadline:
            wanted = MAX_KEYS if query.filtered else query.limit - len(found)
            keys, items = self._read(request.client, before, wanted)
            more = len(keys) == wanted
            read += len(keys)
            for key in keys:
                before = key[BY_CLIENT_SORT_KEY]["S"]
                item = items.get(before)
                if item is not None and query.matches(item):
                    found.append(item)
                if len(found) == query.limit:
                    more = more or key is not keys[-1]
                    break
        cursor = write_cursor(request.client, filters(request), before) if more and before else None
        return Page(found, cursor, query.links)

    def _read(
        self, client: str, before: str | None, limit: int
    ) -> tuple[Sequence[Mapping[str, Any]], dict[str, TaskItem]]:
        """Keys of the index, and their tasks by ``created_id``."""
        try:
            keys = self._table.keys(client, before, limit)
            own = [{PARTITION_KEY: key[PARTITION_KEY], SORT_KEY: key[SORT_KEY]} for key in keys]
            items = list(self._table.batch(own))
        except TableUnavailable as error:
            raise unavailable(NO_ANSWER) from error
        current = map(self._reader.current, items)
        return keys, {created_id(item.created, item.id): item for item in current if item is not None}


def read_query(request: TaskRequest) -> Query:
    """Raises TaskProblem with everything that is wrong with the query."""
    problems = [
        Problem(name, f"is not a known parameter; there are {', '.join(PARAMETERS)}")
        for name in request.query.keys() - PARAMETERS
    ]
    problems += [
        Problem(name, "must be given once")
        for name in ("status", "runtime", "limit", "cursor", "links")
        if _several(request, name)
    ]
    status, runtime, limit, cursor = (_first(request, name) for name in ("status", "runtime", "limit", "cursor"))
    if status is not None and status not in set(State):
        problems.append(Problem("status", f"must be one of {', '.join(State)}, got {shown(status)}"))
    if runtime is not None and not 1 <= len(runtime) <= MAX_RUNTIME_LENGTH:
        problems.append(Problem("runtime", f"must be a runtime's name, got {shown(runtime)}"))
    if limit is not None and not (_NUMBER.fullmatch(limit) and 1 <= int(limit) <= MAX_LIMIT):
        problems.append(Problem("limit", f"must be 1 to {MAX_LIMIT}, got {shown(limit)}"))
    links = _first(request, "links")
    if links is not None and not (_NUMBER.fullmatch(links) and int(links) <= MAX_LINKS):
        problems.append(Problem("links", f"must be 0 to {MAX_LINKS}, got {shown(links)}"))
    labels = [label.partition(":") for label in request.query.get("label", ())]
    for name, _, value in labels:
        if problem := label_problem(name, value):
            problems.append(Problem("label", f"{problem}; a label is written name:value"))
    before = None
    if cursor is not None:
        try:
            before = read_cursor(request.client, filters(request), cursor)
        except InvalidCursor:
            problems.append(
                Problem("cursor", "must be that of an earlier page, with the same key and the same filters")
            )
    if problems:
        raise invalid(ContractError(problems))
    return Query(
        State(status) if status else None,
        runtime,
        {name: value for name, _, value in labels},
        int(limit) if limit else DEFAULT_LIMIT,
        before,
        int(links) if links else 0,
    )


def filters(request: TaskRequest) -> list[str]:
    """What a cursor belongs to."""
    return [f"{name}={value}" for name in ("status", "runtime", "label") for value in request.query.get(name, ())]


def next_url(request: TaskRequest, cursor: str) -> str:
    """The URL of the page at ``cursor``."""
    kept = [(name, value) for name, values in request.query.items() if name != "cursor" for value in values]
    return f"{request.tasks_url}?{urlencode([*kept, ('cursor', cursor)])}"


def _first(request: TaskRequest, name: str) -> str | None:
    return next(iter(request.query.get(name, ())), None)


def _several(request: TaskRequest, name: str) -> bool:
    return len(request.query.get(name, ())) > 1
