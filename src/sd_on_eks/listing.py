"""Which tasks a list has, and where it goes on."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlencode

from sd_on_eks.models import Status

PAGE = 100
"""Tasks of a page; the API gives no more."""


@dataclass(frozen=True, slots=True)
class Filter:
    """Which tasks a list has. ``limit`` None means all."""

    status: Status | str | None = None
    runtime: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    limit: int | None = None

    def __post_init__(self) -> None:
        if self.limit is not None and self.limit < 1:
            raise ValueError(f"limit must be 1 or more, got {self.limit}")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a list goes on: after ``found`` tasks, at ``cursor``; None is the beginning, or with ``end`` the end."""

    wanted: Filter
    found: int = 0
    cursor: str | None = None
    end: bool = False

    @property
    def query(self) -> str:
        """The query of the page."""
        wanted = self.wanted
        count = PAGE if wanted.limit is None else max(1, min(PAGE, wanted.limit - self.found))
        pairs = [("status", wanted.status), ("runtime", wanted.runtime), ("cursor", self.cursor)]
        labels = [("label", f"{name}:{value}") for name, value in wanted.labels.items()]
        return urlencode([("limit", str(count)), *((name, str(value)) for name, value in pairs if value), *labels])

    def after(self, number: int, cursor: str | None) -> "Place":
        """The place after a page of ``number`` tasks."""
        found = self.found + number
        full = self.wanted.limit is not None and found >= self.wanted.limit
        return Place(self.wanted, found, cursor, end=full or cursor is None)
