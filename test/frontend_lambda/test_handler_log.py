"""The log of a request: one line, whatever became of it, without keys, prompts or bodies."""

import json
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import boto3
import pytest

from frontend_lambda.handler import make_handler
from test.frontend_lambda.bodies import PROMPT, padded_body

from .conftest import FrontDoor, Lines

LAMBDAS_ID = "0b8f7f5e-3c0e-4a55-9d7e-0c2f1a6b9d10"

REQUEST_ID = "7f6d2b0e-0f5b-4c1c-9a43-5f9a4d2f5e11"

KEY = "not-a-real-key-0123456789"


def test_a_publish_that_fails_is_never_a_200(door: FrontDoor, log: Lines) -> None:
    # Given a topic that is not there
    settings = replace(door.settings, input_topic_arn=f"{door.settings.input_topic_arn}-gone")
    broken = replace(door, handler=make_handler(settings, door.session))

    # When
    answer = broken.post("v1alpha2", padded_body())

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

    answer = broken.post("v1alpha2", padded_body(300 * 1024))

    assert answer.status == 503
    assert [(line["step"], line["error"]) for line in log()] == [("store", "NoSuchBucket")]
    assert door.received_anywhere() == {}


def test_an_aws_that_does_not_answer_is_a_503_in_time(door: FrontDoor, log: Lines) -> None:
    # Given an endpoint where nobody listens
    settings = replace(door.settings, endpoint_url="http://127.0.0.1:9")
    broken = replace(door, handler=make_handler(settings, door.session))

    # When / Then
    assert broken.post("v1alpha2", padded_body()).status == 503
    assert log()[-1]["error"] == "EndpointConnectionError"


def test_missing_credentials_are_a_503(door: FrontDoor, log: Lines, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")
    broken = replace(door, handler=make_handler(door.settings, boto3.Session()))

    assert broken.post("v1alpha2", padded_body()).status == 503
    assert log()[-1]["error"] == "NoCredentialsError"


def test_an_accepted_task_is_one_line_of_the_log(door: FrontDoor, log: Lines) -> None:
    door.post("v1alpha2", padded_body())

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
    door.post("v1alpha2", padded_body(runtime="nosuch", prefix=".."))

    [line] = log()
    assert (line["outcome"], line["status"], line["problems"], line["task_id"]) == ("refused", 400, 2, "my-1")


@pytest.mark.parametrize(
    "request_body",
    [
        padded_body(),
        padded_body(runtime=PROMPT),
        padded_body(id=PROMPT * 9),
        padded_body(id=f"{PROMPT}\n"),
        {"task": {PROMPT: 1}},
        PROMPT,
    ],
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
    answer = door.post("v1alpha2", padded_body())

    # Then
    assert answer.status == 500
    assert PROMPT not in json.dumps(answer.body)
    [line] = log()
    assert (line["level"], line["error"], line["task_id"]) == ("ERROR", "RuntimeError", "my-1")
    assert line["stack"][-1].startswith("test_handler_log.py:")
    assert PROMPT not in json.dumps(line)
    assert door.received_anywhere() == {}


def test_without_api_gateways_request_id_the_log_has_lambdas(door: FrontDoor, log: Lines) -> None:
    event = door.event("v1alpha2", "{}", requestContext=None)

    door.handler(event, SimpleNamespace(aws_request_id=LAMBDAS_ID))

    assert log()[0]["request_id"] == LAMBDAS_ID
