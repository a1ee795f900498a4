"""What the front door of a running platform refuses, and what it carries whole."""

import asyncio
import base64
import io
import json
import random
import uuid

import pytest
from aiohttp import ClientSession
from PIL import Image, ImageChops

from test.support.platform import PATIENCE, Running
from utils.smoke import samples
from utils.smoke.client import callbacks_of

JSON = {"Content-Type": "application/json"}


@pytest.mark.parametrize("headers", [{}, {"x-api-key": ""}, {"x-api-key": "guess"}], ids=["none", "empty", "wrong"])
async def test_without_the_key_it_is_401(headers: dict[str, str], platform: Running) -> None:
    url = f"{platform.addresses.endpoint}v1alpha2"
    async with ClientSession(headers=headers) as session, session.post(url, json={}) as answer:
        assert answer.status == 401
        assert set(await answer.json()) == {"message", "errors"}


async def test_eleven_megabytes_are_413(http: ClientSession) -> None:
    body = io.BytesIO(b'{"task":"' + b"x" * (11 << 20) + b'"}')
    async with http.post("v1alpha2", data=body, headers=JSON) as answer:
        assert answer.status == 413
        assert "too large" in (await answer.json())["message"]


async def test_above_the_throttle_it_is_429_and_then_serves_again(http: ClientSession) -> None:
    async def ask() -> int:
        async with http.post("v1alpha2", json={}) as answer:
            return answer.status

    # When requests come faster than they are allowed to, which a busy machine does not manage each time
    statuses: set[int] = set()
    async with asyncio.timeout(PATIENCE):
        while 429 not in statuses:
            statuses |= set(await asyncio.gather(*(ask() for _ in range(90))))
    # Then
    assert statuses == {400, 429}
    async with asyncio.timeout(PATIENCE):
        while await ask() == 429:  # noqa: ASYNC110 - the bucket fills in another process
            await asyncio.sleep(0.1)


@pytest.mark.parametrize("side", [280, 1120], ids=["300 KiB", "5 MiB"])
async def test_a_large_task_arrives_whole_at_the_runtime(side: int, platform: Running, http: ClientSession) -> None:
    # Given an image that does not compress, and a runtime that gives it back as it came
    noise = Image.frombytes("RGB", (side, side), random.Random(side).randbytes(side * side * 3))
    file = io.BytesIO()
    noise.save(file, "PNG")
    task_id = f"task-{uuid.uuid4()}"
    body = samples.request("v1alpha2-extra-single-image", task_id=task_id)
    body["task"]["content"] |= {
        "image": base64.b64encode(file.getvalue()).decode(),
        "upscaler_1": "Nearest",
        "upscaling_resize": 1,
    }
    # When
    async with platform.access.clients() as clients, platform.listening() as listener:
        async with http.post("v1alpha2", data=io.BytesIO(json.dumps(body).encode()), headers=JSON) as answer:
            assert answer.status == 200, await answer.text()
        (callback,) = [callback async for callback in callbacks_of([task_id], listener, PATIENCE)]
        # Then
        assert callback.result, callback.error
        bucket, _, key = callback.image_url[0].removeprefix("s3://").partition("/")
        async with (await clients.s3.get_object(Bucket=bucket, Key=key))["Body"] as stored:
            with Image.open(io.BytesIO(await stored.read())) as image:
                assert ImageChops.difference(image.convert("RGB"), noise).getbbox() is None
