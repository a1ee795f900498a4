"""From the queue to the receiver and back: what is sent, what is tried again, and what the Task shows of it."""

import asyncio
import logging
import socket
import urllib.request
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from aiohttp import web
from standardwebhooks import Webhook as Verifier

from contract.task_event import TaskEvent
from contract.task_table.item import State
from contract.webhook_secret import new_secret, secret_name
from test.support.web import a_site
from test.webhook_lambda.conftest import CLIENT, PATIENT, QUICK, World
from webhook_lambda.schedule import Schedule
from webhook_lambda.signing_keys import SigningKeys

OVER = replace(QUICK, schedule=Schedule(window=-1))
"""The three days are over."""


def facts(caplog: pytest.LogCaptureFixture) -> list[dict[str, Any]]:
    """The fields of every line about a webhook."""
    return [vars(record) for record in caplog.records if record.name == "webhook_lambda"]


@pytest.fixture(autouse=True)
def every_line(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="webhook_lambda")


def down() -> str:
    """A URL at which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return f"http://127.0.0.1:{listening.getsockname()[1]}/hook"


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


@pytest.mark.parametrize("url", ["http://example.com/", "https://10.0.0.1/", "https://user:pw@example.com/"])
async def test_a_url_that_the_front_door_would_refuse_is_not_asked(world: World, url: str) -> None:
    item = world.put(url)
    world.callback(item)
    await world.poll()
    ((_, reason),) = world.dead_letters()
    assert "options.webhook.url" in reason
    assert "pw" not in reason
    assert world.webhook(item)[0] == "failed"


async def test_on_aws_this_machine_is_no_receiver(world: World) -> None:
    world.settings = replace(world.settings, allow_loopback=False)
    world.callback(world.put(world.receiver(200)))
    await world.poll()
    assert world.received == []
    assert len(world.dead_letters()) == 1


@pytest.mark.parametrize("body", ["no json", "[]", "{}", '{"event": "started"}'])
async def test_what_is_no_event_is_a_dead_letter_at_once(world: World, body: str) -> None:
    world.send(body, {})
    await world.poll()
    ((kept, _),) = world.dead_letters()
    assert kept == body
    assert world.waiting() == 0


async def test_a_dead_receiver_holds_up_no_other(world: World) -> None:
    async def never(_: web.Request) -> web.Response:
        await asyncio.sleep(3600)
        raise AssertionError

    dead = [world.put(world.site.at("/dead", never)) for _ in range(5)]
    alive = [world.put(world.receiver(200)) for _ in range(5)]
    for pair in zip(dead, alive, strict=True):
        for item in pair:
            world.callback(item)
    await world.poll(replace(QUICK, schedule=Schedule()))
    assert {world.webhook(item) for item in alive} == {("delivered", 1, 200)}
    assert {world.webhook(item) for item in dead} == {("pending", 1, None)}
    assert (world.waiting(), world.visible()) == (5, 0)


async def test_a_receiver_that_did_not_answer_is_left_alone_for_a_while(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    async with a_site() as other:

        async def fine(_: web.Request) -> web.Response:
            return web.Response()

        dead, alive = world.put(down()), world.put(other.at("/hook", fine))
        world.callback(dead)
        world.callback(alive)
        await world.poll(replace(PATIENT, unreachable=3600), batches=2)
    assert world.webhook(dead) == ("pending", 1, None), "the second batch did not ask it again"
    assert world.webhook(alive) == ("delivered", 1, 200)
    assert facts(caplog)[-1]["reason"] == "the receiver did not answer a moment ago"


async def test_a_rotated_secret_and_the_one_before_verify(world: World) -> None:
    """Receivers change theirs when they like, within a day."""
    old, new = world.secret, new_secret()
    secrets = world.client("secretsmanager")
    secrets.put_secret_value(SecretId=secret_name(world.settings.secrets, CLIENT), SecretString=new)
    world.callback(world.put(world.receiver(200)))
    await world.poll()
    world.secret = new
    world.callback(world.put(world.receiver(200)))
    await world.poll()
    assert len(world.received) == 2
    assert all(len(got["headers"]["webhook-signature"].split()) == 2 for got in world.received)
    assert old != new


async def test_a_day_after_a_rotation_only_the_new_secret_signs(world: World) -> None:
    secrets, name = world.client("secretsmanager"), secret_name(world.settings.secrets, CLIENT)
    new = new_secret()
    secrets.put_secret_value(SecretId=name, SecretString=new)
    later = (datetime.now(UTC) + timedelta(days=1, minutes=1)).timestamp()
    assert len(SigningKeys(secrets, world.settings.secrets).of(CLIENT)) == 2
    (key,) = SigningKeys(secrets, world.settings.secrets, clock=lambda: later).of(CLIENT)
    assert Verifier(new)._whsecret == key


async def test_without_a_secret_nothing_is_sent_and_the_event_comes_again(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    world.settings = replace(world.settings, secrets="nowhere")
    item = world.put(world.receiver(200))
    world.callback(item)
    await world.poll()
    assert (world.received, world.waiting()) == ([], 1)
    assert world.webhook(item) == ("pending", 0, None)
    line = facts(caplog)[-1]
    assert (line["outcome"], line["levelname"]) == ("error", "ERROR")


async def test_without_a_table_the_event_comes_again(world: World) -> None:
    item = world.put(world.receiver(200))
    world.callback(item)
    settings, world.settings = world.settings, replace(world.settings, table="nowhere")
    await world.poll()
    assert (world.received, world.waiting()) == ([], 1)
    world.settings = settings
    await world.poll()
    assert world.webhook(item) == ("delivered", 1, 200)


async def test_no_line_of_the_log_holds_a_url_or_a_secret(world: World, caplog: pytest.LogCaptureFixture) -> None:
    for url in (world.receiver(200), world.receiver(500, path="/other"), down(), "https://user:hunter2@example.com/"):
        world.callback(world.put(url if "@" in url else f"{url}?token=hunter2"))
    await world.poll(OVER)
    lines = str([{**line, "msg": ""} for line in facts(caplog)])
    assert len(facts(caplog)) == 4
    for text in ("hunter2", world.secret.removeprefix("whsec_"), "127.0.0.1"):
        assert text not in lines
