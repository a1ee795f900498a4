"""``sdoneks webhook``: a receiver on this machine, and the check of one request."""

import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from contract.webhook_secret import new_secret
from test.sd_on_eks.command import Command, sdoneks
from test.sd_on_eks.conftest import PATIENCE
from test.sd_on_eks.test_webhooks import BODY, SECRET, headers

__all__ = ["sdoneks"]


@contextmanager
def listening(*options: str) -> Iterator[tuple["subprocess.Popen[str]", int]]:
    """The command, and its port."""
    process = subprocess.Popen(
        [sys.executable, "-u", "-m", "sd_on_eks", "webhook", "listen", "--port", "0", *options],
        env={**os.environ, "WEBHOOK_SECRET": SECRET, "PYTHONPATH": os.pathsep.join(sys.path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stderr
        found = re.search(r"http://127\.0\.0\.1:(\d+)/", process.stderr.readline())
        assert found
        yield process, int(found[1])
    finally:
        process.kill()
        process.communicate()


def answer(port: int, sent: dict[str, str], body: bytes | None = BODY, method: str = "POST") -> int:
    """The status of the answer to a request."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    try:
        connection.request(method, "/hook", body, sent)
        return connection.getresponse().status
    finally:
        connection.close()


def test_each_event_is_printed_once_and_what_is_not_signed_is_refused() -> None:
    with listening() as (process, port):
        statuses = [answer(port, headers(new_secret())), answer(port, headers(SECRET)), answer(port, headers(SECRET))]
        process.send_signal(signal.SIGINT)
        printed, notes = process.communicate(timeout=PATIENCE)

    assert statuses == [401, 204, 204]
    assert printed == "task.ended lighthouse-1 completed 1 files\n"
    assert notes == "refused a request: no signature is by this secret\n"
    assert process.returncode == 0


def test_it_ends_after_so_many_events_and_prints_json() -> None:
    with listening("--count", "1", "--json") as (process, port):
        assert answer(port, headers(SECRET)) == 204
        printed, _ = process.communicate(timeout=PATIENCE)

    assert json.loads(printed)["data"]["outputs"][0]["s3"] == "s3://b/output/a.png"
    assert process.returncode == 0


def test_requests_that_are_none_do_not_end_it() -> None:
    with listening("--count", "1") as (process, port):
        assert answer(port, {}, None, "GET") == 501
        assert answer(port, {"Content-Length": "-1"}, b"") == 411
        assert answer(port, {"Content-Length": str(10**9)}, b"") == 413
        with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as broken:
            broken.sendall(b"POST / HTTP/1.1\r\nContent-Length: 10\r\n\r\nhalf")
        assert answer(port, headers(SECRET)) == 204
        printed, _ = process.communicate(timeout=PATIENCE)

    assert printed.startswith("task.ended")


def test_it_stops_on_sigterm() -> None:
    with listening() as (process, _):
        process.terminate()
        assert process.wait(PATIENCE) == -signal.SIGTERM


def test_a_port_that_is_taken_is_exit_code_2(sdoneks: Command) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        ran = sdoneks("webhook", "listen", "--port", str(taken.getsockname()[1]), "--secret", SECRET)

    assert ran.code == 2
    assert "in use" in ran.err[-1]


def test_a_recorded_request_is_verified(sdoneks: Command, tmp_path: Path) -> None:
    (tmp_path / "body.json").write_bytes(BODY)
    recorded = headers(SECRET, age=86_400)
    lines = [f"{name}: {value}" for name, value in recorded.items()]
    (tmp_path / "headers.txt").write_text("\n".join(["POST /hook HTTP/1.1", *lines]))
    call = ["webhook", "verify", "body.json", "--headers", "headers.txt", "--secret", SECRET]

    old, valid, shown = sdoneks(*call), sdoneks(*call, "--any-time"), sdoneks(*call, "--any-time", "--json")

    assert (old.code, valid.code) == (1, 0)
    assert "300 s are allowed" in old.err[-1]
    assert valid.out == ["task.ended lighthouse-1 completed 1 files"]
    assert shown.json["id"] == recorded["webhook-id"]


def test_headers_are_also_options(sdoneks: Command, tmp_path: Path) -> None:
    (tmp_path / "body.json").write_bytes(BODY)
    options = [text for name, value in headers(SECRET).items() for text in ("--header", f"{name}: {value}")]

    assert sdoneks("webhook", "verify", "body.json", *options, "--secret", SECRET).code == 0
    assert sdoneks("webhook", "verify", "body.json", *options, "--secret", new_secret()).code == 1
    assert sdoneks("webhook", "verify", "body.json", *options, "--secret", "whsec_").code == 2
