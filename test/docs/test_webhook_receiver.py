"""The receiver that the guide shows: it runs as it is, takes what the platform signs, and nothing else."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

import pytest
import requests

from contract.task_event import TaskEvent
from contract.webhook_secret import key_of, new_secret
from test.docs.pages import read_page
from test.support.platform import PATIENCE
from utils.local.ports import LOOPBACK, Reservation
from webhook_lambda.signature import signed, webhook_id

EVENT = TaskEvent(client="default", id="lighthouse-1", request="r", event="ended", runtime="sdruntime")
BODY = b'{"type":"task.ended","data":{"id":"lighthouse-1","status":"completed"}}'


@contextmanager
def receiver(program: str, secret: str) -> Iterator[tuple[str, IO[str]]]:
    """Its URL, and what it prints."""
    with Reservation() as port:
        url = f"http://{LOOPBACK}:{port.port}/hook"
        environment = {**os.environ, "WEBHOOK_SECRET": secret, "PORT": str(port.port)}
        with subprocess.Popen(
            [sys.executable, "-c", program],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        ) as process:
            assert process.stdout
            try:
                yield url, process.stdout
            finally:
                process.kill()


def post(url: str, secret: str) -> int:
    """The status of the answer, once there is a receiver."""
    headers = dict(signed(webhook_id(EVENT), int(time.time()), BODY, [key_of(secret)]))
    end = time.monotonic() + PATIENCE
    while True:
        try:
            return requests.post(url, data=BODY, headers=headers, timeout=PATIENCE).status_code
        except requests.ConnectionError:
            assert time.monotonic() < end
            time.sleep(0.1)


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_receiver_of_the_guide_verifies_and_handles_an_event_once(language: str) -> None:
    (program,) = [b.text for b in read_page(f"docs/{language}/how-to/webhooks.md").blocks if b.language == "python"]
    secret = new_secret()
    with receiver(program, secret) as (url, printed):
        assert post(url, new_secret()) == 401
        assert [post(url, secret), post(url, secret)] == [204, 204]
        assert printed.readline() == "task.ended lighthouse-1 completed\n"
    assert len(program.splitlines()) <= 30
