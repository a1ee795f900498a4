"""Two languages of one page: the same but for the text."""

from collections.abc import Iterator, Sequence
from itertools import zip_longest
from typing import Any

from test.docs.pages import Block, Heading, Page, Table


def differences(first: Page, second: Page) -> Iterator[str]:
    """What the second page lacks, has too much, or has otherwise: headings, tables, blocks, each in their order."""
    yield from _differ("heading", first.headings, second.headings)
    yield from _differ("table", first.tables, second.tables)
    yield from _differ("block", first.blocks, second.blocks)


def _differ(kind: str, first: Sequence[Any], second: Sequence[Any]) -> Iterator[str]:
    """The first difference; those that follow are mostly the same one."""
    for number, (one, other) in enumerate(zip_longest(first, second), 1):
        if one is None or other is None:
            there = one or other
            yield f"{kind} {number} is only in one of them: line {there.line}, {_shared(there)}"
            return
        if _shared(one) != _shared(other):
            yield f"{kind} {number}: line {one.line} is {_shared(one)}, line {other.line} is {_shared(other)}"
            return


def _shared(part: Heading | Table | Block) -> str:
    """Everything of it that both languages share."""
    match part:
        case Heading():
            return f"of level {part.level}"
        case Table():
            return f"of {part.rows} rows and {part.columns} columns"
        case Block():
            return f"{part.language} {part.marker} {part.file}\n{part.text}"
