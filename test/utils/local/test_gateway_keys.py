"""API keys at the local API Gateway, with their throttles and quotas."""

import json
import threading

import pytest

from test.support.gateway import KEY, Start, answering_what_it_was_called_with
from utils.local.usage import ApiKey


async def test_a_resource_that_needs_no_key_is_for_anybody_and_no_other_is(start: Start) -> None:
    # Given
    routes = [("GET", "/console"), ("POST", "/v1alpha2")]
    api = await start(answering_what_it_was_called_with, routes=routes, keyless=["/console"], rate=1e-6, burst=1)

    # When
    answers = [await api.send("console", None, method="GET", key=key) for key in (None, "wrong", KEY)]

    # Then
    assert [answer.status for answer in answers] == [200] * 3
    identity = json.loads(answers[0].text)["event"]["requestContext"]["identity"]
    assert (identity["apiKey"], identity["apiKeyId"]) == (None, None)
    assert (await api.send(key=None)).status == 401


@pytest.mark.parametrize("key", [None, "", "wrong", KEY.upper(), f"{KEY} {KEY}", "ключ"])
async def test_without_the_right_key_nothing_is_called(key: str | None, start: Start) -> None:
    # Given
    called = threading.Event()
    api = await start(lambda event, context: called.set())

    # When
    answer = await api.send(key=key)

    # Then
    assert answer.status == 401
    assert "x-api-key" in answer.message
    assert not called.is_set()


async def test_above_the_burst_requests_are_throttled(start: Start) -> None:
    # Given a burst of three, and a rate that brings no fourth within the test
    api = await start(answering_what_it_was_called_with, rate=0.0001, burst=3)

    # When
    statuses = sorted([(await api.send()).status for _ in range(5)])

    # Then
    assert statuses == [200, 200, 200, 429, 429]
    assert (await api.send()).message


async def test_requests_with_a_wrong_key_use_nothing_of_the_throttle(start: Start) -> None:
    api = await start(answering_what_it_was_called_with, rate=0.0001, burst=1)

    for _ in range(5):
        assert (await api.send(key="wrong")).status == 401

    assert (await api.send()).status == 200


async def test_each_key_has_a_throttle_and_a_quota_of_its_own(start: Start) -> None:
    # Given
    keys = [
        ApiKey(id="k1", value="one", rate=0.001, burst=2),
        ApiKey(id="k2", value="two", rate=1e6, burst=1000, daily_quota=3),
        ApiKey(id="k3", value="three", rate=1e6, burst=1000),
    ]
    api = await start(answering_what_it_was_called_with, keys=keys)

    # When each sends five requests
    answers = {key.id: [await api.send(key=key.value) for _ in range(5)] for key in keys}

    # Then only those that are over their own limit are refused, each with its reason
    assert {name: [one.status for one in several] for name, several in answers.items()} == {
        "k1": [200, 200, 429, 429, 429],
        "k2": [200, 200, 200, 429, 429],
        "k3": [200] * 5,
    }
    assert "more slowly" in answers["k1"][-1].message
    assert answers["k2"][-1].message.startswith("Limit Exceeded")


async def test_the_event_names_the_key_that_was_sent(start: Start) -> None:
    keys = [ApiKey(id=f"k{number}", value=f"value-{number}", rate=1e6, burst=1000) for number in range(3)]
    api = await start(answering_what_it_was_called_with, keys=keys)

    for key in keys:
        identity = json.loads((await api.send(key=key.value)).text)["event"]["requestContext"]["identity"]
        assert (identity["apiKeyId"], identity["apiKey"]) == (key.id, key.value)
    assert (await api.send(key="value-")).status == 401
