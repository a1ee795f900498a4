"""A front door with everything behind it: an embedded AWS with the topology's topic, queues, filters and bucket."""

import copy
import io
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import redirect_stdout
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeAlias

import boto3
import pytest

from contract.catalog import Catalog
from contract.clients import Client, Clients
from frontend_lambda.handler import Handler, make_handler
from frontend_lambda.logs import LOGGER, write_to_stdout
from frontend_lambda.settings import Settings, read
from infra.config.model import Config
from infra.topology import Topology, topology_of
from test.support.moto_server import running_moto
from utils.local.cloud import table_definition

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client
    from types_boto3_sqs import SQSClient

MODEL = "v1-5-pruned-emaonly.safetensors"
RUNTIMES = [
    {"name": "sdruntime", "namespace": "default", "type": "sdwebui", "modelFilename": MODEL},
    {"name": "switching", "namespace": "default", "type": "sdwebui", "dynamicModel": True},
    {"name": "comfy", "namespace": "default", "type": "comfyui"},
    {"name": "invoke", "namespace": "default", "type": "invokeai"},
    {"name": "kit", "namespace": "default", "type": "imagekit"},
]
RUNTIMES_OF_SAMPLES = {"pipeline": "comfy", "graph": "invoke"} | dict.fromkeys(
    ("super-resolution", "human-segmentation", "ocr"), "kit"
)
EVENT = Path(__file__).parent.parent / "events" / "api-gateway" / "rest-proxy-event.json"


def runtime_of(sample: str) -> str:
    """The runtime that serves the request of that name."""
    return RUNTIMES_OF_SAMPLES.get(sample.partition("-")[2], "sdruntime")


@dataclass(frozen=True)
class Message:
    """What came to a queue: the body as JSON, the message attributes that routed it, and those that follow it.

    ``group`` is the message group that SQS gives.
    """

    body: Any
    attributes: dict[str, str]
    traceparent: str
    request_id: str
    client: str
    group: str | None

    @property
    def repeat(self) -> bool:
        """Whether an agent runs it only if the other messages of the request are missing."""
        return "repeat" in self.attributes


@dataclass(frozen=True)
class Answer:
    """What the caller gets."""

    status: int
    body: Any

    @property
    def fields(self) -> list[str]:
        return [error["field"] for error in self.body["errors"]]


@dataclass(frozen=True)
class FrontDoor:
    """The handler, and a look at what lies behind it."""

    handler: Handler
    settings: Settings
    session: boto3.Session
    topology: Topology
    queues: Mapping[str, str]
    sqs: "SQSClient"
    s3: "S3Client"

    def post(self, version: str, body: Any, **changes: Any) -> Answer:
        """Call the handler with a proxy event. ``body`` is sent as it is when it is text, else as JSON."""
        text = body if isinstance(body, str) else json.dumps(body)
        answer = self.handler(self.event(version, text, **changes), None)
        assert set(answer) == {"statusCode", "headers", "body"}
        assert answer["headers"]["Content-Type"] == "application/json"
        return Answer(answer["statusCode"], json.loads(answer["body"]))

    def with_catalog(self, catalog: Catalog) -> Self:
        """The same place behind another door."""
        settings = replace(self.settings, catalog=catalog)
        return replace(self, settings=settings, handler=make_handler(settings, self.session))

    def with_clients(self, *clients: Client) -> Self:
        """The same place behind a door with named clients."""
        settings = replace(self.settings, clients=Clients(clients))
        return replace(self, settings=settings, handler=make_handler(settings, self.session))

    @staticmethod
    def event(version: str, body: str | None, **changes: Any) -> dict[str, Any]:
        """The event as AWS documents it, for this path and body."""
        event = json.loads(EVENT.read_text("utf-8"))
        path = f"/{version}"
        return {**event, "resource": path, "path": path, "body": body, **changes}

    def received(self, runtime: str) -> list[Message]:
        """Takes everything out of a runtime's queue."""
        url, taken = self.queues[runtime], []
        while messages := self.sqs.receive_message(
            QueueUrl=url,
            MaxNumberOfMessages=10,
            MessageAttributeNames=["All"],
            MessageSystemAttributeNames=["MessageGroupId"],
        ).get("Messages"):
            for message in messages:
                attributes = {name: value["StringValue"] for name, value in message["MessageAttributes"].items()}
                traceparent = attributes.pop("traceparent")
                request_id = attributes.pop("request_id")
                client = attributes.pop("client")
                group = message.get("Attributes", {}).get("MessageGroupId")
                taken.append(Message(json.loads(message["Body"]), attributes, traceparent, request_id, client, group))
                self.sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        return taken

    def received_anywhere(self) -> dict[str, list[Message]]:
        """Takes everything out of every queue; runtimes that got nothing are not among the keys."""
        return {name: messages for name in self.queues if (messages := self.received(name))}

    def content_of(self, message: Message) -> Any:
        """The task's content, from the message or from the place that it names."""
        task = message.body["task"]
        if "content" in task:
            return task["content"]
        bucket, _, key = task["content_url"].removeprefix("s3://").partition("/")
        return json.load(self.s3.get_object(Bucket=bucket, Key=key)["Body"])


@pytest.fixture(scope="session")
def aws_endpoint() -> Iterator[str]:
    with running_moto() as url:
        yield url


@pytest.fixture(scope="session")
def session() -> boto3.Session:
    return boto3.Session(aws_access_key_id="test", aws_secret_access_key="test", region_name="us-east-1")


@pytest.fixture(scope="session")
def standing_door(aws_endpoint: str, session: boto3.Session) -> FrontDoor:
    """One front door for all tests of a process; ``door`` empties its queues."""
    topology = topology_of(
        Config.model_validate({"modelBucketArn": "arn:aws:s3:::models", "modelsRuntime": copy.deepcopy(RUNTIMES)})
    )
    sns = session.client("sns", endpoint_url=aws_endpoint)
    sqs = session.client("sqs", endpoint_url=aws_endpoint)
    s3 = session.client("s3", endpoint_url=aws_endpoint)
    s3.create_bucket(Bucket=topology.output_bucket)
    topic = sns.create_topic(Name=topology.input_topic)["TopicArn"]
    queues = {}
    for route in topology.routes:
        queues[route.name] = url = sqs.create_queue(QueueName=route.queue.name)["QueueUrl"]
        arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        sns.subscribe(
            TopicArn=topic,
            Protocol="sqs",
            Endpoint=arn,
            Attributes={"RawMessageDelivery": "true", "FilterPolicy": json.dumps(route.filter_policy)},
        )
    dynamodb = session.client("dynamodb", endpoint_url=aws_endpoint)
    # The client's tests have a front door of their own in the same process, whose AWS is this one.
    if topology.task_table.name not in dynamodb.list_tables()["TableNames"]:
        dynamodb.create_table(**table_definition(topology.task_table.name))
    environment = topology.frontend_environment(
        input_topic_arn=topic,
        output_bucket=topology.output_bucket,
        queue_url_prefix=queues["sdruntime"].removesuffix("sdruntime"),
    )
    settings = read({**environment, "AWS_ENDPOINT_URL": aws_endpoint})
    return FrontDoor(make_handler(settings, session), settings, session, topology, queues, sqs, s3)


@pytest.fixture
def door(standing_door: FrontDoor) -> FrontDoor:
    standing_door.received_anywhere()
    return standing_door


Lines: TypeAlias = Callable[[], list[dict[str, Any]]]


@pytest.fixture
def log() -> Iterator[Lines]:
    """The log as Lambda's standard output gets it."""
    handlers, propagate, level = LOGGER.handlers, LOGGER.propagate, LOGGER.level
    output = io.StringIO()
    with redirect_stdout(output):
        write_to_stdout("INFO")
    yield lambda: [json.loads(line) for line in output.getvalue().splitlines()]
    LOGGER.handlers, LOGGER.propagate = handlers, propagate
    LOGGER.setLevel(level)
