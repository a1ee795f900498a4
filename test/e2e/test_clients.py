"""Clients that share a platform: each has its key, its limits and its folders."""

import asyncio
import json
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

import pytest
from aiohttp import ClientSession

from contract.callback import Callback, Status
from contract.wire import text_attributes
from infra.config.model import parse_config
from infra.topology import topology_of
from queue_agent.aws.clients import Clients
from test.support.platform import CONFIG, PATIENCE, Running, running, write_config
from utils.smoke import samples
from utils.smoke.callbacks import Listener
from utils.smoke.client import callbacks_of

CLIENTS = [
    {"name": "web", "prefixes": ["web"]},
    {"name": "night-batch", "prefixes": ["night"], "runtimes": ["flow", "sdruntime"]},
    {"name": "trial", "dailyQuota": 3, "prefixes": ["trial"]},
    {"name": "slow", "throttle": {"rateLimit": 0.1, "burstLimit": 3}, "prefixes": ["slow"]},
]


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("shared")
    with running(folder / "output", "--config", str(write_config(folder, clients=CLIENTS))) as started:
        yield started


def task(task_id: str, prefix: str, runtime: str = "sdruntime", **content: Any) -> dict[str, Any]:
    request = samples.request("v1alpha2-text-to-image", task_id=task_id, runtime=runtime)
    request["task"]["metadata"]["prefix"] = prefix
    request["task"]["content"] |= {"steps": 1, "width": 64, "height": 64, **content}
    return request


async def post(shared: Running, client: str, body: Any) -> tuple[int, Any]:
    """Send a request with a client's key."""
    headers = {"x-api-key": shared.addresses.api_keys[client]}
    async with (
        ClientSession(shared.addresses.endpoint, headers=headers) as session,
        session.post("v1alpha2", json=body) as answer,
    ):
        return answer.status, await answer.json()


async def ends(listener: Listener, *task_ids: str) -> dict[str, Callback]:
    """The last callback of each task."""
    return {callback.id: callback async for callback in callbacks_of(task_ids, listener, PATIENCE)}


def test_every_client_has_a_key_that_its_owner_finds(shared: Running) -> None:
    keys = shared.addresses.api_keys

    assert list(keys) == ["web", "night-batch", "trial", "slow"]
    assert len(set(keys.values())) == 4
    assert shared.addresses.api_key == keys["web"]
    for name, key in keys.items():
        assert f"key of {name}" in shared.printed
        assert key in shared.printed
        assert key not in shared.log("gateway")


async def test_the_one_over_its_quota_gets_429_while_the_others_are_served(shared: Running) -> None:
    # Given a client that has sent its requests of the day
    async with shared.listening() as listener:
        for number in range(3):
            status, _ = await post(shared, "trial", task(f"trial-{number}", "trial"))
            assert status == HTTPStatus.OK

        # When
        over, answer = await post(shared, "trial", task("trial-3", "trial"))
        served, _ = await post(shared, "web", task("web-1", "web"))

        # Then
        assert over == HTTPStatus.TOO_MANY_REQUESTS
        assert answer["message"].startswith("Limit Exceeded")
        assert served == HTTPStatus.OK
        found = await ends(listener, "trial-0", "trial-1", "trial-2", "web-1")
    assert {callback.status for callback in found.values()} == {Status.COMPLETED}


async def test_the_one_over_its_throttle_gets_429_while_the_others_are_served(shared: Running) -> None:
    # When one client floods the front door
    flood = asyncio.gather(*(post(shared, "slow", {}) for _ in range(30)))
    other = [await post(shared, "web", {}) for _ in range(5)]

    # Then
    assert {status for status, _ in await flood} == {HTTPStatus.BAD_REQUEST, HTTPStatus.TOO_MANY_REQUESTS}
    assert {status for status, _ in other} == {HTTPStatus.BAD_REQUEST}


async def test_what_is_another_clients_is_refused(shared: Running) -> None:
    # Given a result of one client
    async with shared.listening() as listener:
        status, _ = await post(shared, "web", task("web-2", "web/private"))
        assert status == HTTPStatus.OK
        (link,) = (await ends(listener, "web-2"))["web-2"].image_url

        # When another asks for it, for its folder, and for a runtime that is not its own
        refused = [
            await post(shared, "night-batch", task("n-1", "night", init_images=[link])),
            await post(shared, "night-batch", task("n-2", "web/private")),
            await post(shared, "night-batch", task("n-3", "night", runtime="graph")),
        ]

        # Then
        assert [(status, [one["field"] for one in answer["errors"]]) for status, answer in refused] == [
            (400, ["task.content.init_images.0"]),
            (400, ["task.metadata.prefix"]),
            (400, ["task.metadata.runtime"]),
        ]
        assert "'graph'" not in refused[2][1]["message"].partition(", got")[0]

        # And its own client may use it
        image = task("web-3", "web", init_images=[link])
        image["task"]["metadata"]["tasktype"] = "image-to-image"
        status, _ = await post(shared, "web", image)
        assert status == HTTPStatus.OK
        assert (await ends(listener, "web-3"))["web-3"].status is Status.COMPLETED


async def test_what_is_published_directly_is_refused_by_the_agent(shared: Running) -> None:
    # Given a result of one client, and a program that may publish to the topic
    async with shared.listening() as listener:
        clients = listener.clients
        await post(shared, "web", task("web-4", "web"))
        (link,) = (await ends(listener, "web-4"))["web-4"].image_url

        # When it publishes tasks as another client and as nobody
        for task_id, client, prefix in (
            ("p-1", "night-batch", "night"),
            ("p-2", None, "web"),
            ("p-3", "night-batch", "web"),
        ):
            await publish(clients, task(task_id, prefix, init_images=[link]), client)
        found = await ends(listener, "p-1", "p-2", "p-3")

    # Then
    causes = {name: callback.error.message for name, callback in found.items() if callback.error}
    assert "this task may read only what is below 'night'" in causes["p-1"]
    assert "this task may read nothing" in causes["p-2"]
    assert "the prefix of a task of client 'night-batch' must be one of 'night'" in causes["p-3"]


async def test_sqs_gets_each_task_in_the_group_of_its_client(shared: Running) -> None:
    """SQS delivers the groups of a queue fairly; the embedded AWS carries the group and does not use it."""
    # Given a queue that gets every task
    async with shared.access.clients() as clients:
        url = (await clients.sqs.create_queue(QueueName="every-task"))["QueueUrl"]
        arn = (await clients.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"]))["Attributes"]
        await clients.sns.subscribe(
            TopicArn=await input_topic(clients),
            Protocol="sqs",
            Endpoint=arn["QueueArn"],
            Attributes={"RawMessageDelivery": "true"},
        )

        # When
        for client, prefix in (("web", "web"), ("night-batch", "night")):
            status, _ = await post(shared, client, task(f"g-{client}", prefix))
            assert status == HTTPStatus.OK

        # Then
        groups: dict[str, tuple[str, str]] = {}
        async with asyncio.timeout(PATIENCE):
            while len(groups) < 2:
                received = await clients.sqs.receive_message(
                    QueueUrl=url,
                    MessageAttributeNames=["All"],
                    MessageSystemAttributeNames=["MessageGroupId"],
                    WaitTimeSeconds=1,
                )
                for message in received.get("Messages", []):
                    name = json.loads(message["Body"])["task"]["metadata"]["id"]
                    client = message["MessageAttributes"]["client"]["StringValue"]
                    groups[name] = client, message["Attributes"]["MessageGroupId"]
    assert groups == {"g-web": ("web", "web"), "g-night-batch": ("night-batch", "night-batch")}


async def input_topic(clients: Clients) -> str:
    name = topology_of(parse_config(CONFIG)).input_topic
    topics = (await clients.sns.list_topics())["Topics"]
    (arn,) = [topic["TopicArn"] for topic in topics if topic["TopicArn"].endswith(f":{name}")]
    return arn


async def publish(clients: Clients, body: Any, client: str | None) -> None:
    """Past the front door."""
    await clients.sns.publish(
        TopicArn=await input_topic(clients),
        Message=json.dumps(body),
        MessageAttributes=text_attributes({"runtime": "sdruntime", "client": client}),
    )
