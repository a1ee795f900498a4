"""What holds for every request: paths, methods, sizes, and how Lambda calls the handler."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from contract.object_keys import REQUESTS_PREFIX
from frontend_lambda.handler import VERSIONS, _from_environment, handle
from infra.api_routes import API_PATHS
from test.frontend_lambda.bodies import padded_body

from .conftest import FrontDoor

ANY_PATH = "/{proxy+}"


def test_the_paths_are_those_that_the_stack_makes() -> None:
    assert tuple(VERSIONS) == API_PATHS


@pytest.mark.parametrize("path", ["/v1alpha3", "/", "", "/v1alpha2/more"])
def test_another_path_is_not_found(path: str, door: FrontDoor) -> None:
    answer = door.post("v1alpha2", padded_body(), resource=path)

    assert answer.status == 404
    assert "/v1alpha1 and /v1alpha2" in answer.body["message"]


@pytest.mark.parametrize(
    ("proxy", "status"),
    [("v1alpha2/", 200), ("/v1alpha2", 200), ("//v1alpha2//", 200), ("v1alpha2/more", 404), ("", 404), (None, 404)],
)
def test_additional_slashes_of_the_path_mean_nothing(proxy: Any, status: int, door: FrontDoor) -> None:
    # Given a path that API Gateway hands to the resource of all other paths
    parameters = {"proxy": proxy}

    # When / Then
    assert door.post("v1alpha2", padded_body(), resource=ANY_PATH, pathParameters=parameters).status == status


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "OPTIONS", "post"])
def test_another_method_is_not_allowed(method: str, door: FrontDoor) -> None:
    answer = door.handler(door.event("v1alpha2", json.dumps(padded_body()), httpMethod=method), None)

    assert answer["statusCode"] == 405
    assert answer["headers"]["Allow"] == "POST"


@pytest.mark.parametrize("event", [{}, {"resource": ["/v1alpha2"]}, {"resource": "/v1alpha2"}])
def test_an_event_that_is_none_of_api_gateways_is_a_failure_without_internals(
    event: dict[str, Any], door: FrontDoor
) -> None:
    answer = door.handler(event, None)

    assert answer["statusCode"] == 500
    assert json.loads(answer["body"]) == {"message": "the task was not accepted: the API failed", "errors": []}


@pytest.mark.parametrize("size", [300 * 1024, 5 * 1024 * 1024])
def test_a_task_that_no_message_holds_arrives_whole(size: int, door: FrontDoor) -> None:
    # Given
    request = padded_body(size)

    # When
    answer = door.post("v1alpha2", request)

    # Then the message carries the content's place, in the folder that is emptied by a lifecycle rule
    assert answer.status == 200
    [message] = door.received("sdruntime")
    task = message.body["task"]
    assert set(task) == {"metadata", "content_url"}
    assert task["content_url"].startswith(f"s3://{door.settings.output_bucket}/{REQUESTS_PREFIX}/")
    assert door.content_of(message) == request["task"]["content"]
    assert message.attributes == {"runtime": "sdruntime"}


@pytest.mark.parametrize("character", ["x", "é", "犬", '"', "\x00"])
def test_no_size_near_the_limit_is_lost(character: str, door: FrontDoor) -> None:
    # Given tasks around SNS's 256 KiB, counted as they are written in JSON
    width = len(json.dumps(character)) - 2
    for size in (248 * 1024, 252 * 1024, 256 * 1024):
        request = padded_body()
        request["task"]["content"]["padding"] = character * (size // width)

        # When / Then
        assert door.post("v1alpha2", request).status == 200
        [message] = door.received("sdruntime")
        assert door.content_of(message) == request["task"]["content"]


def test_the_largest_context_still_fits_beside_a_place(door: FrontDoor) -> None:
    context = "x" * (64 * 1024 - 2)

    assert door.post("v1alpha2", padded_body(300 * 1024, context=context)).status == 200

    [message] = door.received("sdruntime")
    assert message.body["task"]["metadata"]["context"] == context


def test_importing_the_handler_is_light_and_needs_no_environment() -> None:
    # Given a process as bare as a cold start
    program = "import sys, frontend_lambda.handler; print(*{name.partition('.')[0] for name in sys.modules})"
    paths = {"PYTHONPATH": os.pathsep.join(sys.path)}

    # When it imports the handler
    run = subprocess.run([sys.executable, "-c", program], env=paths, capture_output=True, text=True, check=True)

    # Then nothing came along that only other parts need, and nothing was printed
    loaded = set(run.stdout.split())
    assert "boto3" in loaded
    assert loaded.isdisjoint({"aiohttp", "aiobotocore", "infra", "moto", "pydantic_settings", "queue_agent", "yaml"})
    assert run.stderr == ""


@pytest.fixture
def no_settings() -> Iterator[None]:
    """The entry point as in a process that was not called yet."""
    _from_environment.cache_clear()
    yield
    _from_environment.cache_clear()


@pytest.mark.usefixtures("no_settings", "log")
def test_lambda_calls_it_with_what_the_topology_puts_in_its_environment(
    door: FrontDoor, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given the environment that the stack writes, and credentials as Lambda has them
    environment = door.topology.frontend_environment(
        input_topic_arn=door.settings.input_topic_arn,
        output_bucket=door.settings.output_bucket,
        queue_url_prefix=door.settings.queue_url_prefix,
    )
    keys = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
    for name, value in {**environment, **keys, "AWS_ENDPOINT_URL": door.settings.endpoint_url or ""}.items():
        monkeypatch.setenv(name, value)

    # When
    answers = [handle(door.event("v1alpha2", json.dumps(padded_body(id=name))), None) for name in ("one", "two")]

    # Then
    assert [answer["statusCode"] for answer in answers] == [200, 200]
    assert len(door.received("sdruntime")) == 2


@pytest.mark.usefixtures("no_settings")
def test_an_environment_that_is_not_complete_fails_with_all_that_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("INPUT_TOPIC_ARN", "OUTPUT_BUCKET", "RUNTIMES"):
        monkeypatch.delenv(name, raising=False)

    with pytest.raises(ValueError, match=r"INPUT_TOPIC_ARN.*OUTPUT_BUCKET.*RUNTIMES"):
        handle({}, None)
