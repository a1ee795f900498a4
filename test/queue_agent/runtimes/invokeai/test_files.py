"""Linked files: uploaded, named in the graph, and cleared up."""

from io import BytesIO
from typing import Any

import pytest
from aiohttp import ClientSession
from PIL import Image

from queue_agent.errors import PermanentError
from queue_agent.runtimes.base import File, Path
from queue_agent.runtimes.invokeai import Adapter
from test.support.invokeai import edge, graph_of
from test.support.runtimes import run_job

from .conftest import Server, Simulate, answer, job, read

PATH = ("graph", "nodes", "load", "image", "image_name")
LINK = "https://example.com/in.png"


def png_bytes(width: int = 24) -> bytes:
    target = BytesIO()
    Image.new("RGB", (width, 16), "red").save(target, "PNG")
    return target.getvalue()


def resized() -> dict[str, Any]:
    """A graph that loads a linked image and doubles it."""
    load = {"type": "image", "image": {"image_name": LINK}}
    return graph_of({"load": load, "twice": {"type": "img_scale"}}, edge("load.image", "twice.image"))


async def uploaded(server: Server) -> list[str]:
    """Names that the last graph loaded."""
    _, item = await server.ask("GET", "api/v1/queue/default/i/1")
    return [item["session"]["graph"]["nodes"]["load"]["image"]["image_name"]]


async def test_a_linked_image_is_uploaded_used_and_deleted_and_is_no_output(
    simulate: Simulate, session: ClientSession
) -> None:
    # Given
    server = await simulate()
    content = {"graph": resized()}

    # When
    result = await run_job(Adapter(server.url, session), job(content, {PATH: File("in.png", "image/png", png_bytes())}))

    # Then
    [output] = result.outputs
    assert Image.open(BytesIO(await read(output))).size == (48, 32)
    [name] = await uploaded(server)
    assert name != LINK
    assert (await server.ask("GET", f"api/v1/images/i/{name}"))[0] == 404
    assert content == {"graph": resized()}, "the task's content is as it was"
    assert LINK not in str(answer(result))


async def test_links_in_a_list_and_in_batch_data_are_replaced_too(simulate: Simulate, session: ClientSession) -> None:
    # Given
    server = await simulate()
    graph = graph_of(
        {
            "both": {"type": "image_collection", "collection": [{"image_name": LINK}, {"image_name": LINK}]},
            "each": {"type": "iterate"},
            "saved": {"type": "save_image"},
            "load": {"type": "image", "image": {"image_name": "x"}},
            "copy": {"type": "save_image"},
        },
        edge("both.collection", "each.collection"),
        edge("each.item", "saved.image"),
        edge("load.image", "copy.image"),
    )
    data = [[{"node_path": "load", "field_name": "image", "items": [{"image_name": LINK}]}]]
    collection = ("batch", "graph", "nodes", "both", "collection")
    files: dict[Path, File] = {
        (*collection, 0, "image_name"): File("a.png", "image/png", png_bytes(8)),
        (*collection, 1, "image_name"): File("b.png", "image/png", png_bytes(16)),
        ("batch", "data", 0, 0, "items", 0, "image_name"): File("c.png", "image/png", png_bytes(32)),
    }

    # When
    result = await run_job(Adapter(server.url, session), job({"batch": {"graph": graph, "data": data}}, files))

    # Then
    assert [Image.open(BytesIO(await read(output))).width for output in result.outputs] == [8, 16, 32]


async def test_uploads_are_deleted_when_the_graph_failed(simulate: Simulate, session: ClientSession) -> None:
    # Given
    server = await simulate()
    graph = resized()
    graph["nodes"]["lost"] = {"id": "lost", "type": "image", "image": {"image_name": "nope.png"}}

    # When
    in_png: dict[Path, File] = {PATH: File("in.png", "image/png", png_bytes())}
    with pytest.raises(PermanentError):
        await run_job(Adapter(server.url, session), job({"graph": graph}, in_png))

    # Then
    [name] = await uploaded(server)
    assert (await server.ask("GET", f"api/v1/images/i/{name}"))[0] == 404


@pytest.mark.parametrize(
    ("file", "says"),
    [
        (File("notes.txt", "text/plain", b"no picture"), "'notes.txt' (text/plain): Not an image"),
        (File("in.png", "image/png", b"no picture"), "'in.png' (image/png): Failed to read image"),
    ],
)
async def test_a_link_to_what_is_no_image_is_the_callers_fault(
    file: File, says: str, simulate: Simulate, session: ClientSession
) -> None:
    # Given
    server = await simulate()

    # When
    with pytest.raises(PermanentError) as caught:
        await run_job(Adapter(server.url, session), job({"graph": resized()}, {PATH: file}))

    # Then
    assert caught.value.type == "not-a-picture"
    assert caught.value.message == (
        f"content.graph.nodes.load.image.image_name: InvokeAI does not take {says}; link to a PNG, JPEG or WebP image"
    )
    _, status = await server.ask("GET", "api/v1/queue/default/status")
    assert status["queue"]["total"] == 0
