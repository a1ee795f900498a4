"""Tasks of several clients, put into the queue directly: what the front door refuses, the agent refuses as well."""

import pytest

from contract.clients import Client, Clients
from queue_agent.app import _link_limits
from queue_agent.inputs.fetcher import Limits
from queue_agent.settings import read_settings
from test.support.agents import assembled, at_work
from test.support.world import PNG, ScriptedRuntime, World, until

pytestmark = pytest.mark.usefixtures("short_polls")

CLIENTS = Clients((Client("web", ("r",), ("web", "shared")), Client("batch", ("other",)), Client("any")))


def links_into(world: World) -> Limits:
    """What links may reach: the output bucket."""
    return Limits(max_bytes=1_000_000, timeout=5, output_bucket=world.bucket, retry_pause=0.02)


async def put(world: World, key: str) -> str:
    await world.direct.s3.put_object(Bucket=world.bucket, Key=key, Body=PNG)
    return f"s3://{world.bucket}/{key}"


@pytest.mark.parametrize(
    ("client", "prefix", "key", "refused"),
    [
        ("web", "web", "shared/x/1.png", None),
        ("web", "shared/a", "web/1.png", None),
        ("web", "web", "batch/1.png", "this task may read only what is below 'web' or 'shared'"),
        ("web", "web", "web/../batch/1.png", "it names no object that a task may read"),
        ("any", "out", "out/1.png", None),
        ("any", "out", "web/1.png", "this task may read only what is below 'out'"),
        ("web", "webs", "web/1.png", "the prefix of a task of client 'web' must be one of 'web', 'shared', or below"),
        ("batch", "batch", "batch/1.png", "client 'batch' may not use the runtime 'r'"),
        (None, "web", "web/1.png", "in the output bucket, this task may read nothing"),
        ("default", "web", "web/1.png", "in the output bucket, this task may read nothing"),
    ],
)
async def test_a_client_reads_and_stores_in_its_own_folders(
    client: str | None, prefix: str, key: str, refused: str | None, world: World
) -> None:
    # Given
    limits = links_into(world)
    link = await put(world, key) if ".." not in key else f"s3://{world.bucket}/{key}"
    await world.ask("dog", client, prefix=prefix, content={"prompt": "a dog", "init_images": [link]})

    # When
    runtime = ScriptedRuntime()
    async with assembled(world, runtime, limits=limits, clients=CLIENTS) as parts, at_work(parts):
        (callback,) = await until(world.callbacks)

    # Then
    assert callback["result"] is (refused is None)
    assert len(runtime.jobs) == (0 if refused else 1)
    if refused:
        assert refused in callback["error"]["message"]
    assert await world.depth() == (0, 0)


async def test_a_task_that_names_no_client_runs_where_it_links_to_no_result(world: World) -> None:
    # Given a program that publishes to the topic itself
    limits = links_into(world)
    await world.ask("dog", prefix="anything")

    # When
    async with assembled(world, ScriptedRuntime(), limits=limits, clients=CLIENTS) as parts, at_work(parts):
        (callback,) = await until(world.callbacks)

    # Then
    assert callback["result"] is True


async def test_without_named_clients_every_task_is_the_default_clients(world: World) -> None:
    # Given tasks that name a client, and none, of a stack that had clients
    limits = links_into(world)
    for number, client in enumerate(("web", "default", None)):
        link = await put(world, f"out/{number}.png")
        await world.ask(f"t{number}", client, content={"prompt": "a dog", "init_images": [link]})

    # When
    async with assembled(world, ScriptedRuntime(), limits=limits) as parts, at_work(parts):
        callbacks = await until(lambda: all_of(world, 3))

    # Then
    assert [callback["result"] for callback in callbacks] == [True] * 3


async def test_a_client_that_the_agent_does_not_know_yet_is_waited_for(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    # Given a task of a client that the front door has learned of before this agent
    await world.ask("dog", "new", prefix="new")
    runtime = ScriptedRuntime()

    # When
    async with assembled(world, runtime, limits=links_into(world), clients=CLIENTS) as parts, at_work(parts):
        await until(lambda: [one for one in caplog.records if one.message == "task did not complete"])

    # Then an agent that knows it will run it
    (record, *_) = [vars(one) for one in caplog.records if one.message == "task did not complete"]
    assert (record["action"], record["cause_type"]) == ("retry", "client")
    assert record["cause"] == "the agents know no client 'new'"
    assert sum(await world.depth()) == 1
    assert await world.callbacks() == []
    assert not runtime.jobs


async def test_an_output_bucket_that_is_an_input_bucket_keeps_clients_apart() -> None:
    settings = {
        "AWS_DEFAULT_REGION": "us-east-1",
        "SQS_QUEUE_URL": "q",
        "SNS_TOPIC_ARN": "t",
        "S3_BUCKET": "results",
        "RUNTIME_TYPE": "sdwebui",
        "RUNTIME_NAME": "r",
        "API_BASE_URL": "http://127.0.0.1:9",
        "INPUT_BUCKETS": "photos,results",
    }

    assert _link_limits(read_settings(settings)).buckets == {"photos", "results"}
    assert _link_limits(read_settings({**settings, "CLIENTS": CLIENTS.to_env()})).buckets == {"photos"}


async def all_of(world: World, number: int) -> list[dict[str, object]]:
    callbacks = await world.callbacks()
    return callbacks if len(callbacks) == number else []
