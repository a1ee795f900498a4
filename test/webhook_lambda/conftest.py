"""A sender of webhooks with everything behind it: an embedded AWS with queues, table, secret and bucket."""

import asyncio
import json
import logging
import socket
import uuid
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field, replace
from typing import Any

import boto3
import pytest
from aiohttp import web
from standardwebhooks import Webhook as Verifier

from contract.runtimes import TaskType
from contract.task_event import TaskEvent
from contract.task_table import writes
from contract.task_table.item import Output, State, TaskItem, Webhook
from contract.task_table.keys import PARTITION_KEY, SORT_KEY, task_key
from contract.webhook_secret import new_secret, secret_name
from test.support.moto_server import running_moto
from test.support.web import Site, a_site
from utils.local.event_source import EventSource
from webhook_lambda.handler import WebhookSender
from webhook_lambda.receiver import Timeouts
from webhook_lambda.schedule import Schedule
from webhook_lambda.settings import Settings, Timings

CLIENT = "default"
AT_ONCE = Schedule(first=0, factor=0, jitter=0)
"""A failed message comes again at once."""

QUICK = Timings(timeouts=Timeouts(connect=1, total=1), schedule=AT_ONCE, unreachable=0)
PATIENT = Timings(timeouts=Timeouts(connect=30, total=30), schedule=AT_ONCE, unreachable=0)


OVER = replace(QUICK, schedule=Schedule(window=-1))
"""The three days are over."""


@dataclass
class World:
    """One test's own queues, table and secret in an AWS that all tests share, and a receiver of webhooks."""

    session: boto3.Session
    endpoint: str
    settings: Settings
    site: Site
    secret: str
    received: list[dict[str, Any]] = field(default_factory=list)
    """What the receiver got and verified: the payload, and the headers as ``headers``."""

    def client(self, service: Any) -> Any:
        return self.session.client(service, endpoint_url=self.endpoint)

    def put(self, url: str, *, events: tuple[str, ...] = ("started", "ended"), **changes: Any) -> TaskItem:
        """A task with a webhook, as its end leaves it unless ``changes`` say otherwise."""
        task_id = f"t-{uuid.uuid4().hex[:8]}"
        item = TaskItem(
            client=CLIENT,
            id=task_id,
            request=str(uuid.uuid4()),
            status=State.COMPLETED,
            revision=4,
            runtime="sdruntime",
            tasktype=TaskType.TEXT_TO_IMAGE,
            prefix="output",
            created="2026-01-31T12:00:00.000Z",
            started="2026-01-31T12:00:01.000Z",
            ended="2026-01-31T12:00:02.500Z",
            outputs=(Output(key=f"output/{task_id}/1.png", type="image/png", size=3),),
            webhook=Webhook(url=url, events=events),
            fingerprint="f",
        )
        item = item.model_copy(update=changes)
        self.client("dynamodb").put_item(**writes.put(self.settings.table, item))
        return item

    def callback(self, item: TaskItem) -> None:
        """What the subscription to the output topic delivers at a task's end."""
        attributes = {
            "id": item.id,
            "client": item.client,
            "request_id": item.request,
            "webhook": "started,ended",
            "status": item.status.value,
        }
        body = {"id": item.id, "result": True, "runtime": item.runtime, "status": item.status.value}
        self.send(json.dumps(body), attributes)

    def started(self, item: TaskItem) -> None:
        """What an agent sends when a task begins."""
        event = TaskEvent(client=item.client, id=item.id, request=item.request, event="started", runtime=item.runtime)
        self.send(event.encode(), {})

    def send(self, body: str, attributes: Mapping[str, str]) -> None:
        self.client("sqs").send_message(
            QueueUrl=self.settings.queue_url,
            MessageBody=body,
            MessageAttributes={
                name: {"DataType": "String", "StringValue": value} for name, value in attributes.items()
            },
        )

    async def poll(self, timings: Timings = PATIENT, *, batches: int = 1) -> None:
        """Let the handler have so many batches."""
        await asyncio.to_thread(self._poll, timings, batches)

    def _poll(self, timings: Timings, batches: int) -> None:
        with closing(WebhookSender(self.settings, self.session, timings)) as sender:
            source = EventSource(self.client("sqs"), self.settings.queue_url, sender)
            for _ in range(batches):
                assert source.poll(), "there was no message"

    def waiting(self) -> int:
        """Messages in the queue, hidden ones too."""
        return self._count(self.settings.queue_url)

    def visible(self) -> int:
        return self._count(self.settings.queue_url, "ApproximateNumberOfMessages")

    def dead_letters(self) -> list[tuple[str, str]]:
        """Body and reason of each."""
        answer = self.client("sqs").receive_message(
            QueueUrl=self.settings.dead_letter_url, MaxNumberOfMessages=10, MessageAttributeNames=["All"]
        )
        return [
            (message["Body"], message["MessageAttributes"]["reason"]["StringValue"])
            for message in answer.get("Messages", [])
        ]

    def item(self, item: TaskItem) -> TaskItem | None:
        """As it is in the table now."""
        answer = self.client("dynamodb").get_item(TableName=self.settings.table, Key=item.key)
        return TaskItem.from_values(answer["Item"]) if "Item" in answer else None

    def webhook(self, item: TaskItem) -> tuple[str, int, int | None]:
        """State, tries and last status."""
        now = self.item(item)
        assert now
        assert now.webhook
        return now.webhook.state, now.webhook.tries, now.webhook.last_status

    def delete(self, item: TaskItem) -> None:
        self.client("dynamodb").delete_item(TableName=self.settings.table, Key=task_key(item.client, item.id))

    def receiver(self, *statuses: int, path: str = "/hook", **headers: str) -> str:
        """A receiver that answers with these, then with the last of them. It verifies what it gets."""
        left = list(statuses)

        async def answer(request: web.Request) -> web.Response:
            payload = Verifier(self.secret).verify(await request.read(), dict(request.headers))
            self.received.append({**payload, "headers": dict(request.headers), "path": request.path})
            status = left.pop(0) if len(left) > 1 else left[0]
            return web.Response(status=status, headers={n.replace("_", "-"): text for n, text in headers.items()})

        return self.site.at(path, answer)

    def _count(self, url: str, *names: str) -> int:
        names = names or ("ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible")
        answer = self.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=list(names))
        return sum(int(value) for value in answer["Attributes"].values())


def facts(caplog: pytest.LogCaptureFixture) -> list[dict[str, Any]]:
    """The fields of every line about a webhook."""
    return [vars(record) for record in caplog.records if record.name == "webhook_lambda"]


def down() -> str:
    """A URL at which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return f"http://127.0.0.1:{listening.getsockname()[1]}/hook"


@pytest.fixture(autouse=True)
def every_line(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="webhook_lambda")


@pytest.fixture(scope="session")
def aws_endpoint() -> Iterator[str]:
    with running_moto() as url:
        yield url


@pytest.fixture(scope="session")
def session() -> boto3.Session:
    return boto3.Session(aws_access_key_id="test", aws_secret_access_key="test", region_name="us-east-1")


@pytest.fixture
async def world(aws_endpoint: str, session: boto3.Session) -> AsyncIterator[World]:
    name = f"w{uuid.uuid4().hex[:12]}"
    async with a_site() as site:
        settings = Settings(
            table=name,
            queue_url="",
            dead_letter_url="",
            secrets=name,
            bucket=name,
            tasks_url="https://api.example/dev/v1alpha2/tasks",
            allow_loopback=True,
            endpoint_url=aws_endpoint,
        )
        world = World(session, aws_endpoint, settings, site, new_secret())
        sqs = world.client("sqs")
        urls = [sqs.create_queue(QueueName=f"{name}{end}")["QueueUrl"] for end in ("", "_dead")]
        world.settings = replace(settings, queue_url=urls[0], dead_letter_url=urls[1])
        world.client("s3").create_bucket(Bucket=name)
        world.client("secretsmanager").create_secret(Name=secret_name(name, CLIENT), SecretString=world.secret)
        world.client("dynamodb").create_table(
            TableName=name,
            BillingMode="PAY_PER_REQUEST",
            KeySchema=[
                {"AttributeName": PARTITION_KEY, "KeyType": "HASH"},
                {"AttributeName": SORT_KEY, "KeyType": "RANGE"},
            ],
            AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key in (PARTITION_KEY, SORT_KEY)],
        )
        yield world
