"""What a simulated InvokeAI makes of a graph."""

from io import BytesIO
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer
from PIL import Image

from test.support.invokeai import MODEL, edge, graph_of, text_to_image
from utils.simulators.base import Options
from utils.simulators.invokeai import Disk, make_app

from .conftest import QUEUE, Client, Start, ended, enqueue, item, item_when, made_by


async def image(client: Client, name: str) -> Image.Image:
    async with client.get(f"/api/v1/images/i/{name}/full") as response:
        assert response.status == 200
        return Image.open(BytesIO(await response.read()))


async def images(client: Client, graph: dict[str, Any], node: str) -> list[Image.Image]:
    """What a node made in a run of the graph."""
    found = await ended(client, (await enqueue(client, graph))["item_ids"][0])
    assert found["status"] == "completed", found
    return [await image(client, name) for name in made_by(found, node)]


async def test_text_to_image_draws_the_asked_size_and_the_same_image_for_the_same_seed(start: Start) -> None:
    # Given
    client = await start()

    # When
    first = await images(client, text_to_image(seed=7, height=96), "picture")
    again = await images(client, text_to_image(seed=7, height=96), "picture")
    other = await images(client, text_to_image(seed=8, height=96), "picture")

    # Then
    assert first[0].size == (64, 96)
    assert first[0].tobytes() == again[0].tobytes()
    assert first[0].tobytes() != other[0].tobytes()


async def test_image_to_image_starts_from_the_given_image(start: Start) -> None:
    # Given
    client = await start()
    graph = text_to_image()
    graph["nodes"]["denoise"]["denoising_start"] = 0.9
    for kind, node in (("blank_image", "start"), ("i2l", "encode")):
        graph["nodes"][node] = {"id": node, "type": kind}
    graph["nodes"]["start"] |= {"width": 64, "height": 96, "color": {"r": 255, "g": 0, "b": 0, "a": 255}}
    graph["edges"] += [
        edge("start.image", "encode.image"),
        edge("model.vae", "encode.vae"),
        edge("encode.latents", "denoise.latents"),
    ]

    # When
    made = await images(client, graph, "picture")

    # Then
    red, _, blue = made[0].convert("RGB").resize((1, 1)).getpixel((0, 0))  # type: ignore[misc] # an RGB pixel
    assert red > 200 > blue


async def test_image_work_really_works(start: Start) -> None:
    # Given
    client = await start()
    graph = graph_of(
        {
            "blank": {"type": "blank_image", "width": 40, "height": 30, "mode": "RGBA"},
            "scale": {"type": "img_scale", "scale_factor": 1.5, "resample_mode": "lanczos"},
        },
        edge("blank.image", "scale.image"),
    )

    # When
    found = await ended(client, (await enqueue(client, graph))["item_ids"][0])

    # Then
    sizes = {node: (await image(client, made_by(found, node)[0])).size for node in graph["nodes"]}
    assert sizes == {"blank": (40, 30), "scale": (60, 45)}


async def test_iterate_runs_what_follows_once_for_each_item_and_collect_gathers_it(start: Start) -> None:
    # Given
    client = await start()
    graph = graph_of(
        {
            "widths": {"type": "integer_collection", "collection": [8, 16, 24]},
            "each": {"type": "iterate"},
            "blank": {"type": "blank_image", "height": 8},
            "all": {"type": "collect"},
            "again": {"type": "iterate"},
            "save": {"type": "save_image"},
        },
        edge("widths.collection", "each.collection"),
        edge("each.item", "blank.width"),
        edge("blank.image", "all.item"),
        edge("all.collection", "again.collection"),
        edge("again.item", "save.image"),
    )

    # When
    made = await images(client, graph, "save")

    # Then
    assert [one.width for one in made] == [8, 16, 24]


async def test_two_iterates_are_combined(start: Start) -> None:
    # Given
    client = await start()
    graph = graph_of(
        {
            "widths": {"type": "integer_collection", "collection": [8, 16]},
            "heights": {"type": "integer_collection", "collection": [1, 2, 3]},
            "wide": {"type": "iterate"},
            "high": {"type": "iterate"},
            "blank": {"type": "blank_image"},
        },
        edge("widths.collection", "wide.collection"),
        edge("heights.collection", "high.collection"),
        edge("wide.item", "blank.width"),
        edge("high.item", "blank.height"),
    )

    # When
    made = await images(client, graph, "blank")

    # Then
    assert sorted(one.size for one in made) == [(8, 1), (8, 2), (8, 3), (16, 1), (16, 2), (16, 3)]


async def test_runs_and_data_make_several_items_that_end_in_the_order_of_arrival(start: Start) -> None:
    # Given
    client = await start()
    graph = graph_of({"blank": {"type": "blank_image"}})
    data = [
        [{"node_path": "blank", "field_name": "width", "items": [8, 16]}],
        [{"node_path": "blank", "field_name": "height", "items": [1, 2, 3]}],
    ]

    # When
    answer = await enqueue(client, graph, data=data, runs=2)
    found = [await ended(client, item_id) for item_id in sorted(answer["item_ids"])]

    # Then
    assert answer["enqueued"] == 12
    assert [one["completed_at"] for one in found] == sorted(one["completed_at"] for one in found)
    assert [one["field_values"][0]["value"] for one in found[:4]] == [8, 8, 8, 16]
    sizes = [(await image(client, made_by(one, "blank")[0])).size for one in found]
    assert sizes[:6] == sizes[6:] == [(8, 1), (8, 2), (8, 3), (16, 1), (16, 2), (16, 3)]


async def test_what_the_queue_has_no_room_for_is_left_out(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    # Given
    monkeypatch.setattr("utils.simulators.invokeai.queue.MAX_PENDING", 3)
    client = await start()

    # When
    answer = await enqueue(client, graph_of({"five": {"type": "integer"}}), runs=10**9)

    # Then
    assert (answer["requested"], answer["enqueued"], len(answer["item_ids"])) == (10**9, 3, 3)


async def test_a_prepended_batch_overtakes_those_that_wait(start: Start) -> None:
    # Given
    client = await start(seconds_per_step=0.2)
    graph = graph_of({"blank": {"type": "blank_image", "width": 8, "height": 8, "use_cache": False}})
    await enqueue(client, graph)
    waiting = (await enqueue(client, graph))["item_ids"][0]

    # When
    body = {"batch": {"graph": graph, "runs": 1}, "prepend": True}
    async with client.post("/api/v1/queue/default/enqueue_batch", json=body) as response:
        overtaking = (await response.json())["item_ids"][0]
    first = await ended(client, overtaking)
    second = await ended(client, waiting)

    # Then
    assert first["completed_at"] < second["completed_at"]


async def test_a_canceled_item_stops_in_the_middle_of_its_steps_and_the_next_one_runs(start: Start) -> None:
    # Given
    client = await start(seconds_per_step=0.02)
    slow = (await enqueue(client, text_to_image(steps=100_000)))["item_ids"][0]
    await item_when(client, slow, lambda found: found["status"] == "in_progress")
    following = (await enqueue(client, graph_of({"blank": {"type": "blank_image", "width": 8}})))["item_ids"][0]

    # When
    await client.put(f"/api/v1/queue/default/i/{slow}/cancel")

    # Then
    assert (await ended(client, following))["status"] == "completed"
    assert (await item(client, slow))["status"] == "canceled"


async def test_a_batch_is_canceled_with_all_its_items(start: Start) -> None:
    # Given
    client = await start(seconds_per_step=0.02)
    answer = await enqueue(client, text_to_image(steps=100_000), runs=3)

    # When
    ids = {"batch_ids": [answer["batch"]["batch_id"]]}
    await client.put("/api/v1/queue/default/cancel_by_batch_ids", json=ids)

    # Then
    assert [(await item(client, item_id))["status"] for item_id in answer["item_ids"]] == ["canceled"] * 3


async def test_an_unknown_model_a_missing_input_and_a_monstrous_image_fail_the_item(start: Start) -> None:
    # Given
    client = await start()
    unknown = text_to_image()
    unknown["nodes"]["model"]["model"] = {**MODEL, "key": "nope"}
    unconnected = graph_of({"save": {"type": "save_image"}})
    monstrous = graph_of({"blank": {"type": "blank_image", "width": 100_000, "height": 100_000}})

    # When
    errors = []
    for graph in (unknown, unconnected, monstrous):
        found = await ended(client, (await enqueue(client, graph))["item_ids"][0])
        errors.append((found["status"], found["error_type"], found["error_message"]))

    # Then
    assert errors == [
        ("failed", "Exception", "Unknown model nope"),
        ("failed", "MissingInputException", "Node save_image missing value or connection for field image"),
        ("failed", "MemoryError", "an image of 100000x100000 pixels does not fit"),
    ]


async def test_an_equal_node_of_another_batch_gives_the_image_of_the_first_until_that_is_deleted(start: Start) -> None:
    # Given
    client = await start()
    graph = graph_of({"blank": {"type": "blank_image", "width": 8, "height": 8}})

    async def name() -> str:
        found = await ended(client, (await enqueue(client, graph))["item_ids"][0])
        return made_by(found, "blank")[0]

    # When
    first, second = await name(), await name()
    await client.post("/api/v1/images/delete", json={"image_names": [first]})
    third = await name()

    # Then
    assert first == second
    assert third != first


async def test_a_node_that_is_not_to_be_cached_makes_an_image_of_its_own(start: Start) -> None:
    # Given
    client = await start()
    graph = graph_of({"blank": {"type": "blank_image", "width": 8, "height": 8, "use_cache": False}})

    # When
    items = (await enqueue(client, graph, runs=2))["item_ids"]
    first, second = [made_by(await ended(client, item_id), "blank") for item_id in items]

    # Then
    assert first != second


async def test_after_a_restart_what_ran_is_canceled_and_what_waited_runs() -> None:
    # Given
    disk, options = Disk(), Options(seconds_per_step=0.3)
    graph = graph_of({"blank": {"type": "blank_image", "width": 8, "height": 8, "use_cache": False}})
    async with TestClient(TestServer(make_app(options, disk))) as client:
        waiting, running = (await enqueue(client, graph, runs=2))["item_ids"]
        await item_when(client, running, lambda found: found["status"] == "in_progress")

    # When
    async with TestClient(TestServer(make_app(options, disk))) as client:
        first, second = await ended(client, running), await ended(client, waiting)

    # Then
    assert (first["status"], second["status"]) == ("canceled", "completed")


async def test_what_a_person_prunes_or_clears_is_unknown_and_its_node_still_ends(start: Start) -> None:
    # Given
    client = await start(seconds_per_step=0.3)
    graph = graph_of({"blank": {"type": "blank_image", "width": 8, "height": 8, "use_cache": False}})
    one = (await enqueue(client, graph))["item_ids"][0]
    await ended(client, one)
    two = (await enqueue(client, graph))["item_ids"][0]
    await item_when(client, two, lambda found: found["status"] == "in_progress")

    # When
    pruned = await (await client.put(f"{QUEUE}/prune")).json()
    cleared = await (await client.put(f"{QUEUE}/clear")).json()
    status = await (await client.get(f"{QUEUE}/status")).json()

    # Then
    assert (pruned, cleared) == ({"deleted": 1}, {"deleted": 1})
    assert (status["queue"]["total"], status["processor"]["is_processing"]) == (0, True)
    async with client.get(f"{QUEUE}/i/{two}") as response:
        assert response.status == 404
