"""Makes a Topology on the embedded AWS: the same data that the stack is made of."""

import json
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from aiobotocore.config import AioConfig
from aiobotocore.session import AioSession

from contract.task_table import keys
from contract.webhook_secret import new_secret
from infra.queues import Queue
from infra.topology import Expiry, Topology
from infra.webhooks import Webhooks
from queue_agent.aws.clients import Clients

if TYPE_CHECKING:
    from types_aiobotocore_dynamodb import DynamoDBClient
    from types_aiobotocore_s3 import S3Client
    from types_aiobotocore_sns import SNSClient
    from types_aiobotocore_sqs import SQSClient
    from types_aiobotocore_sqs.literals import QueueAttributeNameType

REGION = "us-east-1"

_FAKE = "local"
"""Key and secret. moto takes any; a real one must never come near it."""

LOCAL_CREDENTIALS = (_FAKE, _FAKE)
"""The access key and its secret that requests to the local gateway are signed with, where the config asks for that."""


@dataclass(frozen=True, slots=True)
class Access:
    """How a process reaches the embedded AWS, and no other: the user's own profiles and keys are shut out."""

    endpoint_url: str
    region: str = REGION

    def environment(self) -> dict[str, str]:
        """For another process: the variables that every AWS SDK reads."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint_url,
            "AWS_DEFAULT_REGION": self.region,
            "AWS_ACCESS_KEY_ID": _FAKE,
            "AWS_SECRET_ACCESS_KEY": _FAKE,
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def signing(self) -> dict[str, Any]:
        """What a request may be signed with: the arguments of ``utils.local.signature.Signatures``."""
        return {"secrets": {_FAKE: _FAKE}, "region": self.region}

    @asynccontextmanager
    async def clients(self) -> AsyncIterator[Clients]:
        """For this process: clients that read neither AWS variables nor files; closed on exit."""
        async with AsyncExitStack() as stack:
            sqs, sns, s3, dynamodb = [
                await stack.enter_async_context(self.client(service)) for service in ("sqs", "sns", "s3", "dynamodb")
            ]
            yield Clients(sqs=sqs, sns=sns, s3=s3, dynamodb=dynamodb)

    def client(self, service: Any) -> AbstractAsyncContextManager[Any]:
        """A client of one service, as those of ``clients``."""
        session = AioSession(
            session_vars={
                "profile": (None, None, None, None),
                "ca_bundle": (None, None, None, None),
                "config_file": (None, None, os.devnull, None),
                "credentials_file": (None, None, os.devnull, None),
            }
        )
        session.set_credentials(_FAKE, _FAKE)
        config = AioConfig(
            proxies={},
            use_fips_endpoint=False,
            use_dualstack_endpoint=False,
            connect_timeout=5,
            read_timeout=30,
            retries={"mode": "standard"},
        )
        return session.create_client(service, self.region, endpoint_url=self.endpoint_url, config=config)


@dataclass(frozen=True, slots=True)
class QueueAddress:
    """Where a queue is."""

    url: str
    arn: str


@dataclass(frozen=True, slots=True)
class Cloud:
    """What was made. ``queues`` by the name that the Topology gives them."""

    access: Access
    input_topic_arn: str
    output_topic_arn: str
    output_bucket: str
    queues: Mapping[str, QueueAddress]


async def apply(topology: Topology, access: Access, clients: Clients) -> Cloud:
    """Make everything that the topology names. The endpoint must be empty before."""
    for bucket in dict.fromkeys((topology.output_bucket, *topology.input_buckets)):
        await clients.s3.create_bucket(Bucket=bucket)
    await _expire(clients.s3, topology.output_bucket, topology.expiries)

    await create_table(clients.tables, topology.task_table.name)

    input_topic = (await clients.sns.create_topic(Name=topology.input_topic))["TopicArn"]
    output_topic = (await clients.sns.create_topic(Name=topology.output_topic))["TopicArn"]

    queues: dict[str, QueueAddress] = {}
    webhooks = topology.webhooks
    pairs = [(route.dead_letters, route.queue) for route in topology.routes]
    pairs.append((webhooks.dead_letters, webhooks.queue))
    for queue in (topology.undelivered, *(queue for pair in pairs for queue in pair)):
        queues[queue.name] = await _create_queue(clients.sqs, queue, queues)
    undelivered = queues[topology.undelivered.name]
    for route in topology.routes:
        await _subscribe(clients.sns, input_topic, queues[route.queue.name], undelivered, route.filter_policy)
    dead = queues[webhooks.dead_letters.name]
    await _subscribe(clients.sns, output_topic, queues[webhooks.queue.name], dead, webhooks.filter_policy)
    await _create_secrets(access, webhooks)
    return Cloud(access, input_topic, output_topic, topology.output_bucket, queues)


async def _expire(s3: "S3Client", bucket: str, expiries: tuple[Expiry, ...]) -> None:
    await s3.put_bucket_lifecycle_configuration(
        Bucket=bucket,
        LifecycleConfiguration={
            "Rules": [
                {
                    "ID": f"expire {expiry.prefix or 'all'}",
                    "Status": "Enabled",
                    "Filter": {"Prefix": expiry.prefix},
                    "Expiration": {"Days": expiry.days},
                }
                for expiry in expiries
            ]
        },
    )


def table_definition(name: str) -> dict[str, Any]:
    """create_table: the table of tasks."""
    return {
        "TableName": name,
        "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": [{"AttributeName": key, "AttributeType": "S"} for key in keys.KEYS],
        "KeySchema": [
            {"AttributeName": keys.PARTITION_KEY, "KeyType": "HASH"},
            {"AttributeName": keys.SORT_KEY, "KeyType": "RANGE"},
        ],
        "GlobalSecondaryIndexes": [
            {
                "IndexName": keys.BY_CLIENT,
                "KeySchema": [
                    {"AttributeName": keys.BY_CLIENT_PARTITION_KEY, "KeyType": "HASH"},
                    {"AttributeName": keys.BY_CLIENT_SORT_KEY, "KeyType": "RANGE"},
                ],
                "Projection": {"ProjectionType": "KEYS_ONLY"},
            }
        ],
    }


async def create_table(dynamodb: "DynamoDBClient", name: str) -> None:
    """The table of tasks, whose items expire."""
    await dynamodb.create_table(**table_definition(name))
    await dynamodb.update_time_to_live(
        TableName=name, TimeToLiveSpecification={"Enabled": True, "AttributeName": keys.TTL}
    )


async def _create_secrets(access: Access, webhooks: Webhooks) -> None:
    async with access.client("secretsmanager") as secrets:
        for name in webhooks.secret_names.values():
            await secrets.create_secret(Name=name, SecretString=new_secret())


async def _create_queue(sqs: "SQSClient", queue: Queue, made: Mapping[str, QueueAddress]) -> QueueAddress:
    attributes: dict[QueueAttributeNameType, str] = {
        "VisibilityTimeout": str(queue.visibility),
        "MessageRetentionPeriod": str(queue.retention),
        "SqsManagedSseEnabled": "true",
    }
    if queue.dead_letters:
        target = made[queue.dead_letters].arn
        attributes["RedrivePolicy"] = json.dumps({"deadLetterTargetArn": target, "maxReceiveCount": queue.max_receives})
    url = (await sqs.create_queue(QueueName=queue.name, Attributes=attributes))["QueueUrl"]
    response = await sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
    return QueueAddress(url, response["Attributes"]["QueueArn"])


async def _subscribe(
    sns: "SNSClient", topic: str, queue: QueueAddress, undelivered: QueueAddress, policy: Mapping[str, object]
) -> None:
    await sns.subscribe(
        TopicArn=topic,
        Protocol="sqs",
        Endpoint=queue.arn,
        Attributes={
            "RawMessageDelivery": "true",
            "FilterPolicyScope": "MessageAttributes",
            "FilterPolicy": json.dumps(policy),
            "RedrivePolicy": json.dumps({"deadLetterTargetArn": undelivered.arn}),
        },
    )
