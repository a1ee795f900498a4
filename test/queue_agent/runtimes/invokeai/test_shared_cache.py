"""InvokeAI's cache hands one client's images to another: a task neither takes from it nor gives to it."""

import asyncio
from typing import Any

from aiohttp import ClientSession

from queue_agent.runtimes.base import RunMonitor
from queue_agent.runtimes.invokeai import Adapter
from test.support.invokeai import edge, graph_of, text_to_image
from test.support.runtimes import run_job

from .conftest import PATIENCE, Server, Simulate, answer, eventually, job, read

QUEUE = "api/v1/queue/default"


def _blank() -> dict[str, Any]:
    return {"type": "blank_image", "width": 8, "height": 8}


async def _made_for_a_person(server: Server, graph: dict[str, Any]) -> str:
    """The image of a graph with one node that another client ran."""
    _, answered = await server.ask("POST", f"{QUEUE}/enqueue_batch", json={"batch": {"graph": graph, "runs": 1}})
    item: dict[str, Any] = {}

    async def completed() -> bool:
        _, found = await server.ask("GET", f"{QUEUE}/i/{answered['item_ids'][0]}")
        item.update(found)
        return bool(found["status"] == "completed")

    await eventually(completed)
    (result,) = item["session"]["results"].values()
    return str(result["image"]["image_name"])


async def test_the_image_of_a_person_who_ran_an_equal_node_is_not_deleted(
    simulate: Simulate, session: ClientSession
) -> None:
    # Given
    server = await simulate()
    graph = graph_of({"a": _blank()})
    theirs = await _made_for_a_person(server, graph)

    # When
    result = await run_job(Adapter(server.url, session), job({"graph": graph}))
    await result.discard()

    # Then
    assert (await server.ask("GET", f"api/v1/images/i/{theirs}"))[0] == 200


async def test_a_person_who_runs_an_equal_node_later_has_an_image_that_lasts(
    simulate: Simulate, session: ClientSession
) -> None:
    # Given
    server = await simulate()
    graph = graph_of({"a": _blank()})
    result = await run_job(Adapter(server.url, session), job({"graph": graph}))

    # When
    theirs = await _made_for_a_person(server, graph)
    await result.discard()

    # Then
    assert (await server.ask("GET", f"api/v1/images/i/{theirs}"))[0] == 200


async def test_a_task_that_shares_a_node_with_the_one_before_runs_while_that_ones_images_are_deleted(
    simulate: Simulate, session: ClientSession
) -> None:
    # Given
    server = await simulate(seconds_per_step=0.2)
    adapter = Adapter(server.url, session)
    first = await run_job(adapter, job({"graph": graph_of({"a": _blank()})}))
    graph = graph_of(
        {"a": _blank(), "b": {"type": "img_scale"}, "c": {"type": "img_scale"}},
        edge("a.image", "b.image"),
        edge("b.image", "c.image"),
    )

    # When
    monitor = RunMonitor()
    run = asyncio.create_task(adapter.run(await adapter.prepare(job({"graph": graph})), monitor))
    await asyncio.wait_for(monitor.begun.wait(), PATIENCE)
    await first.discard()
    second = await asyncio.wait_for(run, PATIENCE)

    # Then
    assert [bool(await read(output)) for output in second.outputs] == [True] * 3


async def test_of_two_equal_tasks_in_a_row_the_second_keeps_its_image_when_the_first_is_discarded(
    simulate: Simulate, session: ClientSession
) -> None:
    # Given
    adapter = Adapter((await simulate()).url, session)
    first, second = [await run_job(adapter, job({"graph": graph_of({"a": _blank()})})) for _ in range(2)]

    # When
    await first.discard()

    # Then
    assert await read(second.outputs[0])


async def test_prompts_and_models_are_still_taken_from_the_cache(simulate: Simulate, session: ClientSession) -> None:
    # Given
    content = {"graph": text_to_image()}
    content["graph"]["nodes"]["negative"]["use_cache"] = False

    # When
    result = await run_job(Adapter((await simulate()).url, session), job(content))

    # Then
    nodes = answer(result)["items"][0]["session"]["graph"]["nodes"]
    assert {key: node["use_cache"] for key, node in nodes.items()} == {
        "model": True,
        "positive": True,
        "negative": False,
        "noise": False,
        "denoise": False,
        "picture": False,
    }
    assert "use_cache" not in content["graph"]["nodes"]["picture"], "the task's content is as it was"


async def test_equal_items_of_a_batch_give_an_image_each(simulate: Simulate, session: ClientSession) -> None:
    # When
    batch = {"graph": graph_of({"a": _blank()}), "runs": 3}
    result = await run_job(Adapter((await simulate()).url, session), job({"batch": batch}))

    # Then
    assert len(result.outputs) == 3
