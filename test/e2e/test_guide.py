"""Every request of the guide, from the front door to the images and the callback."""

import io
import json
import re
import uuid
from typing import Any

import pytest
from aiohttp import ClientSession
from PIL import Image

from contract.callback import Callback
from contract.object_keys import CODE_LENGTH
from contract.runtimes import TASK_TYPES, RuntimeType
from queue_agent.aws.clients import Clients
from test.support.platform import MODEL, PATIENCE, Running, until
from utils.smoke import samples
from utils.smoke.callbacks import Listener
from utils.smoke.client import callbacks_of

RUNTIMES = {"pipeline": "flow", "graph": "graph"}
"""By task type; every other is sdwebui's."""

KIT = frozenset(tasktype.value for tasktype in TASK_TYPES[RuntimeType.IMAGEKIT])
"""Its requests are tested with real images in test_image_kit.py."""

START_SIDE = 64

SIDES = {"v1alpha2-extra-single-image": 4 * START_SIDE, "v1alpha2-graph": 2 * START_SIDE}
"""Of the image that comes, where it is not the 512 that the request asks for."""


@pytest.mark.parametrize("name", [name for name in samples.NAMES if name.partition("-")[2] not in KIT])
async def test_a_request_of_the_guide_gives_its_answer_images_and_callback(
    name: str, platform: Running, http: ClientSession
) -> None:
    version, _, tasktype = name.partition("-")
    task_id, runtime = _new_id(), RUNTIMES.get(tasktype, "sdruntime")
    bucket = platform.addresses.bucket
    async with platform.access.clients() as clients, platform.listening() as listener:
        # Given
        link = await _put_start(clients, bucket)
        body = samples.request(name, task_id=task_id, runtime=runtime, model=MODEL, link=link)
        prefix, context = _shaped(body)
        # When
        async with http.post(version, json=body) as answer:
            status, answered = answer.status, await answer.json()
        callback = await _callback(listener, task_id)
        # Then
        assert status == 200
        routed = {"runtime": runtime} if version == "v1alpha2" else {"sd_model_checkpoint": MODEL}
        folder = f"s3://{bucket}/{prefix}/{task_id}"
        assert answered == {"id_task": task_id, **routed, "output_location": folder}

        (image,) = callback.image_url
        stem = re.fullmatch(rf"({re.escape(f'{folder}/{task_id}')}-[a-z0-9]{{{CODE_LENGTH}}})-1\.png", image)
        assert stem
        assert json.loads(callback.model_dump_json()) == {
            "id": task_id,
            "result": True,
            "image_url": [image],
            "output_url": f"{stem[1]}.out",
            "context": context,
            "runtime": runtime,
            "status": "completed",
            "error": None,
        }
        stored = await _read(clients, image)
        side = SIDES.get(name, 512)
        assert _size_of_png(stored) == (side, side)
        assert image in (await _read(clients, stem[1] + ".out")).decode()
        on_disk = platform.output / image.removeprefix(f"s3://{bucket}/")
        until(lambda: str(on_disk) in platform.printed)
        assert on_disk.read_bytes() == stored


async def test_each_runtime_runs_the_tasks_of_its_own_queue_only(platform: Running, http: ClientSession) -> None:
    # Given
    requests = {
        _new_id(): ("v1alpha2-text-to-image", "sdruntime"),
        _new_id(): ("v1alpha2-pipeline", "flow"),
        _new_id(): ("v1alpha2-graph", "graph"),
    }
    # When
    async with platform.access.clients() as clients, platform.listening() as listener:
        link = await _put_start(clients, platform.addresses.bucket)
        for task_id, (name, runtime) in requests.items():
            body = samples.request(name, task_id=task_id, runtime=runtime, link=link)
            async with http.post("v1alpha2", json=body) as answer:
                assert answer.status == 200
        callbacks = [callback async for callback in callbacks_of(requests, listener, PATIENCE)]
    # Then
    assert {(callback.id, callback.runtime, callback.result) for callback in callbacks} == {
        (task_id, runtime, True) for task_id, (_, runtime) in requests.items()
    }
    for task_id, (_, runtime) in requests.items():
        seen = {name for name in ("sdruntime", "flow", "graph") if task_id in platform.log(f"agent-{name}-1")}
        assert seen == {runtime}


async def test_subscribers_filter_by_the_attributes_of_callbacks(platform: Running, http: ClientSession) -> None:
    # Given
    mine, other = _new_id(), _new_id()
    async with platform.access.clients() as clients, platform.listening() as listener:
        queue = (await clients.sqs.create_queue(QueueName=mine))["QueueUrl"]
        response = await clients.sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])
        policy = {"id": [mine], "runtime": ["sdruntime"], "status": ["completed"]}
        await clients.sns.subscribe(
            TopicArn=platform.addresses.topic_arn,
            Protocol="sqs",
            Endpoint=response["Attributes"]["QueueArn"],
            Attributes={"FilterPolicy": json.dumps(policy), "RawMessageDelivery": "true"},
        )
        # When
        for task_id in (other, mine):
            body = samples.request("v1alpha2-text-to-image", task_id=task_id, runtime="sdruntime")
            async with http.post("v1alpha2", json=body) as answer:
                assert answer.status == 200
        assert len([callback async for callback in callbacks_of((other, mine), listener, PATIENCE)]) == 2
        heard = await clients.sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10, WaitTimeSeconds=10)
    # Then
    assert [json.loads(message["Body"])["id"] for message in heard["Messages"]] == [mine]


def _new_id() -> str:
    return f"task-{uuid.uuid4()}"


async def _put_start(clients: Clients, bucket: str) -> str:
    file = io.BytesIO()
    Image.new("RGB", (START_SIDE, START_SIDE), "teal").save(file, "PNG")
    await clients.s3.put_object(Bucket=bucket, Key="output/start/picture.png", Body=file.getvalue())
    return f"s3://{bucket}/output/start/picture.png"


def _shaped(body: dict[str, Any]) -> tuple[str, Any]:
    """Give the request a context where it can hold one. Returns its prefix and its context."""
    if "task" not in body:
        return body["alwayson_scripts"].get("save_dir", "output"), None
    body["task"]["metadata"]["context"] = {"abc": [1, None, "ü"]}
    return body["task"]["metadata"]["prefix"], body["task"]["metadata"]["context"]


async def _callback(listener: Listener, task_id: str) -> Callback:
    async for callback in callbacks_of([task_id], listener, PATIENCE):
        return callback
    raise AssertionError(f"no callback of {task_id}")


async def _read(clients: Clients, place: str) -> bytes:
    bucket, _, key = place.removeprefix("s3://").partition("/")
    answer = await clients.s3.get_object(Bucket=bucket, Key=key)
    async with answer["Body"] as body:
        return await body.read()


def _size_of_png(data: bytes) -> tuple[int, int]:
    with Image.open(io.BytesIO(data)) as image:
        image.load()
        assert image.format == "PNG"
        return image.size
