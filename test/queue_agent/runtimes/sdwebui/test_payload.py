"""The body that is encoded while it is sent."""

import base64
import copy
import json
import os
from typing import Any

import pytest

from queue_agent.runtimes.base import File, Path
from queue_agent.runtimes.sdwebui.payload import AHEAD_BYTES, SLICE_BYTES, encode


def a_file(data: bytes) -> File:
    return File(name="a.png", media_type="image/png", data=data)


@pytest.mark.parametrize("size", [0, 1, 2, 3, SLICE_BYTES - 1, SLICE_BYTES, 2 * SLICE_BYTES + 2])
@pytest.mark.parametrize("number", [1, 2**70], ids=["orjson", "beyond 64 bits"])
def test_the_pieces_are_the_json_with_the_files(size: int, number: int) -> None:
    # Given a body with two files, one of them at two places, and text around them
    body: dict[str, Any] = {"b": ["x", "y"], "number": number, "a": {"c": "z"}, "text": 'a "quoted" ümlaut:0:'}
    one, other = a_file(os.urandom(size)), a_file(b"other")
    files: dict[Path, File] = {("a", "c"): one, ("b", 0): other, ("b", 1): one}
    before = copy.deepcopy(body)
    # When
    payload = encode(body, files)
    pieces = list(payload.texts())
    # Then
    text = b"".join(pieces)
    in_base64 = {id(file): base64.b64encode(file.data).decode() for file in (one, other)}
    assert json.loads(text) == {
        **before,
        "b": [in_base64[id(other)], in_base64[id(one)]],
        "a": {"c": in_base64[id(one)]},
    }
    assert payload.size == len(text)
    assert max(map(len, pieces)) <= AHEAD_BYTES
    assert isinstance(payload.data, bytes) is (payload.size <= AHEAD_BYTES), "a small text is made ahead"
    assert body == before, "the links are there again"
