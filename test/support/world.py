"""A world for an agent: queues, topic and bucket of one test, and runtimes whose jobs a test scripts."""

import asyncio
import json
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

from contract.runtimes import TaskType
from contract.task import Metadata, Task
from contract.wire import CLIENT_ATTRIBUTE, encode_task, text_attributes
from queue_agent.aws.clients import Clients
from queue_agent.errors import Interrupted, RuntimeUnavailable
from queue_agent.runtimes.base import Job, Output, PreparedJob, Ran, Result, RunMonitor
from utils.local.cloud import create_table

PNG = b"\x89PNG\r\n\x1a\n" + b"a picture"
PATIENCE = 30.0
"""Seconds until a condition that must come is taken to fail; generous, for a busy machine."""


@dataclass
class World:
    """One runtime's queue, its dead letters, the output topic with a subscriber, and the output bucket."""

    clients: Clients
    """The agent's, through whatever stands between it and AWS."""
    direct: Clients
    """The test's own."""
    queue_url: str
    dead_letter_url: str
    topic_arn: str
    subscriber_url: str
    bucket: str
    table: str | None = None
    """The table of tasks; where there is none, the agent knows its messages only."""
    read_callbacks: list[dict[str, Any]] = field(default_factory=list)

    async def send(self, body: str, attributes: Mapping[str, str] | None = None, *, client: str | None = None) -> str:
        """Put a message in the queue; returns its id. ``client``: the one that it names."""
        sent = await self.direct.sqs.send_message(
            QueueUrl=self.queue_url,
            MessageBody=body,
            MessageAttributes=text_attributes({CLIENT_ATTRIBUTE: client, **(attributes or {})}),
        )
        return sent["MessageId"]

    async def ask(self, task_id: str = "t1", client: str | None = None, **fields: Any) -> str:
        """Put a text-to-image task in the queue; returns the message's id. ``client``: whose task it is."""
        return await self.send(encode_task(a_task(task_id, **fields)), client=client)

    async def callbacks(self) -> list[dict[str, Any]]:
        """All callbacks so far, in the order in which they were read."""
        while True:
            answer = await self.direct.sqs.receive_message(QueueUrl=self.subscriber_url, MaxNumberOfMessages=10)
            messages = answer.get("Messages", [])
            if not messages:
                return self.read_callbacks
            for message in messages:
                self.read_callbacks.append(json.loads(message["Body"]))
                await self.direct.sqs.delete_message(
                    QueueUrl=self.subscriber_url, ReceiptHandle=message["ReceiptHandle"]
                )

    async def depth(self, url: str | None = None) -> tuple[int, int]:
        """Messages waiting and messages held."""
        response = await self.direct.sqs.get_queue_attributes(QueueUrl=url or self.queue_url, AttributeNames=["All"])
        attributes = response["Attributes"]
        return (
            int(attributes["ApproximateNumberOfMessages"]),
            int(attributes["ApproximateNumberOfMessagesNotVisible"]),
        )

    async def dead_letters(self) -> list[dict[str, Any]]:
        answer = await self.direct.sqs.receive_message(
            QueueUrl=self.dead_letter_url,
            MaxNumberOfMessages=10,
            MessageAttributeNames=["All"],
            MessageSystemAttributeNames=["MessageGroupId"],
        )
        return [dict(message) for message in answer.get("Messages", [])]

    async def keys(self) -> list[str]:
        listed = await self.direct.s3.list_objects_v2(Bucket=self.bucket)
        return [entry["Key"] for entry in listed.get("Contents", [])]

    async def read(self, key: str) -> bytes:
        answer = await self.direct.s3.get_object(Bucket=self.bucket, Key=key)
        async with answer["Body"] as body:
            return await body.read()


async def make_world(clients: Clients, direct: Clients) -> World:
    """``clients`` are for the agent, ``direct`` ones for the test. There is a table of tasks where there is a client of
    DynamoDB."""
    name = f"w{uuid.uuid4().hex}"
    await direct.s3.create_bucket(Bucket=name)
    topic = (await direct.sns.create_topic(Name=name))["TopicArn"]
    urls = [(await direct.sqs.create_queue(QueueName=f"{name}-{part}"))["QueueUrl"] for part in ("in", "dead", "out")]
    arn = (await direct.sqs.get_queue_attributes(QueueUrl=urls[2], AttributeNames=["QueueArn"]))["Attributes"]
    await direct.sns.subscribe(
        TopicArn=topic, Protocol="sqs", Endpoint=arn["QueueArn"], Attributes={"RawMessageDelivery": "true"}
    )
    if direct.dynamodb is not None:
        await create_table(direct.dynamodb, name)
    return World(clients, direct, urls[0], urls[1], topic, urls[2], name, name if direct.dynamodb is not None else None)


def a_task(task_id: str = "t1", **fields: Any) -> Task:
    content = fields.pop("content", {"prompt": "a dog"})
    metadata = {"id": task_id, "runtime": "r", "tasktype": TaskType.TEXT_TO_IMAGE, "prefix": "out", **fields}
    return Task(metadata=Metadata.model_validate(metadata), content=content)


class ScriptedRuntime:
    """A runtime whose jobs do what the test says; it counts what was asked of it."""

    def __init__(self, work: Callable[[Job], Awaitable[Result]] | None = None) -> None:
        self.work = work or finish_at_once
        self.is_ready = True
        self.jobs: list[Job] = []
        self.interrupts = 0
        self.told_progress: float | None = None
        self._stopped = asyncio.Event()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None

    async def check_ready(self) -> None:
        if not self.is_ready:
            raise RuntimeUnavailable("runtime-gone", "the test says that it is not ready")

    async def prepare(self, job: Job) -> PreparedJob:
        return PreparedJob(job)

    async def adopt(self, prepared: PreparedJob, job_ref: str, monitor: RunMonitor) -> Result | None:
        return None

    async def run(self, prepared: PreparedJob, monitor: RunMonitor) -> Result:
        job = prepared.job
        self.jobs.append(job)
        monitor.begin()
        self._stopped.clear()
        work = asyncio.ensure_future(self.work(job))
        stopped = asyncio.ensure_future(self._stopped.wait())
        await asyncio.wait({work, stopped}, return_when=asyncio.FIRST_COMPLETED)
        stopped.cancel()
        if work.done():
            return work.result()
        work.cancel()
        raise Interrupted("interrupted", "interrupted")

    async def interrupt(self) -> bool:
        self.interrupts += 1
        self._stopped.set()
        return True

    async def progress(self) -> float | None:
        return self.told_progress


def a_result(*images: bytes) -> Result:
    outputs = [Output.of(image) for image in images or (PNG,)]
    return Result(
        outputs, lambda urls: {"images": list(urls), "info": "full answer"}, Ran("scripted", "1.0", "m", "h", (7,))
    )


async def finish_at_once(_: Job) -> Result:
    return a_result()


async def never_finish(_: Job) -> Result:
    await asyncio.Event().wait()
    raise AssertionError


async def until(condition: Callable[[], Any], patience: float = PATIENCE) -> Any:
    """The condition's value, once it is true."""
    async with asyncio.timeout(patience):
        while True:
            value = condition()
            value = await value if isinstance(value, Awaitable) else value
            if value:
                return value
            await asyncio.sleep(0.02)


@asynccontextmanager
async def running(work: Coroutine[Any, Any, None]) -> AsyncIterator[asyncio.Task[None]]:
    """The coroutine at work in the background; cancelled at the end if it is not over."""
    task = asyncio.create_task(work)
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.wait([task])
