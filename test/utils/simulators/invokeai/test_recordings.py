"""The simulated InvokeAI answers every recorded request as InvokeAI 6.14.2 did: status, content type and JSON shape."""

import json
import re
from collections.abc import Awaitable, Callable, Mapping
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from aiohttp import FormData
from PIL import Image

from .conftest import Client, Start, ended, enqueue, item_when, made_by

RECORDINGS = {
    path.stem: json.loads(path.read_text())
    for path in sorted((Path(__file__).parents[3] / "events" / "invokeai-6.14.2").glob("*.json"))
}

SECONDS_PER_STEP = 0.5
"""Long enough for a request to find a node at work."""

UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def shape(value: Any) -> Any:
    """The value without its values: types, and the keys of objects; generated ids in keys and texts become ``<id>``."""
    if isinstance(value, Mapping):
        return {UUID.sub("<id>", key): shape(inner) for key, inner in value.items()}
    if isinstance(value, list):
        shapes = [shape(inner) for inner in value]
        return [one for number, one in enumerate(shapes) if one not in shapes[:number]]
    return type(value).__name__


def graph(name: str) -> dict[str, Any]:
    """The graph of a recorded request."""
    sent: dict[str, Any] = RECORDINGS[name]["request"]["body"]["batch"]["graph"]
    return sent


def small(sent: dict[str, Any]) -> dict[str, Any]:
    """The graph with images that do not take a gigabyte."""
    nodes = {
        key: {**node, **({"width": 64, "height": 64} if "width" in node else {})} for key, node in sent["nodes"].items()
    }
    return {**sent, "nodes": nodes}


async def run(client: Client, name: str) -> dict[str, Any]:
    sent = RECORDINGS[name]["request"]["body"]["batch"]
    answer = await enqueue(client, small(sent["graph"]), origin=sent["origin"], destination=sent["destination"])
    return {"item": answer["item_ids"][0], "batch": answer["batch"]["batch_id"]}


async def completed(client: Client) -> dict[str, Any]:
    ids = await run(client, "enqueue-ok")
    return {**ids, "image": made_by(await ended(client, ids["item"]), "save")[0]}


async def failed(client: Client) -> dict[str, Any]:
    ids = await run(client, "enqueue-missing-image")
    await ended(client, ids["item"])
    return ids


async def in_progress(client: Client) -> dict[str, Any]:
    ids = await run(client, "enqueue-slow")
    await item_when(client, ids["item"], lambda found: found["status"] == "in_progress")
    return ids


async def canceled(client: Client) -> dict[str, Any]:
    ids = await in_progress(client)
    await client.put(f"/api/v1/queue/default/i/{ids['item']}/cancel")
    await item_when(client, ids["item"], lambda found: bool(found["session"]["results"]))
    return ids


async def with_board(client: Client) -> dict[str, Any]:
    async with client.post("/api/v1/boards/?board_name=queue-agent") as response:
        return {"board": (await response.json())["board_id"]}


async def nothing(_: Client) -> dict[str, Any]:
    return {}


BEFORE: dict[str, Callable[[Client], Awaitable[dict[str, Any]]]] = {
    "batch-status": completed,
    "board-image-names": with_board,
    "boards": with_board,
    "cancel-by-batch-ids": in_progress,
    "cancel-completed": completed,
    "cancel-running": in_progress,
    "delete-images": completed,
    "image-dto": completed,
    "image-full": completed,
    "images-by-names": completed,
    "item-canceled": canceled,
    "item-completed": completed,
    "item-failed": failed,
    "item-in-progress": in_progress,
    "list-all": canceled,
}
"""What must have happened before the recorded request makes sense."""


def path_with(path: str, ids: dict[str, Any]) -> str:
    """The recorded path, with the ids of this run."""
    for part, key in (("queue/default/i", "item"), ("queue/default/b", "batch"), ("boards", "board")):
        if key in ids:
            path = re.sub(rf"/{part}/[^/?]+", f"/{part}/{ids[key]}", path)
    return re.sub(r"/images/i/[^/]+", f"/images/i/{ids.get('image')}", path)


def body_of(recorded: dict[str, Any], ids: dict[str, Any]) -> dict[str, Any]:
    """Arguments of the request: JSON with the ids of this run, a form with a file, or nothing."""
    if isinstance(recorded["body"], dict):
        body = dict(recorded["body"])
        for field, own in (("image_names", "image"), ("batch_ids", "batch")):
            if field in body and own in ids:
                body[field] = [ids[own], *body[field][1:]]
        return {"json": body}
    if not recorded["body"]:
        return {}
    image = BytesIO()
    Image.new("RGB", (64, 64)).save(image, "PNG")
    form = FormData()
    form.add_field("file", image.getvalue(), filename="in.png", content_type="image/png")
    return {"data": form}


@pytest.mark.parametrize("name", RECORDINGS)
async def test_the_simulation_answers_as_the_recording(name: str, start: Start) -> None:
    # Given
    recorded = RECORDINGS[name]
    client = await start(seconds_per_step=0 if BEFORE.get(name) in (completed, failed) else SECONDS_PER_STEP)
    ids = await BEFORE.get(name, nothing)(client)

    # When
    request = recorded["request"]
    async with client.request(request["method"], path_with(request["path"], ids), **body_of(request, ids)) as response:
        content = await response.read()

    # Then
    assert response.status == recorded["status"]
    assert response.content_type == recorded.get("content_type", "application/json")
    if response.content_type == "application/json":
        assert shape(json.loads(content)) == shape(recorded["body"])
    else:
        assert Image.open(BytesIO(content)).format == "PNG"


def test_every_recording_is_there() -> None:
    assert len(RECORDINGS) == 27


@pytest.mark.parametrize("name", [name for name in RECORDINGS if RECORDINGS[name]["status"] in (404, 422)])
async def test_the_simulation_refuses_in_the_recorded_words(name: str, start: Start) -> None:
    # Given
    recorded = RECORDINGS[name]
    client = await start()

    # When
    request = recorded["request"]
    async with client.request(request["method"], request["path"], **body_of(request, {})) as response:
        body = await response.json()

    # Then
    assert words(body) == words(recorded["body"])


def words(body: dict[str, Any]) -> Any:
    """What a refusal says; the list of all node types, which differs, is left out."""
    if isinstance(body["detail"], str):
        return body["detail"]
    return [
        {**p, "msg": p["msg"].split("tags:")[0], "ctx": {**p["ctx"], "expected_tags": None}} for p in body["detail"]
    ]
