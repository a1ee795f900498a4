"""The task API on a running platform: from the submission to a result that opens without credentials."""

import asyncio
import json
import time
import urllib.request
import uuid
from datetime import datetime
from pathlib import Path
from typing import Any

from aiohttp import ClientSession

from test.support.platform import PATIENCE, Running
from utils.smoke import samples

LIMIT = PATIENCE
EQUAL = 40


def request(task_id: str, **content: Any) -> dict[str, Any]:
    body = samples.request("v1alpha2-text-to-image", task_id=task_id)
    body["task"]["content"] |= {"steps": 4, "width": 64, "height": 64, **content}
    return body


async def ended(http: ClientSession, task_id: str) -> dict[str, Any]:
    """The Task when it has ended."""
    async with asyncio.timeout(LIMIT):
        while True:
            async with http.get(f"v1alpha2/tasks/{task_id}", headers={"Prefer": "wait=20"}) as answer:
                task: dict[str, Any] = await answer.json()
                assert answer.status == 200, task
            if task["ended"]:
                return task


def opened(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=30) as answer:
        data: bytes = answer.read()
        return data


async def test_a_task_is_submitted_waited_for_and_its_result_fetched(platform: Running, http: ClientSession) -> None:
    # Given
    task_id = f"task-{uuid.uuid4()}"
    body = request(task_id) | {"options": {"labels": {"test": task_id}}}

    # When
    async with http.post("v1alpha2/tasks", json=body) as answer:
        assert answer.status == 202, await answer.text()
    task = await ended(http, task_id)

    # Then
    assert task["status"] == "completed", task["error"]
    assert (task["attempt"], task["labels"]) == (1, {"test": task_id})
    assert task["started"] <= task["ended"]
    [output] = task["outputs"]
    image = await asyncio.to_thread(opened, output["url"])
    assert (len(image), image[:4]) == (output["bytes"], b"\x89PNG")
    async with http.get(f"v1alpha2/tasks/{task_id}/outputs/1", allow_redirects=False) as redirect:
        assert await asyncio.to_thread(opened, redirect.headers["Location"]) == image
    async with http.get("v1alpha2/tasks", params={"label": f"test:{task_id}"}) as listed:
        assert [one["id"] for one in (await listed.json())["tasks"]] == [task_id]
    async with http.post("v1alpha2/tasks", json=body) as repeated:
        assert (repeated.status, (await repeated.json())["status"]) == (200, "completed")


async def test_equal_requests_at_once_are_one_run(platform: Running, http: ClientSession) -> None:
    # Given
    task_id = f"task-{uuid.uuid4()}"
    body = request(task_id)

    async def post() -> int:
        while True:
            async with http.post("v1alpha2/tasks", json=body) as answer:
                if answer.status != 429:
                    return answer.status
            await asyncio.sleep(0.2)

    # When
    statuses = await asyncio.gather(*(post() for _ in range(EQUAL)))
    task = await ended(http, task_id)

    # Then, when no message is left that another run could come of
    assert sorted(statuses) == [200] * (EQUAL - 1) + [202]
    assert (task["status"], task["attempt"]) == ("completed", 1)
    names: list[Any] = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    queue = platform.addresses.queues[task["runtime"]]
    async with platform.access.clients() as clients, asyncio.timeout(LIMIT):
        while True:
            counts = (await clients.sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=names))["Attributes"]
            if not any(map(int, counts.values())):
                break
            await asyncio.sleep(0.2)
        folder = f"{body['task']['metadata']['prefix']}/{task_id}/"
        stored = await clients.s3.list_objects_v2(Bucket=platform.addresses.bucket, Prefix=folder)
    assert [one["Key"] for one in stored["Contents"] if one["Key"].endswith(".png")] == [
        output["s3"].partition(f"{platform.addresses.bucket}/")[2] for output in task["outputs"]
    ]


async def test_an_uploaded_file_is_what_a_task_starts_from(platform: Running, http: ClientSession) -> None:
    # Given
    file = Path(__file__).parents[2] / "docs" / "images" / "text-to-image.jpg"
    data = file.read_bytes()
    async with http.post(
        "v1alpha2/files", json={"bytes": len(data), "name": file.name, "type": "image/jpeg"}
    ) as answer:
        assert answer.status == 201
        upload = await answer.json()
    put = urllib.request.Request(upload["url"], data, upload["headers"], method=upload["method"])
    await asyncio.to_thread(lambda: urllib.request.urlopen(put, timeout=30).close())

    # When
    task_id = f"task-{uuid.uuid4()}"
    body = samples.request("v1alpha2-extra-single-image", task_id=task_id)
    body["task"]["content"] |= {"image": upload["s3"], "upscaling_resize": 1}
    async with http.post("v1alpha2/tasks", data=json.dumps(body), headers={"Prefer": "wait=20"}) as answer:
        assert answer.status in {200, 202}
    task = await ended(http, task_id)

    # Then
    assert task["status"] == "completed", task["error"]


async def test_a_task_that_waits_is_canceled(platform: Running, http: ClientSession) -> None:
    # Given a task that runs, and one behind it
    first, second = (f"task-{uuid.uuid4()}" for _ in range(2))
    for task_id in (first, second):
        async with http.post("v1alpha2/tasks", json=request(task_id, steps=100)) as answer:
            assert answer.status == 202

    # When
    async with http.post(f"v1alpha2/tasks/{second}/cancel") as answer:
        assert answer.status in {200, 202}

    # Then
    canceled, completed = await ended(http, second), await ended(http, first)
    assert (canceled["status"], canceled["outputs"]) == ("canceled", [])
    assert completed["status"] == "completed"


async def test_the_runtimes_are_named_with_their_pods(platform: Running, http: ClientSession) -> None:
    async with asyncio.timeout(LIMIT):
        while True:
            async with http.get("v1alpha2/runtimes") as answer:
                runtimes = {one["name"]: one for one in (await answer.json())["runtimes"]}
            if runtimes["sdruntime"]["pods"]["ready"] and runtimes["sdruntime"]["mean_seconds"]:
                break
            await asyncio.sleep(0.5)

    assert runtimes["sdruntime"]["tasks"]["waiting"] >= 0


async def test_changes_are_seen_within_a_second(platform: Running, http: ClientSession) -> None:
    """By a client that waits for the next revision."""
    task_id = f"task-{uuid.uuid4()}"
    async with http.post("v1alpha2/tasks", json=request(task_id, steps=50)) as answer:
        task, tag = await answer.json(), answer.headers["ETag"]
    late = []
    async with asyncio.timeout(LIMIT):
        while not task["ended"]:
            headers = {"Prefer": "wait=20", "If-None-Match": tag}
            async with http.get(f"v1alpha2/tasks/{task_id}", headers=headers) as answer:
                if answer.status == 304:
                    continue
                task, tag = await answer.json(), answer.headers["ETag"]
                changed = task["ended"] or (task["progress"] or {}).get("updated") or task["started"]
                late.append(time.time() - _epoch(changed))

    assert task["status"] == "completed", task["error"]
    assert sorted(late)[len(late) // 2] < 1.5


def _epoch(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()
