"""Webhooks of a running platform: the same function as on AWS, behind the same queue and subscription."""

import asyncio
import json
import uuid
from pathlib import Path
from typing import Any

import boto3
from aiohttp import ClientSession, web
from standardwebhooks import Webhook as Verifier

from contract.runtimes import TaskType
from contract.task_table import writes
from contract.task_table.item import Output, State, TaskItem, Webhook
from contract.task_table.webhooks import read
from infra.config.model import load_config
from infra.topology import topology_of
from test.support.platform import PATIENCE, Running
from test.support.web import a_site
from utils.operate.webhook_secret import main as webhook_secret


def clients(platform: Running) -> Any:
    session = boto3.Session("x", "x", region_name=platform.access.region)
    return lambda service: session.client(service, endpoint_url=platform.access.endpoint_url)


async def test_the_end_of_a_task_is_sent_and_sent_again(platform: Running, capsys: Any) -> None:
    # Given a task that has ended, and a receiver that is not well at first
    config = platform.output.parent / "config.yaml"
    table = topology_of(load_config(config)).task_table.name
    client = clients(platform)
    output = Output(key=f"output/{uuid.uuid4()}.png", type="image/png", size=3)
    client("s3").put_object(Bucket=platform.addresses.bucket, Key=output.key, Body=b"png")
    assert webhook_secret(["--config", str(config), "--output", str(platform.output)]) == 0
    verifier = Verifier(capsys.readouterr().out.strip())
    got: list[dict[str, Any]] = []
    statuses = [500, 200]

    async def answer(request: web.Request) -> web.Response:
        got.append(verifier.verify(await request.read(), dict(request.headers)))
        return web.Response(status=statuses.pop(0))

    async with a_site() as site, ClientSession() as http:
        item = TaskItem(
            client="default",
            id=f"task-{uuid.uuid4()}",
            request=str(uuid.uuid4()),
            status=State.COMPLETED,
            runtime="sdruntime",
            tasktype=TaskType.TEXT_TO_IMAGE,
            prefix="output",
            created="2026-01-31T12:00:00.000Z",
            ended="2026-01-31T12:00:02.000Z",
            outputs=(output,),
            webhook=Webhook(url=site.at("/hook", answer), events=("ended",)),
        )
        client("dynamodb").put_item(**writes.put(table, item))

        # When
        attributes = {"client": "default", "request_id": item.request, "webhook": "ended", "status": "completed"}
        client("sns").publish(
            TopicArn=platform.addresses.topic_arn,
            Message=json.dumps({"id": item.id, "result": True, "runtime": "sdruntime", "status": "completed"}),
            MessageAttributes={
                name: {"DataType": "String", "StringValue": value} for name, value in attributes.items()
            },
        )

        # Then
        state: Any = None
        async with asyncio.timeout(PATIENCE):
            while state != {"state": {"S": "delivered"}, "tries": {"N": "2"}, "last_status": {"N": "200"}}:
                await asyncio.sleep(0.2)
                found = client("dynamodb").get_item(**read(table, "default", item.id))["Item"]["webhook"]["M"]
                state = {name: found[name] for name in ("state", "tries", "last_status") if name in found}
        assert [one["data"]["id"] for one in got] == [item.id, item.id]
        task = got[-1]["data"]
        assert task["urls"]["self"] == f"{platform.addresses.endpoint}v1alpha2/tasks/{item.id}"
        async with http.get(task["outputs"][0]["url"]) as response:
            assert await response.read() == b"png"
    log = (Path(platform.addresses.logs) / "webhooks.log").read_text()
    outcomes = [json.loads(line)["outcome"] for line in log.splitlines() if item.id in line]
    assert outcomes == ["retried", "delivered"]
