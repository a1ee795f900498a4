"""The image kit's task types on the platform of one machine, with the real models, from the front door to the files."""

import asyncio
import base64
import io
import json
import os
import re
import subprocess
import sys
import uuid
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
import yaml
from aiohttp import ClientSession
from PIL import Image, ImageFont

from contract.callback import Callback
from sd_on_eks import AsyncClient, human_segmentation, ocr, super_resolution
from test.support.drawings import encoded, likeness, overlap, page, person, photograph, psnr
from test.support.image_kit import fetched_font, fetched_weights
from test.support.platform import PATIENCE, Running, running
from utils.local.services import ROOT
from utils.smoke.client import callbacks_of

CONFIG = {
    "modelBucketArn": "arn:aws:s3:::models",
    "modelsRuntime": [{"name": "kit", "namespace": "default", "type": "imagekit"}],
    "sync": {"imageKit": {"runtime": "kit"}},
}

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    fetched_weights()
    folder = tmp_path_factory.mktemp("kit")
    config = folder / "config.yaml"
    config.write_text(yaml.safe_dump(CONFIG))
    with running(folder / "output", "--config", str(config)) as started:
        yield started


@pytest.fixture
async def http(platform: Running) -> AsyncIterator[ClientSession]:
    async with ClientSession(platform.addresses.endpoint, headers={"x-api-key": platform.addresses.api_key}) as session:
        yield session


async def _ended(
    platform: Running, http: ClientSession, tasktype: str, image: Image.Image, **options: Any
) -> tuple[Callback, bytes]:
    """The callback of a task with the image as an ``s3://`` link, and its one output."""
    task_id, bucket = f"kit-{uuid.uuid4().hex[:8]}", platform.addresses.bucket
    async with platform.access.clients() as clients, platform.listening() as listener:
        key = f"output/{task_id}.png"
        await clients.s3.put_object(Bucket=bucket, Key=key, Body=encoded(image))
        metadata = {"id": task_id, "runtime": "kit", "tasktype": tasktype, "prefix": "output"}
        content = {"url": f"s3://{bucket}/{key}", "img": "it is the link that counts", **options}
        async with http.post("v1alpha2", json={"task": {"metadata": metadata, "content": content}}) as answer:
            assert answer.status == 200, await answer.text()
        (callback,) = [one async for one in callbacks_of({task_id: 0.0}, listener, PATIENCE)]
        assert callback.result, callback.error
        (output,) = callback.image_url
        stored = await clients.s3.get_object(Bucket=bucket, Key=output.removeprefix(f"s3://{bucket}/"))
        return callback, await stored["Body"].read()


@pytest.mark.parametrize("scale", [2, 4])
async def test_a_photograph_is_enlarged_better_than_by_lanczos(
    platform: Running, http: ClientSession, scale: int
) -> None:
    # Given
    original = photograph(640, 480)
    small = original.resize((640 // scale, 480 // scale), Image.Resampling.BICUBIC)

    # When
    _, output = await _ended(platform, http, "super-resolution", small, scale=scale)

    # Then
    lanczos = small.resize(original.size, Image.Resampling.LANCZOS)
    assert psnr(Image.open(io.BytesIO(output)), original) >= psnr(lanczos, original) + 1.0


async def test_a_person_is_cut_out(platform: Running, http: ClientSession) -> None:
    # Given
    image, drawn = person(480, 480)

    # When
    callback, output = await _ended(platform, http, "human-segmentation", image, type="foreground")

    # Then
    assert overlap(Image.open(io.BytesIO(output)).getchannel("A"), drawn) >= 0.95
    assert callback.image_url[0].endswith("-1.png")


async def test_a_page_is_read(platform: Running, http: ClientSession) -> None:
    # Given
    lines = ["北京上海 2026年11月21日", "Super-resolution, OCR & alpha 100%", "中国人民大学 Tel: 010-6251-1234"]
    image, boxes = page(lines, ImageFont.truetype(str(fetched_font()), 28))

    # When
    callback, output = await _ended(platform, http, "ocr", image)

    # Then
    read = json.loads(output)
    assert likeness(lines, [line["words"] for line in read]) >= 0.98
    for line, drawn in zip(read, boxes, strict=True):
        at = line["location"]
        found = (at["left"], at["top"], at["left"] + at["width"], at["top"] + at["height"])
        assert max(abs(one - other) for one, other in zip(found, drawn, strict=True)) <= 5
    assert callback.image_url[0].endswith("-1.json")


async def test_a_linked_file_that_is_no_image_fails_with_what_is_allowed(
    platform: Running, http: ClientSession
) -> None:
    # Given
    task_id = f"kit-{uuid.uuid4().hex[:8]}"
    metadata = {"id": task_id, "runtime": "kit", "tasktype": "ocr", "prefix": "output"}

    # When
    async with platform.listening() as listener:
        body = {"task": {"metadata": metadata, "content": {"img": "bm8gaW1hZ2U="}}}
        async with http.post("v1alpha2", json=body) as answer:
            assert answer.status == 200
        (callback,) = [one async for one in callbacks_of({task_id: 0.0}, listener, PATIENCE)]

    # Then
    assert callback.error is not None
    assert callback.error.message == "content.img: must be an image of one of the formats JPEG, PNG, BMP"


@pytest.mark.parametrize("route", ["resolution", "super-resolution"])
async def test_a_synchronous_request_is_answered_with_the_image(http: ClientSession, route: str) -> None:
    # Given
    original = photograph(320, 240)
    small = original.resize((160, 120), Image.Resampling.BICUBIC)
    body = {"img": base64.b64encode(encoded(small)).decode()}

    # When
    async with http.post(route, json=body) as answer:
        status, answered = answer.status, await answer.json()

    # Then
    assert (status, list(answered)) == (200, ["result"])
    enlarged = Image.open(io.BytesIO(base64.b64decode(answered["result"], validate=True)))
    lanczos = small.resize(original.size, Image.Resampling.LANCZOS)
    assert psnr(enlarged, original) >= psnr(lanczos, original) + 1.0


@pytest.mark.parametrize("route", ["seg", "human-segmentation"])
async def test_a_synchronous_request_is_answered_with_the_mask(http: ClientSession, route: str) -> None:
    image, drawn = person(320, 320)

    async with http.post(route, json={"img": base64.b64encode(encoded(image, "JPEG")).decode()}) as answer:
        answered = await answer.json()

    assert overlap(Image.open(io.BytesIO(base64.b64decode(answered["result"]))), drawn) >= 0.95


@pytest.mark.parametrize("route", ["ocr", "lite-ocr"])
async def test_a_synchronous_request_is_answered_with_the_text(http: ClientSession, route: str) -> None:
    image, _ = page(["image kit 2026"], ImageFont.truetype(str(fetched_font()), 28), 400)

    async with http.post(route, json={"img": base64.b64encode(encoded(image)).decode()}) as answer:
        (line,) = await answer.json()

    assert likeness(["image kit 2026"], [line["words"]]) == 1
    assert (sorted(line), sorted(line["location"])) == (
        ["location", "score", "words"],
        ["height", "left", "top", "width"],
    )


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({}, "invalid param"),
        ({"img": "bm8gaW1hZ2U="}, "invalid param"),
        ({"url": "http://169.254.169.254/latest/meta-data"}, "parameter `url` illegal"),
    ],
)
async def test_a_wrong_synchronous_request_is_400_as_the_services_say_it(
    http: ClientSession, body: dict[str, str], message: str
) -> None:
    async with http.post("ocr", json=body) as answer:
        answered = await answer.json()

    assert (answer.status, answered["message"]) == (400, message)
    assert answered["errors"]


GUIDE = (ROOT / "docs" / "en" / "how-to" / "image-kit.md").read_text()
BLOCKS = re.findall(r"```(bash|python)\n(.*?)```", GUIDE, re.DOTALL)
SAMPLES = [(language, text) for language, text in BLOCKS if "resolution" in text]


@pytest.mark.parametrize(("language", "sample"), SAMPLES, ids=[language for language, _ in SAMPLES])
async def test_the_samples_of_the_guide_are_answered_with_an_image(
    platform: Running, language: str, sample: str
) -> None:
    # Given the guide's image, where the task may read it
    key, bucket = "sync/cat.png", platform.addresses.bucket
    async with platform.access.clients() as clients:
        await clients.s3.put_object(Bucket=bucket, Key=key, Body=encoded(photograph(40, 30)))
    text = sample.replace("https://example.com/cat.png", f"s3://{bucket}/{key}")
    command = ["bash", "-c", text] if language == "bash" else [sys.executable, "-c", text]
    variables = {"ENDPOINT": platform.addresses.endpoint, "API_KEY": platform.addresses.api_key}

    # When
    ran = await asyncio.to_thread(
        subprocess.run,
        command,
        env={"PATH": os.environ["PATH"], **variables},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=True,
    )

    # Then
    image = Image.open(io.BytesIO(base64.b64decode(json.loads(ran.stdout)["result"], validate=True)))
    assert image.size == ((80, 60) if language == "bash" else (160, 120))


def test_there_are_samples() -> None:
    assert [language for language, _ in SAMPLES] == ["bash", "python"]


async def test_the_client_has_a_job_for_each_task_type(platform: Running) -> None:
    # Given images that are files of the caller
    image, mask = person(160, 200)
    text, _ = page(["image kit 2026"], ImageFont.truetype(str(fetched_font()), 28), 400)

    # When
    async with AsyncClient(platform.addresses.endpoint, platform.addresses.api_key) as client:
        jobs = [super_resolution(encoded(image), scale=2), human_segmentation(encoded(image)), ocr(encoded(text))]
        outputs = [(await client.run(job, timeout=PATIENCE))[0] for job in jobs]
        large, found, read = [await output.bytes() for output in outputs]

    # Then
    assert Image.open(io.BytesIO(large)).size == (320, 400)
    assert overlap(Image.open(io.BytesIO(found)), mask) > 0.9
    assert likeness(["image kit 2026"], [line["words"] for line in json.loads(read)]) > 0.9
