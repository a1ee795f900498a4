"""Many jobs at a time: Client.map against the real API; an agent's writes are made by the test."""

import os
import signal
import subprocess
import sys
import threading
import time
import uuid

import pytest

from sd_on_eks import (
    Client,
    InvalidRequest,
    Status,
    WaitTimeout,
)
from test.sd_on_eks.agent import PNG, agent
from test.sd_on_eks.conftest import JOB, KEY, PATIENCE, SHORT, Site, new_id


def test_many_jobs_run_at_a_time_and_come_back_in_order(site: Site, client: Client) -> None:
    name = f"batch-{uuid.uuid4().hex[:8]}"

    with agent(site) as ended:
        tasks = list(client.map([JOB] * 12, concurrency=5, name=name, timeout=PATIENCE, labels={"batch": name}))

    assert [task.id for task in tasks] == [f"{name}-{number:05}" for number in range(1, 13)]
    assert all(task.completed for task in tasks)
    assert sorted(ended) == [task.id for task in tasks]
    assert tasks[0].labels == {"batch": name}
    assert tasks[0].outputs[0].bytes() == PNG


def test_a_map_that_is_left_drops_its_requests_at_once(client: Client) -> None:
    began = time.monotonic()

    with pytest.raises(WaitTimeout):
        next(client.map([JOB.having(id=new_id()) for _ in range(4)], timeout=1.5))

    assert time.monotonic() - began < SHORT.hold / 2
    assert "map" not in [thread.name for thread in threading.enumerate()]


MAPPING = """
from sd_on_eks import Client, text_to_image

with Client() as client:
    list(client.map([text_to_image("a").having(runtime="sdruntime")] * 4, name=NAME))
"""


def test_an_interrupted_map_ends_at_once(site: Site, client: Client) -> None:
    name = f"batch-{uuid.uuid4().hex[:8]}"
    environment = {
        **os.environ,
        "SDONEKS_ENDPOINT": site.endpoint,
        "SDONEKS_API_KEY": KEY,
        "PYTHONPATH": os.pathsep.join(sys.path),
    }
    process = subprocess.Popen(
        [sys.executable, "-c", MAPPING.replace("NAME", repr(name))], env=environment, stderr=subprocess.PIPE, text=True
    )
    limit = time.monotonic() + PATIENCE
    while site.api.item(f"{name}-00004") is None:
        assert time.monotonic() < limit
        time.sleep(0.05)
    began = time.monotonic()
    process.send_signal(signal.SIGINT)

    _, printed = process.communicate(timeout=PATIENCE)

    assert time.monotonic() - began < SHORT.hold / 2
    assert printed.splitlines()[-1] == "KeyboardInterrupt"
    assert client.task(f"{name}-00001").status is Status.QUEUED


def test_what_is_wrong_with_a_job_is_raised_at_its_place(site: Site, client: Client) -> None:
    with agent(site):
        results = client.map([JOB, JOB.having(deadline=-1), JOB], concurrency=1, timeout=PATIENCE)
        assert next(results).completed
        with pytest.raises(InvalidRequest):
            next(results)
