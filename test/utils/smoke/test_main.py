"""What is done with the files of a trial. The whole of it is tested over a running platform."""

import uuid
from collections.abc import AsyncIterator

import pytest
from moto.server import ThreadedMotoServer

from contract.callback import Callback, Status
from queue_agent.aws.clients import Clients
from utils.local.cloud import Access
from utils.smoke.__main__ import End, _fetch

PNG = b"\x89PNG\r\n\x1a\n" + b"a picture"


@pytest.fixture
async def clients() -> AsyncIterator[Clients]:
    server = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    async with Access(f"http://{host}:{port}").clients() as clients:
        yield clients
    server.stop()


@pytest.mark.parametrize(
    ("objects", "said"),
    [
        ({"t-1.png": PNG, "t.out": b"{}"}, ""),
        ({"t-1.png": b"", "t.out": b"{}"}, "t-1.png is neither an image nor a video"),
        ({"t.out": b"{}"}, "no image was made"),
        ({"t-1.png": PNG, "t.out": None}, "cannot be fetched"),
    ],
)
async def test_only_images_that_can_be_fetched_count(
    objects: dict[str, bytes | None], said: str, clients: Clients, capsys: pytest.CaptureFixture[str]
) -> None:
    # Given
    bucket = f"pictures-{uuid.uuid4()}"
    await clients.s3.create_bucket(Bucket=bucket)
    for key, body in objects.items():
        if body is not None:
            await clients.s3.put_object(Bucket=bucket, Key=key, Body=body)
    *images, out = (f"s3://{bucket}/{key}" for key in objects)
    callback = Callback(
        id="t", result=True, image_url=tuple(images), output_url=out, runtime="sd", status=Status.COMPLETED
    )
    # When
    fetched = await _fetch(clients, [End("a-request", callback, 1.0)])
    # Then
    assert set(fetched) == (set() if said else {"a-request"})
    assert said in capsys.readouterr().err
