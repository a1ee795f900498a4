"""The simulated InvokeAI as a server: what it refuses, what it keeps, and what it says it is."""

import logging
from typing import Any

import pytest
from aiohttp import ClientError, FormData
from PIL import Image

from test.support.invokeai import edge, graph_of
from utils.simulators.invokeai import queue
from utils.simulators.invokeai.gallery import Gallery

from .conftest import QUEUE, Client, Start, ended, enqueue

UPLOAD = "/api/v1/images/upload?image_category=user&is_intermediate=true"


async def refused(client: Client, batch: Any) -> list[dict[str, Any]]:
    """The problems that /enqueue_batch finds."""
    async with client.post(f"{QUEUE}/enqueue_batch", json={"batch": batch}) as response:
        assert response.status == 422
        problems: list[dict[str, Any]] = (await response.json())["detail"]
        return problems


BLANK = {"type": "blank_image"}
SCALE = {"type": "img_scale"}


@pytest.mark.parametrize(
    ("graph", "says"),
    [
        (graph_of({"a": BLANK}, edge("b.image", "a.width")), "Edge source node b does not exist in the graph"),
        (graph_of({"a": BLANK}, edge("a.nope", "a.width")), "Edge source field nope does not exist in node a"),
        (
            graph_of({"a": BLANK, "b": SCALE}, edge("a.image", "b.nope")),
            "Edge destination field nope does not exist in node b",
        ),
        (
            graph_of({"a": SCALE, "b": SCALE}, edge("a.image", "b.image"), edge("b.image", "a.image")),
            "Graph contains cycles",
        ),
        (
            graph_of({"a": BLANK, "b": BLANK}, edge("a.image", "b.width")),
            "Edge source and target types do not match (a.image -> b.width)",
        ),
        ({"nodes": {"a": {**BLANK, "id": "b"}}}, "Node ids must match, got a and b"),
    ],
)
async def test_a_graph_that_does_not_hold_together_is_refused(graph: dict[str, Any], says: str, start: Start) -> None:
    # When
    problems = await refused(await start(), {"graph": graph})

    # Then
    assert [(problem["loc"], problem["msg"]) for problem in problems] == [
        (["body", "batch", "graph"], f"Value error, {says}")
    ]


async def test_a_field_of_the_wrong_type_is_refused_with_its_place(start: Start) -> None:
    # When
    problems = await refused(await start(), {"graph": graph_of({"a": {**BLANK, "width": "wide"}})})

    # Then
    assert [problem["loc"] for problem in problems] == [
        ["body", "batch", "graph", "nodes", "a", "blank_image", "width"]
    ]


async def test_data_for_a_node_or_field_that_is_not_there_is_refused(start: Start) -> None:
    # Given
    client = await start()
    graph = graph_of({"a": BLANK})

    # When
    said = [
        (await refused(client, {"graph": graph, "data": [[{"node_path": node, "field_name": field, "items": [1]}]]}))
        for node, field in (("b", "width"), ("a", "nope"))
    ]

    # Then
    assert [problems[0]["msg"] for problems in said] == [
        "Value error, Node b not found in graph",
        "Value error, Field nope not found in node a",
    ]


async def test_a_body_that_is_no_json_is_refused(start: Start) -> None:
    # Given
    client = await start()

    # When
    async with client.post(f"{QUEUE}/enqueue_batch", data=b"{nope") as response:
        body = await response.json()

    # Then
    assert response.status == 422
    assert body["detail"][0]["type"] == "json_invalid"


@pytest.mark.parametrize(
    ("data", "content_type", "status", "detail"),
    [(b"text", "text/plain", 415, "Not an image"), (b"no picture", "image/png", 415, "Failed to read image")],
)
async def test_an_upload_that_is_no_image_is_refused(
    data: bytes, content_type: str, status: int, detail: str, start: Start
) -> None:
    # Given
    client = await start()
    form = FormData()
    form.add_field("file", data, filename="file", content_type=content_type)

    # When
    async with client.post(UPLOAD, data=form) as response:
        body = await response.json()

    # Then
    assert (response.status, body) == (status, {"detail": detail})


async def test_a_deleted_image_is_gone(start: Start) -> None:
    # Given
    client = await start()
    found = await ended(client, (await enqueue(client, graph_of({"a": BLANK})))["item_ids"][0])
    name = next(iter(found["session"]["results"].values()))["image"]["image_name"]

    # When
    async with client.post("/api/v1/images/delete", json={"image_names": [name, "nope"]}) as response:
        deleted = await response.json()

    # Then
    assert deleted["deleted_images"] == [name]
    async with client.get(f"/api/v1/images/i/{name}/full") as response:
        assert (response.status, await response.json()) == (404, {"detail": "Not Found"})


async def test_a_batch_that_nobody_enqueued_has_no_items(start: Start) -> None:
    # Given
    client = await start()

    # When
    async with client.get(f"{QUEUE}/b/nope/status") as response:
        status = await response.json()

    # Then
    assert (status["total"], status["origin"]) == (0, None)


async def test_until_it_has_started_every_connection_is_closed(start: Start) -> None:
    # Given
    client = await start(startup_seconds=60)

    # When
    with pytest.raises(ClientError):
        await client.get("/api/v1/app/version")


async def test_it_says_that_it_is_simulated(start: Start, caplog: pytest.LogCaptureFixture) -> None:
    # When
    with caplog.at_level(logging.INFO):
        client = await start(name="sketcher")
    async with client.get("/") as response:
        page = await response.text()

    # Then
    assert "simulated InvokeAI" in page
    assert "sketcher" in page
    assert "simulated InvokeAI" in caplog.text


async def test_it_forgets_the_oldest_items_and_images(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    # Given
    monkeypatch.setattr(queue, "MAX_ENDED", 2)
    client = await start()

    # When
    item_ids = sorted((await enqueue(client, graph_of({"a": {**BLANK, "width": 8, "height": 8}}), runs=4))["item_ids"])
    await ended(client, item_ids[-1])

    # Then
    async with client.get(f"{QUEUE}/i/{item_ids[0]}") as response:
        assert response.status == 404


def test_the_gallery_keeps_only_the_newest_images(monkeypatch: pytest.MonkeyPatch) -> None:
    # Given
    monkeypatch.setattr("utils.simulators.invokeai.gallery.MAX_RECORDS", 2)
    gallery = Gallery()

    # When
    names = [gallery.add(Image.new("RGB", (1, 1)), is_intermediate=False).name for _ in range(3)]

    # Then
    assert not gallery.delete(names[0])
    assert gallery.delete(names[2])
