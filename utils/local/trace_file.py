"""The trace file: a line of JSON for each stage of each task, in the order in which stages were exported."""

import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import asdict
from pathlib import Path

from utils.local.otlp import Span, collecting


@asynccontextmanager
async def writing(path: Path) -> AsyncIterator[str]:
    """Add to the file what comes; yields the endpoint for OTLP over HTTP. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", buffering=1, encoding="utf-8") as file:
        async with collecting(lambda span: print(json.dumps(asdict(span)), file=file)) as endpoint:
            yield endpoint


def read(path: Path) -> Iterator[Span]:
    """The spans of a trace file. Raises OSError, and ValueError for a line that is none of ours."""
    with path.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            try:
                yield Span(**json.loads(line))
            except (ValueError, TypeError) as error:
                raise ValueError(f"{path}, line {number}: is no span: {error}") from error
