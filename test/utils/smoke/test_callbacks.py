"""Receiving callbacks and downloading their files."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from botocore.exceptions import ClientError
from moto.server import ThreadedMotoServer

from contract.callback import Callback, Status
from queue_agent.aws.clients import Clients
from utils.local.cloud import Access
from utils.smoke.callbacks import download, listening


@pytest.fixture(scope="module")
def access() -> Iterator[Access]:
    server = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield Access(f"http://{host}:{port}")
    server.stop()


@pytest.fixture
async def clients(access: Access) -> AsyncIterator[Clients]:
    async with access.clients() as clients:
        yield clients


@pytest.fixture
async def topic(clients: Clients) -> str:
    return (await clients.sns.create_topic(Name="callbacks"))["TopicArn"]


def a_callback(*urls: str) -> Callback:
    return Callback(id="t", result=True, image_url=urls, runtime="sd", status=Status.COMPLETED)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


async def test_each_callback_is_received_once_and_other_messages_are_ignored(clients: Clients, topic: str) -> None:
    async with listening(clients, topic) as listener:
        # Given
        await clients.sns.publish(TopicArn=topic, Message="not a callback")
        await clients.sns.publish(TopicArn=topic, Message=a_callback().model_dump_json())
        # When
        received = [*await listener.receive(1), *await listener.receive(1)]
    # Then
    assert received == [a_callback()]


async def test_a_listener_leaves_nothing_behind(clients: Clients, topic: str) -> None:
    # Given
    async with listening(clients, topic) as listener:
        assert (await clients.sns.list_subscriptions_by_topic(TopicArn=topic))["Subscriptions"]
    # Then
    assert not (await clients.sns.list_subscriptions_by_topic(TopicArn=topic))["Subscriptions"]
    assert listener.queue_url not in (await clients.sqs.list_queues()).get("QueueUrls", [])


async def test_files_have_the_folders_of_the_bucket(clients: Clients, tmp_path: Path) -> None:
    # Given
    await clients.s3.create_bucket(Bucket="images")
    key = "a b/ü?#%20/t-1.png"
    await clients.s3.put_object(Bucket="images", Key=key, Body=b"image")
    # When
    files = await download(clients, a_callback(f"s3://images/{key}"), tmp_path)
    # Then
    assert files == [tmp_path / key]
    assert files[0].read_bytes() == b"image"


@pytest.mark.parametrize(
    "key",
    ["../t.png", "a/../../t.png", "", "/", "//{outside}/t.png", "/{outside}/t.png", "way-out/t.png", "a/..", "."],
)
async def test_a_forged_url_writes_nothing_outside_of_the_folder(key: str, clients: Clients, tmp_path: Path) -> None:
    # Given a folder with a link that leads out of it, and an object of the forged name
    folder, outside = tmp_path / "output", tmp_path / "outside"
    folder.mkdir()
    outside.mkdir()
    (folder / "way-out").symlink_to(outside)
    key = key.format(outside=str(outside).removeprefix("/"))
    await clients.s3.create_bucket(Bucket="forged")
    if key:
        await clients.s3.put_object(Bucket="forged", Key=key, Body=b"forged")
    # When, then
    with pytest.raises(ValueError, match="does not name an object that can be written below"):
        await download(clients, a_callback(f"s3://forged/{key}"), folder)
    assert names(outside) == []
    assert names(folder) == ["way-out"]


@pytest.mark.parametrize("url", ["s3://other/t.png", "s3://images-2/t.png", "http://images/t.png", "s3:/images/t.png"])
async def test_a_callback_that_names_another_bucket_is_refused(url: str, clients: Clients, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"does not name an object (of the bucket 'images'|that can be written below)"):
        await download(clients, a_callback(url), tmp_path, bucket="images")
    assert names(tmp_path) == []


async def test_an_object_that_is_not_there_is_an_error(clients: Clients, tmp_path: Path) -> None:
    await clients.s3.create_bucket(Bucket="empty")
    with pytest.raises(ClientError, match="NoSuchKey"):
        await download(clients, a_callback("s3://empty/t.png"), tmp_path)


async def test_what_cannot_be_written_leaves_no_part_of_a_file(clients: Clients, tmp_path: Path) -> None:
    # Given a folder in the file's place
    await clients.s3.create_bucket(Bucket="taken")
    await clients.s3.put_object(Bucket="taken", Key="t/1.png", Body=b"image")
    (tmp_path / "t" / "1.png").mkdir(parents=True)
    # When, then
    with pytest.raises(OSError, match="directory"):
        await download(clients, a_callback("s3://taken/t/1.png"), tmp_path)
    assert names(tmp_path / "t") == ["1.png"]
