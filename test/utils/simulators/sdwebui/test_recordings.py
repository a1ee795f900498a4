"""The simulated WebUI gives what the recorded real ones gave: status, shape, and the values that do not vary."""

import asyncio
import base64
import json
import re
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from test.support.sdwebui import Client, serve_simulator
from utils.simulators.base import Options

EVENTS = Path(__file__).parents[3] / "events"
RECORDINGS = sorted(
    path.relative_to(EVENTS).as_posix()
    for folder in ("a1111-1.8.0", "forge-f2.0.1")
    for path in (EVENTS / folder).glob("*.json")
)

SERVERS = {
    "a1111-1.8.0": Options(models=("tiny-alpha.safetensors", "tiny-beta.safetensors"), seconds_per_step=0.005),
    "forge-f2.0.1": Options(models=("sd15-random.safetensors",), seconds_per_step=0.005, flavour="forge"),
}

WHILE_BUSY = {"a1111-1.8.0/progress-busy.json", "a1111-1.8.0/interrupt-busy.json"}
INTERRUPTED = "a1111-1.8.0/txt2img-interrupted.json"

VARYING_ROUTES = {"/sdapi/v1/progress", "/sdapi/v1/memory", "/sdapi/v1/options", "/sdapi/v1/sd-models"}
VARYING_KEYS = {"subseed", "all_subseeds", "sd_model_name", "sd_model_hash", "job_timestamp", "version", "model_path"}

RECORDED_IMAGE = re.compile(r"<base64 PNG (\d+)x(\d+), \d+ bytes>")


@pytest.mark.parametrize("name", RECORDINGS)
async def test_the_simulator_answers_as_the_real_one_did(name: str) -> None:
    # Given
    recording = json.loads((EVENTS / name).read_text())
    request = recording["request"]
    async with serve_simulator(SERVERS[Path(name).parent.name]) as client:
        # When
        async with _circumstances(name, client):
            call = client.session.request(request["method"], client.base + request["path"], json=request["body"])
            async with call as response:
                body = await response.json()

        # Then
        assert response.status == recording["status"]
        assert response.content_type == recording["content_type"]
        varying = request["method"] == "GET" and request["path"] in VARYING_ROUTES
        _compare(body, recording["body"], cut="note" in recording, values=not varying)


def _circumstances(name: str, client: Client) -> AbstractAsyncContextManager[None]:
    if name in WHILE_BUSY:
        return _busy(client)
    if name == INTERRUPTED:
        return _interrupting(client)
    return _nothing()


@asynccontextmanager
async def _nothing() -> AsyncIterator[None]:
    yield


@asynccontextmanager
async def _busy(client: Client) -> AsyncIterator[None]:
    long = json.loads((EVENTS / INTERRUPTED).read_text())["request"]["body"]
    job = asyncio.create_task(client.post("txt2img", long))
    await client.busy()
    yield
    await client.post("interrupt")
    await job


@asynccontextmanager
async def _interrupting(client: Client) -> AsyncIterator[None]:
    async def interrupt() -> None:
        await client.busy()
        await client.post("interrupt")

    interrupting = asyncio.create_task(interrupt())
    yield
    await interrupting


def _compare(actual: Any, recorded: Any, *, cut: bool = False, values: bool = True, path: str = "body") -> None:
    """Same shape everywhere; same values where ``values`` says so. ``cut``: the recording shows some of the keys."""
    if isinstance(recorded, dict):
        assert isinstance(actual, dict), path
        missing, more = recorded.keys() - actual.keys(), actual.keys() - recorded.keys()
        assert not missing, path
        assert cut or not more, path
        for key, value in recorded.items():
            if key == "info":
                _compare(json.loads(actual[key]), json.loads(value), path=f"{path}.info")
            else:
                _compare(actual[key], value, values=values and key not in VARYING_KEYS, path=f"{path}.{key}")
    elif isinstance(recorded, list):
        _compare_lists(actual, recorded, values=values, path=path)
    elif isinstance(recorded, str) and (size := RECORDED_IMAGE.fullmatch(recorded)):
        with Image.open(BytesIO(base64.b64decode(actual, validate=True))) as image:
            assert image.format == "PNG", path
            assert image.size == (int(size[1]), int(size[2])), path
    elif not values:
        assert _kind(actual) == _kind(recorded) or None in (actual, recorded), f"{path}: {actual!r}, not {recorded!r}"
    else:
        assert _masked(actual) == _masked(recorded), path


def _compare_lists(actual: Any, recorded: list[Any], *, values: bool, path: str) -> None:
    assert isinstance(actual, list), path
    if recorded and isinstance(recorded[-1], str) and recorded[-1].endswith(" more>"):
        recorded = recorded[:-1]
        assert len(actual) > len(recorded), path
    else:
        assert len(actual) == len(recorded), path
    for number, value in enumerate(recorded):
        _compare(actual[number], value, cut=True, values=values, path=f"{path}[{number}]")


def _kind(value: Any) -> type:
    """JSON's kind of value: it has numbers, not integers and floats."""
    return float if type(value) is int else type(value)


def _masked(value: Any) -> Any:
    """An infotext without what varies, and pydantic's addresses without its version."""
    if not isinstance(value, str):
        return value
    value = re.sub(r"(Model hash|Model|Version): [^,]*", r"\1: …", value)
    return re.sub(r"errors\.pydantic\.dev/[\d.]+/", "errors.pydantic.dev/…/", value)
