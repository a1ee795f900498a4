"""What cannot be delivered, what fails on our side, and what of it holds up others."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from aiohttp import web
from standardwebhooks import Webhook as Verifier

from contract.webhook_secret import new_secret, secret_name
from test.support.web import a_site
from test.webhook_lambda.conftest import CLIENT, OVER, PATIENT, QUICK, World, down, facts
from webhook_lambda.schedule import Schedule
from webhook_lambda.signing_keys import SigningKeys


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


async def test_an_item_that_is_no_task_waits_and_is_a_dead_letter_in_the_end(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    item = world.put(world.receiver(200))
    world.client("dynamodb").update_item(
        TableName=world.settings.table,
        Key=item.key,
        UpdateExpression="SET #status = :odd",
        ExpressionAttributeNames={"#status": "status"},
        ExpressionAttributeValues={":odd": {"S": "odd"}},
    )
    world.callback(item)
    await world.poll()
    assert world.waiting() == 1
    assert facts(caplog)[-1]["outcome"] == "error"
    await world.poll(OVER)
    ((_, reason),) = world.dead_letters()
    assert reason == "the platform failed: ValidationError"
    assert (world.waiting(), world.received) == (0, [])


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
