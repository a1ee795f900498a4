"""From the queue to the receiver and back: what is sent, what is tried again, and what the Task shows of it."""

import asyncio
import urllib.request
from dataclasses import replace

import pytest
from aiohttp import web

from contract.task_event import TaskEvent
from contract.task_table.item import State
from test.webhook_lambda.conftest import CLIENT, OVER, PATIENT, World, down, facts
from webhook_lambda.schedule import Schedule


async def test_the_end_of_a_task_reaches_its_receiver(world: World) -> None:
    item = world.put(world.receiver(200))
    world.client("s3").put_object(Bucket=world.settings.bucket, Key=item.outputs[0].key, Body=b"png")
    world.callback(item)
    await world.poll()
    (got,) = world.received
    assert got["type"] == "task.ended"
    assert got["timestamp"] == item.ended
    task = got["data"]
    assert (task["id"], task["status"], task["revision"]) == (item.id, "completed", 4)
    assert task["urls"]["self"] == f"https://api.example/dev/v1alpha2/tasks/{item.id}"
    (output,) = task["outputs"]
    # The link opens without credentials.
    assert await asyncio.to_thread(lambda: urllib.request.urlopen(output["url"]).read()) == b"png"
    assert world.webhook(item) == ("delivered", 1, 200)
    assert world.waiting() == 0


async def test_the_start_of_a_task_is_an_event_of_its_own(world: World) -> None:
    item = world.put(world.receiver(200), status=State.RUNNING, ended=None, outputs=())
    world.started(item)
    await world.poll()
    (got,) = world.received
    assert (got["type"], got["timestamp"]) == ("task.started", item.started)
    assert got["data"]["status"] == "running"
    assert world.webhook(item) == ("pending", 1, 200), "the end is yet to come"


async def test_a_webhook_for_the_start_alone_is_delivered_with_it(world: World) -> None:
    item = world.put(world.receiver(200), events=("started",))
    world.started(item)
    world.callback(item)
    await world.poll()
    assert [got["type"] for got in world.received] == ["task.started"]
    assert world.webhook(item) == ("delivered", 1, 200)
    assert world.waiting() == 0


async def test_a_failed_webhook_is_sent_again_under_the_same_id(world: World) -> None:
    item = world.put(world.receiver(500, 503, 200))
    world.callback(item)
    await world.poll(batches=2)
    assert world.webhook(item) == ("pending", 2, 503)
    await world.poll()
    assert len({got["headers"]["webhook-id"] for got in world.received}) == 1
    assert len(world.received) == 3
    assert world.webhook(item) == ("delivered", 3, 200)
    assert world.waiting() == 0


async def test_a_repeated_callback_is_not_sent_again(world: World, caplog: pytest.LogCaptureFixture) -> None:
    item = world.put(world.receiver(200))
    world.callback(item)
    await world.poll()
    world.callback(item)
    await world.poll()
    assert len(world.received) == 1
    assert facts(caplog)[-1]["outcome"] == "repeated"


@pytest.mark.parametrize("status", [301, 400, 404, 429, 500])
async def test_every_other_answer_is_tried_again_later(world: World, status: int) -> None:
    item = world.put(world.receiver(status, Location="/elsewhere"))
    world.callback(item)
    await world.poll(replace(PATIENT, schedule=Schedule()))
    assert world.webhook(item) == ("pending", 1, status)
    assert (world.waiting(), world.visible()) == (1, 0), "hidden for the first pause"
    assert world.site.asked("/elsewhere") == 0


async def test_a_receiver_that_is_down_is_tried_again_later(world: World, caplog: pytest.LogCaptureFixture) -> None:
    item = world.put(down())
    world.callback(item)
    await world.poll(replace(PATIENT, schedule=Schedule()))
    assert world.webhook(item) == ("pending", 1, None)
    assert (world.waiting(), world.visible()) == (1, 0)
    line = facts(caplog)[-1]
    assert (line["outcome"], line["reason"]) == ("retried", "no connection")
    assert 5 <= line["pause_seconds"] <= 6


async def test_retry_after_says_when(world: World, caplog: pytest.LogCaptureFixture) -> None:
    world.callback(world.put(world.receiver(429, Retry_After="300")))
    world.callback(world.put(world.receiver(429, path="/greedy", Retry_After="99999999")))
    await world.poll(replace(PATIENT, schedule=Schedule(jitter=0)))
    assert sorted(line["pause_seconds"] for line in facts(caplog)) == [300, 42_900]


async def test_410_stops_for_good(world: World, caplog: pytest.LogCaptureFixture) -> None:
    item = world.put(world.receiver(410))
    world.callback(item)
    await world.poll()
    assert world.webhook(item) == ("failed", 1, 410)
    assert (world.waiting(), world.dead_letters()) == (0, [])
    assert facts(caplog)[-1]["outcome"] == "gone"


async def test_after_three_days_an_event_is_a_dead_letter(world: World) -> None:
    item = world.put(world.receiver(500))
    world.callback(item)
    await world.poll(OVER)
    ((body, reason),) = world.dead_letters()
    assert TaskEvent.decode(body, {}) == TaskEvent(
        client=CLIENT, id=item.id, request=item.request, event="ended", runtime=item.runtime
    )
    assert reason == "the receiver answered 500"
    assert world.webhook(item) == ("failed", 1, 500)
    assert world.waiting() == 0


async def test_a_dead_letter_that_is_sent_again_is_delivered(world: World) -> None:
    item = world.put(world.receiver(500, 200))
    world.callback(item)
    await world.poll(OVER)
    ((body, _),) = world.dead_letters()
    world.send(body, {})
    await world.poll()
    assert world.webhook(item) == ("delivered", 2, 200)
    assert len({got["headers"]["webhook-id"] for got in world.received}) == 1


async def test_no_write_changes_the_revision_or_anything_else(world: World) -> None:
    item = world.put(world.receiver(500, 200))
    world.callback(item)
    await world.poll(batches=2)
    now = world.item(item)
    assert now
    assert now.model_copy(update={"webhook": item.webhook}) == item


async def test_a_deleted_task_sends_nothing_and_does_not_come_back(world: World) -> None:
    item = world.put(world.receiver(200))
    world.callback(item)
    world.delete(item)
    await world.poll()
    assert (world.received, world.item(item), world.waiting()) == ([], None, 0)


async def test_a_task_that_is_deleted_during_a_try_does_not_come_back(world: World) -> None:
    async def answer(_: web.Request) -> web.Response:
        await asyncio.to_thread(world.delete, item)
        return web.Response(status=500)

    item = world.put(world.site.at("/hook", answer))
    world.callback(item)
    await world.poll()
    assert world.item(item) is None


async def test_an_event_of_an_earlier_task_of_the_same_id_is_not_the_new_ones(world: World) -> None:
    item = world.put(world.receiver(200))
    world.callback(item.model_copy(update={"request": "11111111-2222-3333-4444-555555555555"}))
    await world.poll()
    assert world.received == []
    assert world.webhook(item) == ("pending", 0, None)
    assert world.waiting() == 0


async def test_an_end_that_the_table_does_not_show_yet_waits(world: World, caplog: pytest.LogCaptureFixture) -> None:
    item = world.put(world.receiver(200), status=State.RUNNING, ended=None)
    world.callback(item)
    await world.poll()
    assert (world.received, world.waiting()) == ([], 1)
    assert world.webhook(item) == ("pending", 0, None)
    assert "end of the task" in facts(caplog)[-1]["reason"]
