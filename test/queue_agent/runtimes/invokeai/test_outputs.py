"""Which images of a run are delivered, in which order, and what is told of the run."""

import asyncio
from io import BytesIO
from typing import Any

import pytest
from aiohttp import ClientSession
from PIL import Image

from queue_agent.errors import RuntimeFault, RuntimeUnavailable
from queue_agent.runtimes.base import Result
from queue_agent.runtimes.invokeai import Adapter
from test.support.invokeai import MODEL, edge, graph_of, text_to_image
from test.support.runtimes import run_job

from .conftest import Simulate, answer, eventually, job, read


def blank(width: int, **more: Any) -> dict[str, Any]:
    return {"type": "blank_image", "width": width, "height": 8, **more}


async def widths(result: Result) -> list[int]:
    """The outputs, told apart by their widths."""
    return [Image.open(BytesIO(await read(output))).width for output in result.outputs]


async def run(simulate: Simulate, session: ClientSession, content: dict[str, Any]) -> Result:
    return await run_job(Adapter((await simulate()).url, session), job(content))


async def test_images_come_in_the_order_of_the_graphs_nodes_without_intermediates(
    simulate: Simulate, session: ClientSession
) -> None:
    # Given
    graph = graph_of(
        {
            "last": {"type": "img_scale", "scale_factor": 4},
            "between": {"type": "img_scale", "scale_factor": 2, "is_intermediate": True},
            "first": blank(8),
        },
        edge("first.image", "between.image"),
        edge("between.image", "last.image"),
    )

    # When
    result = await run(simulate, session, {"graph": graph})

    # Then
    assert await widths(result) == [64, 8]


async def test_intermediates_are_delivered_when_there_is_nothing_else(
    simulate: Simulate, session: ClientSession
) -> None:
    # When
    result = await run(simulate, session, {"graph": graph_of({"only": blank(8, is_intermediate=True)})})

    # Then
    assert await widths(result) == [8]


async def test_a_node_that_ran_several_times_gives_its_images_in_the_order_of_the_turns(
    simulate: Simulate, session: ClientSession
) -> None:
    # Given
    graph = graph_of(
        {
            "widths": {"type": "integer_collection", "collection": list(range(8, 8 + 12))},
            "each": {"type": "iterate"},
            "blank": blank(8),
        },
        edge("widths.collection", "each.collection"),
        edge("each.item", "blank.width"),
    )

    # When
    result = await run(simulate, session, {"graph": graph})

    # Then
    assert await widths(result) == list(range(8, 8 + 12))


async def test_an_image_that_a_node_only_hands_on_is_not_delivered_twice(
    simulate: Simulate, session: ClientSession
) -> None:
    # Given
    graph = graph_of(
        {
            "gathered": {"type": "collect"},
            "each": {"type": "iterate"},
            "inner": blank(8, is_intermediate=True),
            "saved": {"type": "save_image"},
        },
        edge("inner.image", "gathered.item"),
        edge("gathered.collection", "each.collection"),
        edge("each.item", "saved.image"),
    )

    # When
    result = await run(simulate, session, {"graph": graph})

    # Then
    assert len(result.outputs) == 1
    assert "s3://bucket/1.png" in str(answer(result)["items"][0]["session"]["results"])


async def test_every_item_of_a_batch_is_awaited_and_delivered_oldest_first(
    simulate: Simulate, session: ClientSession
) -> None:
    # Given
    data = [[{"node_path": "a", "field_name": "width", "items": [8, 16, 24]}]]

    # When
    result = await run(simulate, session, {"batch": {"graph": graph_of({"a": blank(1)}), "data": data, "runs": 2}})

    # Then
    assert await widths(result) == [8, 16, 24, 8, 16, 24]
    assert [item["status"] for item in answer(result)["items"]] == ["completed"] * 6


async def test_a_graph_without_images_gives_its_results_and_no_outputs(
    simulate: Simulate, session: ClientSession
) -> None:
    # When
    result = await run(simulate, session, {"graph": graph_of({"five": {"type": "integer", "value": 5}})})

    # Then
    assert list(result.outputs) == []
    [output] = answer(result)["items"][0]["session"]["results"].values()
    assert output["value"] == 5


async def test_an_empty_graph_completes_without_outputs(simulate: Simulate, session: ClientSession) -> None:
    # When
    result = await run(simulate, session, {"graph": graph_of({})})

    # Then
    assert list(result.outputs) == []
    [item] = answer(result)["items"]
    assert (item["status"], item["session"]["results"]) == ("completed", {})


async def test_the_answer_is_the_queues_items_with_the_places_of_the_images(
    simulate: Simulate, session: ClientSession
) -> None:
    # Given
    graph = graph_of({"a": blank(8), "b": {"type": "save_image"}}, edge("a.image", "b.image"))

    # When
    response = answer(await run(simulate, session, {"graph": graph}))

    # Then
    results = [result["image"]["image_name"] for result in response["items"][0]["session"]["results"].values()]
    assert results == ["s3://bucket/1.png", "s3://bucket/2.png"]
    assert response["items"][0]["destination"] == "task-1"
    assert response["items"][0]["origin"] == "queue-agent"
    assert response["batch_id"] == response["items"][0]["batch_id"]


async def test_version_model_and_seeds_are_told(simulate: Simulate, session: ClientSession) -> None:
    # Given
    data = [[{"node_path": "noise", "field_name": "seed", "items": [3, 4, 3]}]]

    # When
    result = await run(simulate, session, {"batch": {"graph": text_to_image(), "data": data}})

    # Then
    ran = result.ran
    assert (ran.runtime, ran.version) == ("invokeai", "6.14.2")
    assert (ran.model, ran.model_hash) == (MODEL["name"], MODEL["hash"])
    assert ran.seeds == (3, 4)


async def test_a_seed_that_came_over_an_edge_is_told(simulate: Simulate, session: ClientSession) -> None:
    # Given
    graph = graph_of(
        {"seed": {"type": "integer", "value": 99}, "noise": {"type": "noise"}}, edge("seed.value", "noise.seed")
    )

    # When
    result = await run(simulate, session, {"graph": graph})

    # Then
    assert result.ran.seeds == (99,)


async def test_a_batch_tells_how_far_it_is_and_a_single_item_does_not(
    simulate: Simulate, session: ClientSession
) -> None:
    # Given
    server = await simulate(seconds_per_step=0.05)
    adapter = Adapter(server.url, session)
    single = asyncio.create_task(run_job(adapter, job({"graph": text_to_image(steps=4)})))
    seen = set()
    while not single.done():
        seen.add(await adapter.progress())
        await asyncio.sleep(0.02)

    # When
    batch = asyncio.create_task(run_job(adapter, job({"batch": {"graph": text_to_image(steps=4), "runs": 3}})))

    async def halfway() -> bool:
        assert not batch.done(), batch
        return (await adapter.progress() or 0) > 0.5

    await eventually(halfway)

    # Then
    assert seen == {None}
    assert len((await batch).outputs) == 3
    assert await adapter.progress() is None


async def test_an_image_that_is_gone_when_it_is_read_is_not_an_empty_one(
    simulate: Simulate, session: ClientSession
) -> None:
    # Given
    server = await simulate()
    result = await run_job(Adapter(server.url, session), job({"graph": graph_of({"a": blank(8)})}))
    _, item = await server.ask("GET", "api/v1/queue/default/i/1")
    name = next(iter(item["session"]["results"].values()))["image"]["image_name"]

    # When
    await server.ask("POST", "api/v1/images/delete", json={"image_names": [name]})

    # Then
    with pytest.raises(RuntimeFault, match="answered 404 for its image"):
        await read(result.outputs[0])


async def test_images_of_a_runtime_that_died_cannot_be_read(simulate: Simulate, session: ClientSession) -> None:
    # Given
    server = await simulate()
    result = await run_job(Adapter(server.url, session), job({"graph": graph_of({"a": blank(8)})}))

    # When
    await server.stop()

    # Then
    with pytest.raises(RuntimeUnavailable, match="cannot be reached"):
        await read(result.outputs[0])
