"""What holds for every request: paths, methods, failures of what lies behind, and the log."""

import io
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import redirect_stdout
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, TypeAlias

import boto3
import pytest

from contract.object_keys import REQUESTS_PREFIX
from frontend_lambda.handler import VERSIONS, _from_environment, handle, make_handler
from frontend_lambda.logs import LOGGER, write_to_stdout
from infra.api_routes import API_PATHS

from .conftest import FrontDoor

ANY_PATH = "/{proxy+}"
PROMPT = "a very private prompt"
LAMBDAS_ID = "0b8f7f5e-3c0e-4a55-9d7e-0c2f1a6b9d10"
REQUEST_ID = "7f6d2b0e-0f5b-4c1c-9a43-5f9a4d2f5e11"
KEY = "not-a-real-key-0123456789"

Lines: TypeAlias = Callable[[], list[dict[str, Any]]]


def body(size: int = 0, **metadata: Any) -> dict[str, Any]:
    fields = {"id": "my-1", "runtime": "sdruntime", "tasktype": "text-to-image", "prefix": "output", **metadata}
    return {"task": {"metadata": fields, "content": {"prompt": PROMPT, "padding": "x" * size}}}


@pytest.fixture
def log() -> Iterator[Lines]:
    """The log as Lambda's standard output gets it."""
    handlers, propagate, level = LOGGER.handlers, LOGGER.propagate, LOGGER.level
    output = io.StringIO()
    with redirect_stdout(output):
        write_to_stdout("INFO")
    yield lambda: [json.loads(line) for line in output.getvalue().splitlines()]
    LOGGER.handlers, LOGGER.propagate = handlers, propagate
    LOGGER.setLevel(level)


def test_the_paths_are_those_that_the_stack_makes() -> None:
    assert tuple(VERSIONS) == API_PATHS


@pytest.mark.parametrize("path", ["/v1alpha3", "/", "", "/v1alpha2/more"])
def test_another_path_is_not_found(path: str, door: FrontDoor) -> None:
    answer = door.post("v1alpha2", body(), resource=path)

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
    assert door.post("v1alpha2", body(), resource=ANY_PATH, pathParameters=parameters).status == status


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "OPTIONS", "post"])
def test_another_method_is_not_allowed(method: str, door: FrontDoor) -> None:
    answer = door.handler(door.event("v1alpha2", json.dumps(body()), httpMethod=method), None)

    assert answer["statusCode"] == 405
    assert answer["headers"]["Allow"] == "POST"


@pytest.mark.parametrize("event", [{}, {"resource": ["/v1alpha2"]}, {"resource": "/v1alpha2"}])
def test_an_event_that_is_none_of_api_gateways_is_a_failure_without_internals(
    event: dict[str, Any], door: FrontDoor
) -> None:
    answer = door.handler(event, None)

    assert answer["statusCode"] == 500
    assert json.loads(answer["body"]) == {"message": "the task was not accepted: the API failed", "errors": []}


def test_a_publish_that_fails_is_never_a_200(door: FrontDoor, log: Lines) -> None:
    # Given a topic that is not there
    settings = replace(door.settings, input_topic_arn=f"{door.settings.input_topic_arn}-gone")
    broken = replace(door, handler=make_handler(settings, door.session))

    # When
    answer = broken.post("v1alpha2", body())

    # Then the caller is told to come again, without internals
    assert answer.status == 503
    assert answer.body["errors"] == []
    assert "arn:" not in answer.body["message"]

    # And the log says what happened
    [line] = log()
    assert line["level"] == "ERROR"
    assert (line["outcome"], line["step"], line["error"]) == ("failed", "publish", "NotFoundException")
    assert (line["task_id"], line["runtime"], line["status"]) == ("my-1", "sdruntime", 503)


def test_a_large_task_that_cannot_be_stored_is_never_a_200(door: FrontDoor, log: Lines) -> None:
    settings = replace(door.settings, output_bucket="nosuch")
    broken = replace(door, handler=make_handler(settings, door.session))

    answer = broken.post("v1alpha2", body(300 * 1024))

    assert answer.status == 503
    assert [(line["step"], line["error"]) for line in log()] == [("store", "NoSuchBucket")]
    assert door.received_anywhere() == {}


def test_an_aws_that_does_not_answer_is_a_503_in_time(door: FrontDoor, log: Lines) -> None:
    # Given an endpoint where nobody listens
    settings = replace(door.settings, endpoint_url="http://127.0.0.1:9")
    broken = replace(door, handler=make_handler(settings, door.session))

    # When / Then
    assert broken.post("v1alpha2", body()).status == 503
    assert log()[-1]["error"] == "EndpointConnectionError"


def test_missing_credentials_are_a_503(door: FrontDoor, log: Lines, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")
    broken = replace(door, handler=make_handler(door.settings, boto3.Session()))

    assert broken.post("v1alpha2", body()).status == 503
    assert log()[-1]["error"] == "NoCredentialsError"


def test_an_accepted_task_is_one_line_of_the_log(door: FrontDoor, log: Lines) -> None:
    door.post("v1alpha2", body())

    [line] = log()
    assert line.pop("time")
    assert line == {
        "level": "INFO",
        "message": "request accepted",
        "action": "receive",
        "outcome": "accepted",
        "status": 200,
        "request_id": REQUEST_ID,
        "trace_id": "691ef2c40123456789abcdef01234567",
        "client": "default",
        "task_id": "my-1",
        "runtime": "sdruntime",
        "tasktype": "text-to-image",
    }


def test_a_refused_task_is_one_line_of_the_log(door: FrontDoor, log: Lines) -> None:
    door.post("v1alpha2", body(runtime="nosuch", prefix=".."))

    [line] = log()
    assert (line["outcome"], line["status"], line["problems"], line["task_id"]) == ("refused", 400, 2, "my-1")


@pytest.mark.parametrize(
    "request_body",
    [body(), body(runtime=PROMPT), body(id=PROMPT * 9), body(id=f"{PROMPT}\n"), {"task": {PROMPT: 1}}, PROMPT],
)
def test_no_key_prompt_or_body_is_logged(request_body: Any, door: FrontDoor, log: Lines) -> None:
    door.post("v1alpha2", request_body)

    text = json.dumps(log())
    assert PROMPT not in text
    assert KEY not in text


def test_an_unforeseen_failure_is_a_500_and_its_values_are_not_logged(
    door: FrontDoor, log: Lines, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a fault of ours that quotes the request
    def fail(*_: object) -> None:
        raise RuntimeError(PROMPT)

    monkeypatch.setattr("frontend_lambda.handler.output_location", fail)

    # When
    answer = door.post("v1alpha2", body())

    # Then
    assert answer.status == 500
    assert PROMPT not in json.dumps(answer.body)
    [line] = log()
    assert (line["level"], line["error"], line["task_id"]) == ("ERROR", "RuntimeError", "my-1")
    assert line["stack"][-1].startswith("test_handler.py:")
    assert PROMPT not in json.dumps(line)
    assert door.received_anywhere() == {}


def test_without_api_gateways_request_id_the_log_has_lambdas(door: FrontDoor, log: Lines) -> None:
    event = door.event("v1alpha2", "{}", requestContext=None)

    door.handler(event, SimpleNamespace(aws_request_id=LAMBDAS_ID))

    assert log()[0]["request_id"] == LAMBDAS_ID


@pytest.mark.parametrize("size", [300 * 1024, 5 * 1024 * 1024])
def test_a_task_that_no_message_holds_arrives_whole(size: int, door: FrontDoor) -> None:
    # Given
    request = body(size)

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
        request = body()
        request["task"]["content"]["padding"] = character * (size // width)

        # When / Then
        assert door.post("v1alpha2", request).status == 200
        [message] = door.received("sdruntime")
        assert door.content_of(message) == request["task"]["content"]


def test_the_largest_context_still_fits_beside_a_place(door: FrontDoor) -> None:
    context = "x" * (64 * 1024 - 2)

    assert door.post("v1alpha2", body(300 * 1024, context=context)).status == 200

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
    answers = [handle(door.event("v1alpha2", json.dumps(body(id=name))), None) for name in ("one", "two")]

    # Then
    assert [answer["statusCode"] for answer in answers] == [200, 200]
    assert len(door.received("sdruntime")) == 2


@pytest.mark.usefixtures("no_settings")
def test_an_environment_that_is_not_complete_fails_with_all_that_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("INPUT_TOPIC_ARN", "OUTPUT_BUCKET", "RUNTIMES"):
        monkeypatch.delenv(name, raising=False)

    with pytest.raises(ValueError, match=r"INPUT_TOPIC_ARN.*OUTPUT_BUCKET.*RUNTIMES"):
        handle({}, None)
