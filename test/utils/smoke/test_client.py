"""Sending the guide's requests. What comes of them is tested over a running platform."""

from collections.abc import AsyncIterator
from http import HTTPStatus

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from contract.runtimes import TASK_TYPES, RuntimeType
from utils.smoke import client as trial
from utils.smoke.authorize import by_key
from utils.smoke.client import Target, requests_for, send


@pytest.fixture
def statuses() -> list[int]:
    """What the door answers, one after the other."""
    return []


@pytest.fixture
async def door(statuses: list[int]) -> AsyncIterator[str]:
    async def answer(request: web.Request) -> web.Response:
        return web.json_response({"key": request.headers["x-api-key"]}, status=statuses.pop(0))

    app = web.Application()
    app.router.add_post("/dev/v1alpha2", answer)
    async with TestServer(app) as server:
        yield str(server.make_url("/dev/"))


@pytest.mark.parametrize("kind", RuntimeType)
def test_a_runtime_gets_the_requests_that_it_serves(kind: RuntimeType) -> None:
    requests = requests_for(Target(runtime="mine", type=kind))
    assert requests
    for request in requests:
        metadata = request.body["task"]["metadata"]
        assert metadata["tasktype"] in TASK_TYPES[kind]
        assert (metadata["id"], metadata["runtime"]) == (request.task_id, "mine")


def test_the_version_that_routes_by_model_is_left_out_without_one() -> None:
    with_model = requests_for(Target(runtime="mine", type=RuntimeType.SDWEBUI, model="m.safetensors"))
    without = requests_for(Target(runtime="mine", type=RuntimeType.SDWEBUI))
    assert {request.name for request in with_model} - {request.name for request in without} == {
        "v1alpha1-image-to-image",
        "v1alpha1-text-to-image",
    }


@pytest.mark.parametrize(
    ("given", "last"), [([200], 200), ([401], 401), ([429, 429, 200], 200), ([429] * 5, 429)], ids=str
)
async def test_a_throttled_request_is_sent_again_for_a_while(
    given: list[int], last: int, statuses: list[int], door: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given
    monkeypatch.setattr(trial, "THROTTLE_PAUSES", (0.0,) * 4)
    statuses += given
    requests = requests_for(Target(runtime="mine", type=RuntimeType.COMFYUI))
    # When
    answers = [answer async for answer in send(door, by_key("k"), requests)]
    # Then
    assert [(answer.request, answer.status, answer.text) for answer in answers] == [(requests[0], last, '{"key": "k"}')]
    assert answers[0].accepted == (last == HTTPStatus.OK)
    assert not statuses


async def test_a_door_that_is_not_there_is_an_answer_too() -> None:
    requests = requests_for(Target(runtime="mine", type=RuntimeType.COMFYUI))
    (answer,) = [answer async for answer in send("http://127.0.0.1:9/dev", by_key("k"), requests)]
    assert not answer.accepted
    assert answer.text.startswith("http://127.0.0.1:9/dev/v1alpha2 cannot be reached: ")
