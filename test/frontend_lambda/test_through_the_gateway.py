"""The whole front door: HTTP, the local API Gateway, the handler, SNS, the runtime's queue."""

import asyncio
import io
import json
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import aiohttp
import pytest

from utils.local.gateway import Gateway
from utils.local.usage import ApiKey
from utils.smoke import samples

from .conftest import FrontDoor, runtime_of

KEY = "a-local-key"
LIMIT = 60.0


@dataclass(frozen=True)
class Api:
    endpoint: str
    client: aiohttp.ClientSession

    async def post(self, path: str, body: Any, **headers: str) -> tuple[int, Any]:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        keyed = {"x-api-key": KEY, "Content-Type": "application/json", **headers}
        async with self.client.post(self.endpoint + path, data=io.BytesIO(data), headers=keyed) as response:
            return response.status, await response.json()


@pytest.fixture
async def api(door: FrontDoor) -> AsyncIterator[Api]:
    settings = door.topology.api
    routes = [(route.method, route.path) for route in settings.routes]
    (plan,) = settings.plans
    keys = [ApiKey(value=KEY, rate=plan.rate_limit, burst=plan.burst_limit)]
    async with (
        Gateway(door.handler, stage=settings.stage, routes=routes, keys=keys) as gateway,
        aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=LIMIT)) as client,
    ):
        yield Api(gateway.endpoint, client)


def task(size: int = 0, task_id: str = "my-1") -> dict[str, Any]:
    request = samples.request("v1alpha2-text-to-image", task_id=task_id)
    request["task"]["content"]["padding"] = "x" * size
    return request


@pytest.mark.parametrize("name", samples.NAMES)
async def test_every_sample_of_the_guide_is_accepted(name: str, api: Api, door: FrontDoor) -> None:
    runtime = runtime_of(name)

    status, answer = await api.post(samples.version(name), samples.request(name, task_id="my-1", runtime=runtime))

    assert (status, answer["id_task"]) == (200, "my-1")
    assert list(door.received_anywhere()) == [runtime]


@pytest.mark.parametrize(
    ("path", "status"), [("v1alpha2/", 200), ("/v1alpha2", 200), ("/v1alpha2//", 200), ("v1alpha2/more", 404)]
)
async def test_additional_slashes_of_the_path_mean_nothing(path: str, status: int, api: Api) -> None:
    answered, _ = await api.post(path, task())

    assert answered == status


@pytest.mark.parametrize("size", [300 * 1024, 5 * 1024 * 1024])
async def test_large_tasks_arrive_whole(size: int, api: Api, door: FrontDoor) -> None:
    request = task(size)

    status, _ = await api.post("v1alpha2", request)

    assert status == 200
    [message] = door.received("sdruntime")
    assert door.content_of(message) == request["task"]["content"]


@pytest.mark.parametrize("size", [6 * 1024 * 1024, 11 * 1024 * 1024])
async def test_what_lambda_or_api_gateway_cannot_carry_is_too_large(size: int, api: Api, door: FrontDoor) -> None:
    status, answer = await api.post("v1alpha2", task(size))

    assert status == 413
    assert answer["message"]
    assert door.received_anywhere() == {}


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (b"", {}, 400),
        (b"nonsense", {}, 400),
        (b"\xff\xfe", {}, 400),
        (b'{"task": NaN}', {}, 400),
        (b"{}", {"x-api-key": "wrong"}, 401),
        (b"{}", {"Content-Type": "text/plain"}, 400),
    ],
)
async def test_bad_requests_are_answered_in_json(body: bytes, headers: dict[str, str], status: int, api: Api) -> None:
    answered, answer = await api.post("v1alpha2", body, **headers)

    assert answered == status
    assert set(answer) == {"message", "errors"}


async def test_tasks_sent_at_once_all_arrive(api: Api, door: FrontDoor) -> None:
    # Given more requests at once than the gateway calls handlers
    requests = [samples.request("v1alpha2-text-to-image", task_id=f"my-{number}") for number in range(20)]

    # When
    answers = await asyncio.gather(*(api.post("v1alpha2", request) for request in requests))

    # Then
    assert [status for status, _ in answers] == [200] * 20
    assert {message.body["task"]["metadata"]["id"] for message in door.received("sdruntime")} == {
        f"my-{number}" for number in range(20)
    }


@pytest.mark.slow
async def test_requests_that_wait_hold_up_nobody(api: Api) -> None:
    # Given more clients that wait for a task than a machine has cores, each for seconds
    status, accepted = await api.post("v1alpha2/tasks", task(task_id=str(uuid.uuid4())))
    assert status == 202
    keyed = {"x-api-key": KEY, "Prefer": "wait=5"}

    async def wait() -> int:
        async with api.client.get(f"{api.endpoint}v1alpha2/tasks/{accepted['id']}", headers=keyed) as answer:
            return answer.status

    waiting = [asyncio.create_task(wait()) for _ in range(20)]

    # When others come meanwhile
    for _ in range(3):
        assert (await api.post("v1alpha2", task()))[0] == 200
    waited = [one.done() for one in waiting]

    # Then they are served before
    assert not any(waited)
    assert await asyncio.gather(*waiting) == [200] * 20


async def test_a_task_is_followed_by_the_links_of_its_answers(api: Api) -> None:
    status, accepted = await api.post(
        "v1alpha2/tasks", {**task(task_id=str(uuid.uuid4())), "options": {"labels": {"a": "b"}}}
    )
    assert status == 202
    keyed = {"x-api-key": KEY}

    async with api.client.get(accepted["urls"]["self"] + "/", headers=keyed) as read:
        assert (await read.json())["id"] == accepted["id"]
    async with api.client.post(accepted["urls"]["cancel"], headers=keyed) as canceled:
        assert (canceled.status, (await canceled.json())["status"]) == (200, "canceled")
    async with api.client.delete(accepted["urls"]["self"], headers=keyed) as refused:
        assert (refused.status, refused.headers["Allow"]) == (405, "GET")
