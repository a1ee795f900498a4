"""The body of a request as it is sent: JSON in which files are base64.

A file may be named at several places, and costs four thirds of its size at each. What is large is therefore encoded
piece by piece while it is sent, and never held whole; what is small is encoded ahead, while the GPU is at work.
"""

import json
import uuid
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import orjson
import pybase64

from queue_agent.runtimes.base import File, Path

SLICE_BYTES = 3 * 1024 * 1024
"""Of a file, encoded at a time; a multiple of three, so that the pieces of base64 fit together."""

AHEAD_BYTES = SLICE_BYTES // 3 * 4
"""Of a text that is made before it is to be sent. A longer one would hold memory for as long as the task waits."""


@dataclass(frozen=True, slots=True)
class Payload:
    """``pieces`` in order: JSON as it is, and files whose base64 is part of it."""

    pieces: tuple[bytes | File, ...]

    @property
    def size(self) -> int:
        """Bytes of the whole text."""
        return sum(len(one) if isinstance(one, bytes) else -(-len(one.data) // 3) * 4 for one in self.pieces)

    @property
    def data(self) -> bytes | AsyncIterator[bytes]:
        """What an HTTP client sends, from the beginning each time."""
        match self.pieces:
            case (bytes() as text,):
                return text
        return self._read()

    async def _read(self) -> AsyncIterator[bytes]:
        for text in self.texts():
            yield text

    def texts(self) -> Iterator[bytes]:
        """The text in order, a slice at a time."""
        for piece in self.pieces:
            if isinstance(piece, bytes):
                yield piece
                continue
            data = memoryview(piece.data)
            for start in range(0, len(data), SLICE_BYTES):
                yield pybase64.b64encode(data[start : start + SLICE_BYTES])


def encode(body: dict[str, Any], files: Mapping[Path, File]) -> Payload:
    """``body`` as JSON with the files at their paths. ``body`` is as before when this returns."""
    mark = uuid.uuid4().hex
    links = {path: at(body, path) for path in files}
    for number, path in enumerate(files):
        _put(body, path, f"{mark}:{number}:")
    try:
        text = _json(body)
    finally:
        for path, link in links.items():
            _put(body, path, link)
    payload = Payload(tuple(_pieces(text, mark.encode(), tuple(files.values()))))
    return payload if payload.size > AHEAD_BYTES else Payload((b"".join(payload.texts()),))


def at(value: Any, path: Path) -> Any:
    """What is at the path; None when it leads nowhere."""
    for part in path:
        try:
            value = value[part]
        except (KeyError, IndexError, TypeError):
            return None
    return value


def _pieces(text: bytes, mark: bytes, files: tuple[File, ...]) -> Iterator[bytes | File]:
    """The text with files where their marks are: the encoder may write them in any order."""
    first, *others = text.split(mark)
    yield first
    for part in others:
        _, number, rest = part.split(b":", 2)
        yield files[int(number)]
        yield rest


def _json(body: dict[str, Any]) -> bytes:
    try:
        return orjson.dumps(body)
    except orjson.JSONEncodeError:  # integers beyond 64 bits
        return json.dumps(body).encode()


def _put(body: Any, path: Path, value: Any) -> None:
    *way, last = path
    holder = at(body, tuple(way))
    holder[last] = value
