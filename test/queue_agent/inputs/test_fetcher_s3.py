"""Links to S3: only the buckets of the configuration, and nothing of the platform's own."""

from collections.abc import AsyncIterator
from functools import partial
from typing import Any

import pytest
from aiohttp import web

from contract.object_keys import REQUESTS_PREFIX, uploads_folder
from queue_agent.aws.clients import open_clients
from queue_agent.errors import PermanentError, TransientError
from queue_agent.inputs.fetcher import Fetcher
from test.support.fetching import PREFIX, a_fetcher, fetch
from test.support.world import PNG, World
from utils.local.aws_proxy import Call, Conditions, down, error_answer

FINAL = {
    "AccessDenied": 403,
    "InvalidObjectState": 403,
    "KeyTooLongError": 400,
    "InvalidRequest": 400,
    "PermanentRedirect": 301,
}
"""Error codes of S3 that stay, with their status."""


def refused(code: str, status: int, call: Call) -> web.Response | None:
    """Every object that is asked for is answered with this error."""
    return error_answer(code, status) if call.action == "GET" else None


def s3_fetcher(world: World, *buckets: str, **limits: Any) -> Fetcher:
    return a_fetcher(world.clients.s3, buckets=frozenset({world.bucket, *buckets}), **limits)


@pytest.fixture
async def fetcher(world: World) -> AsyncIterator[Fetcher]:
    """It may read the output bucket."""
    async with s3_fetcher(world) as fetcher:
        yield fetcher


async def put(world: World, key: str, data: bytes = PNG, bucket: str | None = None) -> str:
    """Store an object; returns its link."""
    bucket = bucket or world.bucket
    await world.clients.s3.put_object(Bucket=bucket, Key=key, Body=data)
    return f"s3://{bucket}/{key}"


async def refusal(fetcher: Fetcher, link: str) -> str:
    with pytest.raises(PermanentError) as caught:
        await fetch(fetcher, {"image": link})
    assert caught.value.type == "link"
    return caught.value.message


async def test_objects_of_the_output_bucket_are_fetched_whatever_they_are_called(
    world: World, fetcher: Fetcher
) -> None:
    # Given
    keys = ["cat.png", "a/b/cat.png", "猫.png", "a%20b.png", "a+b&c=d.png", "a//b", "..a/b.png"]
    links = [await put(world, key, PNG + key.encode()) for key in keys]

    # When
    files = await fetch(fetcher, {"init_images": links})

    # Then
    assert [file.data for file in files.values()] == [PNG + key.encode() for key in keys]
    assert {file.media_type for file in files.values()} == {"image/png"}
    assert all(file.name.endswith(".png") for file in files.values())


async def test_an_object_of_an_input_bucket_is_fetched(world: World) -> None:
    # Given
    bucket = f"{world.bucket}-photos"
    await world.clients.s3.create_bucket(Bucket=bucket)
    link = await put(world, "cat.png", bucket=bucket)

    # Then
    async with s3_fetcher(world, bucket) as fetcher:
        assert (await fetch(fetcher, {"image": link}))["image",].data == PNG
        assert (await fetch(fetcher, {"image": link.replace("s3:", "S3:")}))["image",].name == "cat.png"


async def test_an_object_of_any_other_bucket_is_refused_without_asking_s3(world: World, conditions: Conditions) -> None:
    # Given
    bucket = f"{world.bucket}-private"
    await world.clients.s3.create_bucket(Bucket=bucket)
    link = await put(world, "cat.png", bucket=bucket)
    before = conditions.calls.total()

    # Then
    async with s3_fetcher(world, "photos") as fetcher:
        assert await refusal(fetcher, link) == (
            f"could not fetch {link}: bucket '{bucket}' is not among the input buckets: photos, {world.bucket}"
        )
    assert conditions.calls.total() == before


async def test_in_the_output_bucket_a_task_reads_what_is_below_its_own_prefix_only(
    world: World, conditions: Conditions
) -> None:
    # Given two clients' results in the output bucket
    own, foreign = await put(world, f"{PREFIX}/a/a-1.png"), await put(world, "theirs/a/a-1.png")
    alike = await put(world, f"{PREFIX}-2/a.png")
    before = conditions.calls.total()

    async with a_fetcher(world.clients.s3, output_bucket=world.bucket) as fetcher:
        # Then
        for link in (foreign, alike, f"s3://{world.bucket}/{PREFIX}"):
            said = await refusal(fetcher, link)
            assert said.endswith(f"in the output bucket, this task may read only what is below '{PREFIX}'")
        assert conditions.calls.total() == before, "S3 was not even asked"
        assert (await fetch(fetcher, {"image": own}))["image",].data == PNG


async def test_a_bucket_that_only_looks_allowed_is_refused(world: World, fetcher: Fetcher) -> None:
    for spelled in ("s3://{0}.s3.amazonaws.com/k", "s3://x@{0}/k", "s3://{0}:80/k", "s3://{0}?/k", "s3:///{0}/k"):
        assert "is not among the input buckets" in await refusal(fetcher, spelled.format(world.bucket))


async def test_what_the_platform_keeps_is_not_for_tasks_to_read_nor_by_a_detour(
    world: World, fetcher: Fetcher, conditions: Conditions
) -> None:
    # Given another caller's task
    secret = f"{REQUESTS_PREFIX}/0.json"
    await put(world, secret, b'{"prompt": "secret"}')
    before = conditions.calls.total()

    # Then
    for key in (secret, ".platform", ".platform/", f"x/../{secret}", f"./{secret}", f"{secret}%00", "..", ""):
        said = await refusal(fetcher, f"s3://{world.bucket}/{key}")
        assert said.endswith("it names no object that a task may read"), key
    assert conditions.calls.total() == before, "S3 was not even asked"
    for key in (f"/{secret}", f"x/%2e%2e/{secret}", secret.replace(".", "%2e")):
        assert (await refusal(fetcher, f"s3://{world.bucket}/{key}")).endswith("S3 says NoSuchKey"), key


async def test_a_task_reads_its_own_clients_uploads_only(world: World) -> None:
    # Given
    own, foreign = uploads_folder("web"), uploads_folder("batch")
    mine, theirs = await put(world, f"{own}/1/cat.png"), await put(world, f"{foreign}/1/cat.png")

    async with a_fetcher(world.clients.s3, output_bucket=world.bucket) as fetcher:
        # Then
        assert (await fetch(fetcher, {"image": mine}, readable=(PREFIX, own)))["image",].data == PNG
        with pytest.raises(PermanentError, match="it names no object that a task may read"):
            await fetch(fetcher, {"image": theirs}, readable=(PREFIX, own))


async def test_a_bucket_alone_is_no_file(world: World, fetcher: Fetcher) -> None:
    assert (await refusal(fetcher, f"s3://{world.bucket}")).endswith("it names no object that a task may read")


async def test_an_object_that_is_not_there_is_the_callers_fault(world: World, fetcher: Fetcher) -> None:
    link = f"s3://{world.bucket}/missing.png"
    assert await refusal(fetcher, f"{link}?versionId=SECRET") == f"could not fetch {link}: S3 says NoSuchKey"


async def test_a_bucket_that_is_not_there_is_the_callers_fault(world: World) -> None:
    async with s3_fetcher(world, "never-made") as fetcher:
        assert (await refusal(fetcher, "s3://never-made/cat.png")).endswith("S3 says NoSuchBucket")


async def test_what_s3_will_never_give_is_the_callers_fault(
    world: World, fetcher: Fetcher, conditions: Conditions
) -> None:
    """Archived, encrypted by the caller's own key, in another region, or forbidden: asking again would not help."""
    link = f"s3://{world.bucket}/cat.png"
    for code, status in FINAL.items():
        conditions.failure = partial(refused, code, status)
        assert await refusal(fetcher, link) == f"could not fetch {link}: S3 says {code}"


async def test_an_empty_object_is_refused_never_handed_to_the_runtime(world: World, fetcher: Fetcher) -> None:
    link = await put(world, "empty.png", b"")
    assert await refusal(fetcher, link) == f"could not fetch {link}: it is empty"


async def test_an_object_may_be_as_large_as_the_limit_and_no_larger(world: World) -> None:
    fits, too_large = await put(world, "fits", b"x" * 1000), await put(world, "too-large", b"x" * 1001)
    async with s3_fetcher(world, max_bytes=1000) as fetcher:
        assert len((await fetch(fetcher, {"image": fits}))["image",].data) == 1000
        assert await refusal(fetcher, too_large) == f"could not fetch {too_large}: it is larger than 1000 bytes"


async def test_a_link_that_stands_twice_is_fetched_once(world: World, fetcher: Fetcher, conditions: Conditions) -> None:
    link = await put(world, "cat.png")
    before = conditions.calls["s3", "GET"]
    assert len(await fetch(fetcher, {"image": link, "mask": link})) == 2
    assert conditions.calls["s3", "GET"] == before + 1


async def test_s3_in_trouble_is_not_the_callers_fault(world: World, fetcher: Fetcher, conditions: Conditions) -> None:
    link = f"s3://{world.bucket}/cat.png"
    for code, status in (("SlowDown", 503), ("ExpiredToken", 400), ("AuthorizationHeaderMalformed", 400)):
        conditions.failure = partial(refused, code, status)
        with pytest.raises(TransientError, match=f"could not read {link}: {code}"):
            await fetch(fetcher, {"image": link})


async def test_s3_that_does_not_answer_in_time_is_not_the_callers_fault(world: World, conditions: Conditions) -> None:
    link = await put(world, "cat.png")
    conditions.latency = {"s3": 2.0}
    async with s3_fetcher(world, timeout=0.2) as fetcher:
        with pytest.raises(
            TransientError, match=f"could not fetch {link}: the links of the task did not arrive within 0.2 s"
        ):
            await fetch(fetcher, {"image": link})


async def test_s3_that_cannot_be_reached_is_not_the_callers_fault(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given an endpoint where nobody listens
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    monkeypatch.setattr("queue_agent.aws.clients.CALL_ATTEMPTS", 1)
    async with (
        open_clients("us-east-1") as clients,
        a_fetcher(clients.s3, buckets=frozenset("b")) as fetcher,
    ):
        # Then
        with pytest.raises(TransientError, match=r"could not read s3://b/cat.png: EndpointConnectionError"):
            await fetch(fetcher, {"image": "s3://b/cat.png"})
        with pytest.raises(TransientError, match="EndpointConnectionError"):
            await fetcher.read_object("b", "cat.png")


async def test_the_platforms_own_objects_are_read_by_the_agent_itself(world: World, fetcher: Fetcher) -> None:
    key = f"{REQUESTS_PREFIX}/0.json"
    await put(world, key, b"x" * 2_000_000)
    assert await fetcher.read_object(world.bucket, key) == b"x" * 2_000_000


async def test_a_missing_object_of_the_platforms_own_can_never_come_back(world: World, fetcher: Fetcher) -> None:
    with pytest.raises(PermanentError, match="S3 says NoSuchKey"):
        await fetcher.read_object(world.bucket, f"{REQUESTS_PREFIX}/0.json")


async def test_the_platforms_own_object_behind_an_outage_is_not_the_callers_fault(
    world: World, fetcher: Fetcher, conditions: Conditions
) -> None:
    conditions.failure = down("s3")
    with pytest.raises(TransientError):
        await fetcher.read_object(world.bucket, f"{REQUESTS_PREFIX}/0.json")
