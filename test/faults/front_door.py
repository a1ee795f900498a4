"""The front door does not hear whether SNS took a task, and sends it again: the task runs once all the same."""

import asyncio
import json
from http import HTTPStatus
from itertools import count

import boto3
from aiohttp import ClientSession

from contract.catalog import Catalog
from frontend_lambda.handler import make_handler
from frontend_lambda.settings import Settings
from test.bench.stage import REGION
from test.faults.ending import ended
from test.faults.runtime import Runtime
from test.faults.scenario import Ground, Report, Scenario, agents_at
from test.support.world import World
from utils.local.aws_proxy import Conditions, aws_proxy
from utils.local.gateway import Gateway
from utils.local.usage import ApiKey

TASK_SECONDS = 0.3
LOST_EVERY = 5
"""Of five answers one is lost: 20 %."""

LIMIT_SECONDS = 120.0
QUIET_SECONDS = 3.0
KEY = "faults"
CATALOG = json.dumps([["r", "sdwebui"]])


async def lose_answers(ground: Ground, *, tasks: int = 40, agents: int = 4) -> Report:
    """SNS takes every message, and some of its answers to the front door are lost."""
    calls = count(1)
    conditions = Conditions(loss=lambda call: call.service == "sns" and next(calls) % LOST_EVERY == 0)
    runtimes = [Runtime(TASK_SECONDS) for _ in range(agents)]
    async with (
        agents_at(ground, runtimes) as (world, fleet),
        aws_proxy(ground.endpoint, conditions) as lossy,
        await _front_door(world, lossy) as gateway,
        ClientSession(headers={"x-api-key": KEY}) as session,
    ):
        statuses = await asyncio.gather(*(_request(session, gateway, f"t{number}") for number in range(tasks)))
        ending = await ended(world, tasks, LIMIT_SECONDS, quiet=QUIET_SECONDS)
        report = Report()
        report.equal("answers with 200", statuses.count(HTTPStatus.OK), tasks)
        report.at_least("messages sent again", conditions.calls["sns", "Publish"] - tasks, 1)
        report.equal("runs", fleet.runs, tasks)
        report.equal("tasks completed", ending.completed, tasks)
        report.equal("tasks with more than one callback", ending.repeated, 0)
        report.equal("messages left", sum(ending.left), 0)
        return report


async def _front_door(world: World, endpoint: str) -> Gateway:
    """The real handler behind the API, with a topic that leads to the world's queue."""
    topic = (await world.direct.sns.create_topic(Name=f"{world.bucket}-in"))["TopicArn"]
    attributes = await world.direct.sqs.get_queue_attributes(QueueUrl=world.queue_url, AttributeNames=["QueueArn"])
    await world.direct.sns.subscribe(
        TopicArn=topic,
        Protocol="sqs",
        Endpoint=attributes["Attributes"]["QueueArn"],
        Attributes={"RawMessageDelivery": "true"},
    )
    settings = Settings(
        input_topic_arn=topic,
        output_bucket=world.bucket,
        catalog=Catalog.from_env(CATALOG),
        tasks_table=f"{world.bucket}-tasks",
        task_retention=86_400,
        queue_url_prefix=world.queue_url,
        endpoint_url=endpoint,
    )
    session = boto3.Session(aws_access_key_id=KEY, aws_secret_access_key=KEY, region_name=REGION)
    keys = [ApiKey(value=KEY, rate=1000, burst=1000)]
    return Gateway(make_handler(settings, session), stage="prod", routes=[("POST", "/v1alpha2")], keys=keys)


async def _request(session: ClientSession, gateway: Gateway, task_id: str) -> int:
    metadata = {"id": task_id, "runtime": "r", "tasktype": "text-to-image", "prefix": "out", "context": {}}
    body = {"task": {"metadata": metadata, "content": {"prompt": task_id}}}
    async with session.post(f"{gateway.endpoint}v1alpha2", json=body) as answer:
        return answer.status


SCENARIOS = (Scenario("20 % of SNS's answers to the front door lost", lose_answers),)
