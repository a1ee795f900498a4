"""Callbacks of a running platform, as the command shows them."""

import json
import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

import boto3
import pytest

from sd_on_eks import Client, text_to_image
from sd_on_eks.cli.app import run
from test.e2e.conftest import platform
from test.support.platform import PATIENCE, Running
from utils.local.cloud import REGION
from utils.operate.command import ops

__all__ = ["platform"]

JOB = text_to_image("a lighthouse", steps=1, width=64, height=64)


@contextmanager
def showing(platform: Running, *options: str) -> Iterator["subprocess.Popen[str]"]:
    """The command, which waits for callbacks."""
    process = subprocess.Popen(
        [sys.executable, "-u", "-m", "sd_on_eks", "ops", "callbacks", "--output", str(platform.output), *options],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stderr
        assert process.stderr.readline() == "waiting for callbacks; Ctrl-C ends it\n"
        yield process
    finally:
        process.kill()
        process.communicate()


def queues(platform: Running) -> list[str]:
    """The queues that the command made and did not remove."""
    session = boto3.Session("x", "x")
    sqs = session.client("sqs", region_name=REGION, endpoint_url=platform.addresses.aws_endpoint_url)
    return sqs.list_queues(QueueNamePrefix="callbacks-").get("QueueUrls", [])


@pytest.mark.slow
def test_callbacks_are_shown_and_nothing_stays(platform: Running) -> None:
    before, task_id = queues(platform), f"c-{uuid.uuid4()}"
    with (
        showing(platform, "--json", "--count", "1") as process,
        Client(platform.addresses.endpoint, platform.addresses.api_key) as client,
    ):
        client.submit(JOB, id=task_id)
        printed, _ = process.communicate(timeout=PATIENCE)

    shown = json.loads(printed)
    assert (shown["id"], shown["status"], shown["result"]) == (task_id, "completed", True)
    assert process.returncode == 0
    assert queues(platform) == before


@pytest.mark.slow
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 0), (signal.SIGTERM, 143)])
def test_a_signal_ends_it_and_nothing_stays(number: signal.Signals, code: int, platform: Running) -> None:
    before = queues(platform)
    with showing(platform) as process:
        process.send_signal(number)
        assert process.wait(PATIENCE) == code

    assert queues(platform) == before


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ([], "give --topic-arn, or --local"),
        (["--topic-arn", "callbacks"], "must be such as arn:aws:sns:us-west-2:123456789012:name, got 'callbacks'"),
        (["--output", "nowhere"], "no platform runs with the output folder"),
    ],
)
def test_what_is_wrong_is_an_error(
    arguments: list[str], problem: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TOPIC_ARN", raising=False)

    assert run(["callbacks", *arguments], ops) == 2
    assert problem in capsys.readouterr().err
