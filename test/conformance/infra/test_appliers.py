"""Whoever applies a Topology makes exactly what it says.

Each applier has one function here that applies a topology and reads back what it made, in one shape for all.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import boto3
import pytest

from infra.config.model import parse_config
from infra.topology import topology_of
from test.infra.configs import EVERYTHING, REGIONS, THREE
from test.infra.embedded_stack import create
from test.infra.synthesis import Synthesis, template_in
from utils.local import cloud
from utils.local.ports import LOOPBACK, listen
from utils.local.services import aws_service
from utils.local.supervisor import Supervisor


@dataclass(frozen=True, slots=True, kw_only=True)
class ObservedQueue:
    """Seconds, and the name of the queue that takes what was received too often."""

    visibility: int
    retention: int
    encrypted: bool
    dead_letters: str | None
    max_receive_count: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ObservedSubscription:
    """A queue's subscription to a topic; ``undelivered`` is the queue for what SNS could not deliver."""

    raw: bool
    scope: str
    filter_policy: Mapping[str, Any]
    undelivered: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ObservedTable:
    """The names of the attributes that are the keys. moto's CloudFormation does not set the time to live."""

    name: str
    keys: tuple[str, ...]
    index_keys: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """Everything by its name; ``expiries`` are days by prefix in the output bucket."""

    queues: Mapping[str, ObservedQueue]
    subscriptions: Mapping[str, ObservedSubscription]
    topics: frozenset[str]
    expiries: Mapping[str, int]
    table: ObservedTable
    secrets: frozenset[str]


ApplyAndObserve: TypeAlias = Callable[[Mapping[str, Any], Path, Synthesis], Awaitable[Observed]]
"""Takes the config as a user writes it, a folder for logs, and what synthesises."""

CONFIGS: Mapping[str, Mapping[str, Any]] = {"three": THREE, "everything": EVERYTHING}


@asynccontextmanager
async def an_aws(logs: Path) -> AsyncIterator[cloud.Access]:
    """The server that the local platform runs, with nothing on it."""
    async with Supervisor(logs, print) as supervisor:
        with listen() as socket:
            access = cloud.Access(f"http://{LOOPBACK}:{socket.getsockname()[1]}")
            await supervisor.start(aws_service(socket.fileno()))
        yield access


async def embedded(raw: Mapping[str, Any], logs: Path, _synthesise: Synthesis) -> Observed:
    """The local platform's applier."""
    async with an_aws(logs) as access:
        async with access.clients() as clients:
            made = await cloud.apply(topology_of(parse_config(raw)), access, clients)
        return await asyncio.to_thread(_read, access, made.output_bucket)


async def synthesised(raw: Mapping[str, Any], logs: Path, synthesise: Synthesis) -> Observed:
    """The template, created by moto's CloudFormation."""
    (name,) = [name for name, config in CONFIGS.items() if config is raw]
    template = template_in(await asyncio.to_thread(synthesise, name, raw, region=REGIONS.get(name)))
    async with an_aws(logs) as access:
        made = await asyncio.to_thread(create, template, access)
        return await asyncio.to_thread(_read, access, made.outputs["OutputS3Bucket"])


@pytest.fixture(params=[embedded, synthesised])
def apply_and_observe(request: pytest.FixtureRequest) -> ApplyAndObserve:
    applier: ApplyAndObserve = request.param
    return applier


@pytest.mark.parametrize("raw", CONFIGS.values(), ids=CONFIGS)
async def test_what_is_made_is_what_the_topology_says(
    raw: dict[str, Any], apply_and_observe: ApplyAndObserve, tmp_path: Path, synthesise: Synthesis
) -> None:
    # Given
    topology = topology_of(parse_config(raw))
    # When
    observed = await apply_and_observe(raw, tmp_path, synthesise)
    # Then
    webhooks = topology.webhooks
    queues = [queue for route in topology.routes for queue in (route.queue, route.dead_letters)]
    queues += [webhooks.queue, webhooks.dead_letters]
    assert observed.queues == {
        queue.name: ObservedQueue(
            visibility=queue.visibility,
            retention=queue.retention,
            encrypted=True,
            dead_letters=queue.dead_letters,
            max_receive_count=queue.max_receives if queue.dead_letters else None,
        )
        for queue in (*queues, topology.undelivered)
    }
    assert observed.subscriptions == {
        route.queue.name: ObservedSubscription(
            raw=True,
            scope="MessageAttributes",
            filter_policy=route.filter_policy,
            undelivered=topology.undelivered.name,
        )
        for route in topology.routes
    } | {
        webhooks.queue.name: ObservedSubscription(
            raw=True,
            scope="MessageAttributes",
            filter_policy=webhooks.filter_policy,
            undelivered=webhooks.dead_letters.name,
        )
    }
    assert observed.secrets == frozenset(webhooks.secret_names.values())
    assert observed.topics == {topology.input_topic, topology.output_topic}
    assert observed.expiries == {expiry.prefix: expiry.days for expiry in topology.expiries}
    assert observed.table == ObservedTable(
        name=topology.task_table.name, keys=("pk", "sk"), index_keys=("client", "created_id")
    )


async def test_the_local_platform_has_the_input_buckets_too(tmp_path: Path) -> None:
    # Given
    topology = topology_of(parse_config(EVERYTHING))
    # When
    async with an_aws(tmp_path) as access, access.clients() as clients:
        await cloud.apply(topology, access, clients)
        listed = await clients.s3.list_buckets()
    # Then
    assert {bucket["Name"] for bucket in listed["Buckets"]} == {topology.output_bucket, *topology.input_buckets}


def _read(access: cloud.Access, output_bucket: str) -> Observed:
    session = boto3.Session("local", "local", region_name=access.region)
    sqs = session.client("sqs", endpoint_url=access.endpoint_url)
    sns = session.client("sns", endpoint_url=access.endpoint_url)
    s3 = session.client("s3", endpoint_url=access.endpoint_url)
    queues = {
        _name(url): _queue(sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"])
        for url in sqs.list_queues()["QueueUrls"]
    }
    subscriptions = {
        _name(one["Endpoint"]): _subscription(
            sns.get_subscription_attributes(SubscriptionArn=one["SubscriptionArn"])["Attributes"]
        )
        for one in sns.list_subscriptions()["Subscriptions"]
    }
    rules = s3.get_bucket_lifecycle_configuration(Bucket=output_bucket)["Rules"]
    return Observed(
        queues=queues,
        subscriptions=subscriptions,
        topics=frozenset(_name(topic["TopicArn"]) for topic in sns.list_topics()["Topics"]),
        expiries={rule["Filter"].get("Prefix", ""): rule["Expiration"]["Days"] for rule in rules},
        secrets=frozenset(
            one["Name"]
            for one in session.client("secretsmanager", endpoint_url=access.endpoint_url).list_secrets()["SecretList"]
        ),
        table=_table(session.client("dynamodb", endpoint_url=access.endpoint_url)),
    )


def _table(dynamodb: Any) -> ObservedTable:
    (name,) = dynamodb.list_tables()["TableNames"]
    table = dynamodb.describe_table(TableName=name)["Table"]
    (index,) = table["GlobalSecondaryIndexes"]
    return ObservedTable(
        name=name,
        keys=tuple(key["AttributeName"] for key in table["KeySchema"]),
        index_keys=tuple(key["AttributeName"] for key in index["KeySchema"]),
    )


def _queue(attributes: Mapping[Any, str]) -> ObservedQueue:
    redrive = json.loads(attributes.get("RedrivePolicy", "{}"))
    return ObservedQueue(
        visibility=int(attributes["VisibilityTimeout"]),
        retention=int(attributes["MessageRetentionPeriod"]),
        encrypted=attributes["SqsManagedSseEnabled"] == "true",
        dead_letters=_name(redrive["deadLetterTargetArn"]) if redrive else None,
        max_receive_count=redrive.get("maxReceiveCount"),
    )


def _subscription(attributes: Mapping[str, str]) -> ObservedSubscription:
    redrive = json.loads(attributes.get("RedrivePolicy", "{}"))
    return ObservedSubscription(
        raw=attributes["RawMessageDelivery"] == "true",
        scope=attributes["FilterPolicyScope"],
        filter_policy=json.loads(attributes["FilterPolicy"]),
        undelivered=_name(redrive["deadLetterTargetArn"]) if redrive else None,
    )


def _name(place: str) -> str:
    """The last part of an ARN or of a queue's URL."""
    return place.replace("/", ":").rsplit(":", 1)[1]
