"""One request is one task, whatever becomes of the calls that carry it."""

import json
import uuid
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from contract.object_keys import REQUESTS_PREFIX
from contract.wire import REPEAT, REPEAT_ATTRIBUTE
from frontend_lambda.handler import make_handler
from frontend_lambda.sender import Timings

from .conftest import FrontDoor
from .unreliable import CUT, LOSE, Late, Step, Turn, Unreliable, unreliable

TIMINGS = Timings(connect=5, read=20, patient_read=20, total=90, pauses=(0.01, 0.01, 0.01))
IMPATIENT = replace(TIMINGS, read=1)

THROTTLED = Turn(400, "Throttling")
UNAVAILABLE = Turn(503, "ServiceUnavailable")


@pytest.fixture(scope="module")
def proxy(aws_endpoint: str) -> Iterator[Unreliable]:
    with unreliable(aws_endpoint, "sns", "s3") as made:
        yield made


@pytest.fixture
def shaky(door: FrontDoor, proxy: Unreliable) -> FrontDoor:
    """The front door behind the proxy."""
    proxy.plan.clear()
    proxy.calls = 0
    settings = replace(door.settings, endpoint_url=proxy.endpoint)
    return replace(door, handler=make_handler(settings, door.session, TIMINGS))


@pytest.fixture
def impatient(shaky: FrontDoor, proxy: Unreliable) -> FrontDoor:
    """As above; its first try waits for a second."""
    settings = replace(shaky.settings, endpoint_url=proxy.endpoint)
    return replace(shaky, handler=make_handler(settings, shaky.session, IMPATIENT))


def body(size: int = 0) -> dict[str, Any]:
    metadata = {"id": "my-1", "runtime": "sdruntime", "tasktype": "text-to-image", "prefix": "output"}
    return {"task": {"metadata": metadata, "content": {"prompt": "A dog", "padding": "x" * size}}}


@pytest.mark.parametrize("steps", [[THROTTLED], [UNAVAILABLE], [Turn(429, "TooManyRequests")], [UNAVAILABLE] * 3])
def test_a_call_that_was_turned_away_is_made_again_as_it_was(
    steps: list[Step], shaky: FrontDoor, proxy: Unreliable
) -> None:
    # Given
    proxy.plan[:] = steps

    # When
    answer = shaky.post("v1alpha2", body())

    # Then
    assert answer.status == 200
    [message] = shaky.received("sdruntime")
    assert message.attributes == {"runtime": "sdruntime"}
    assert proxy.calls == len(steps) + 1


@pytest.mark.parametrize("step", [LOSE, CUT, Turn(500, "InternalError"), Turn(504, "GatewayTimeout")])
def test_a_call_of_which_nobody_knows_is_made_again_as_a_repeat_of_the_same_request(
    step: Step, shaky: FrontDoor, proxy: Unreliable
) -> None:
    # Given
    proxy.plan[:] = [step]

    # When
    answer = shaky.post("v1alpha2", body())

    # Then
    assert answer.status == 200
    messages = shaky.received("sdruntime")
    repeats = [message for message in messages if message.attributes.get(REPEAT_ATTRIBUTE) == REPEAT]
    originals = [message for message in messages if REPEAT_ATTRIBUTE not in message.attributes]
    assert len(repeats) == 1
    assert len(originals) == (0 if isinstance(step, Turn) else 1)
    assert len({message.request_id for message in messages}) == 1
    assert {message.body["task"]["content"]["prompt"] for message in messages} == {"A dog"}


def test_once_a_call_is_a_repeat_the_next_ones_are(shaky: FrontDoor, proxy: Unreliable) -> None:
    proxy.plan[:] = [LOSE, UNAVAILABLE, THROTTLED]

    assert shaky.post("v1alpha2", body()).status == 200

    messages = shaky.received("sdruntime")
    assert sorted(message.attributes.get(REPEAT_ATTRIBUTE, "") for message in messages) == ["", REPEAT]


@pytest.mark.parametrize("steps", [[Late(2)], [Late(2)] * 4])
def test_an_sns_that_is_slow_is_waited_for(steps: list[Step], impatient: FrontDoor, proxy: Unreliable) -> None:
    # Given answers that come later than the first try waits
    proxy.plan[:] = steps

    # When / Then the second try waits for longer
    assert impatient.post("v1alpha2", body()).status == 200
    assert proxy.calls == 2
    messages = impatient.received("sdruntime")
    assert sorted(message.attributes.get(REPEAT_ATTRIBUTE, "") for message in messages) == ["", REPEAT]
    assert len({message.request_id for message in messages}) == 1


@pytest.mark.parametrize("step", [LOSE, UNAVAILABLE])
def test_only_when_all_tries_fail_the_task_is_not_accepted(step: Step, shaky: FrontDoor, proxy: Unreliable) -> None:
    proxy.plan[:] = [step] * 9

    assert shaky.post("v1alpha2", body()).status == 503

    assert proxy.calls == len(TIMINGS.pauses) + 1
    assert len({message.request_id for message in shaky.received("sdruntime")}) <= 1


def test_a_refusal_is_not_tried_again(shaky: FrontDoor, proxy: Unreliable) -> None:
    proxy.plan[:] = [Turn(403, "AuthorizationError")]

    assert shaky.post("v1alpha2", body()).status == 503

    assert proxy.calls == 1


def test_no_try_begins_that_could_not_end_in_time(shaky: FrontDoor, proxy: Unreliable) -> None:
    # Given no time for a second try
    settings = replace(shaky.settings, endpoint_url=proxy.endpoint)
    hasty = replace(shaky, handler=make_handler(settings, shaky.session, replace(TIMINGS, total=25.001)))
    proxy.plan[:] = [UNAVAILABLE]

    # When / Then
    assert hasty.post("v1alpha2", body()).status == 503
    assert proxy.calls == 1


def test_a_large_content_has_one_object_however_often_it_is_stored(shaky: FrontDoor, proxy: Unreliable) -> None:
    # Given that the answers to storing and to publishing are both lost
    request_id = str(uuid.uuid4())
    proxy.plan[:] = [LOSE, "pass", LOSE]

    # When
    answer = shaky.post("v1alpha2", body(300 * 1024), requestContext={"requestId": request_id})

    # Then the object is named after the request
    assert answer.status == 200
    messages = shaky.received("sdruntime")
    key = f"{REQUESTS_PREFIX}/{request_id}.json"
    urls = {message.body["task"]["content_url"] for message in messages}
    assert urls == {f"s3://{shaky.settings.output_bucket}/{key}"}
    assert shaky.content_of(messages[0]) == body(300 * 1024)["task"]["content"]


def test_each_request_has_an_identity_of_its_own_even_if_the_gateway_gives_none(door: FrontDoor) -> None:
    # Given what API Gateway's console sends as the id of every test call
    event = door.event("v1alpha2", json.dumps(body()), requestContext={"requestId": "test-invoke-request"})

    # When
    for _ in range(2):
        assert door.handler(event, None)["statusCode"] == 200

    # Then
    ids = {message.request_id for message in door.received("sdruntime")}
    assert len({uuid.UUID(one) for one in ids}) == 2
