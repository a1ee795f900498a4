"""A proxy in front of the embedded AWS that does to each call what a plan says."""

import http.client
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

PASS, LOSE, CUT = "pass", "lose", "cut"
"""Forward; forward and close without an answer; forward and send half of the answer."""


@dataclass(frozen=True)
class Late:
    """Forward, and answer after so many seconds."""

    seconds: float


@dataclass(frozen=True)
class Turn:
    """Do not forward, but answer with this status and error code."""

    status: int
    code: str


@dataclass(frozen=True)
class Held:
    """Do not forward, but answer with this status and error code once ``released``, or after a minute."""

    status: int
    code: str
    released: threading.Event = field(default_factory=threading.Event)


Step = str | Late | Turn | Held


@dataclass
class Unreliable:
    """``endpoint`` for an AWS client. ``plan`` is for the calls to come, in order; then everything passes.

    Both the plan and ``calls`` are about the calls of ``services``; others always pass.
    """

    endpoint: str
    services: tuple[str, ...]
    plan: list[Step] = field(default_factory=list)
    calls: int = 0


@contextmanager
def unreliable(endpoint: str | None, *services: str) -> Iterator[Unreliable]:
    """A proxy for the AWS at ``endpoint``, with a plan for the calls of these services."""
    assert endpoint
    server = _Server(endpoint, services)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server.proxy
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, behind: str, services: tuple[str, ...]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.behind = behind
        self.proxy = Unreliable(f"http://127.0.0.1:{self.server_port}", services)
        self._lock = threading.Lock()

    def next_step(self) -> Step:
        with self._lock:
            self.proxy.calls += 1
            return self.proxy.plan.pop(0) if self.proxy.plan else PASS


class _Handler(BaseHTTPRequestHandler):
    server: "_Server"
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        self._serve()

    def do_PUT(self) -> None:
        self._serve()

    def log_message(self, *_: object) -> None:
        """Nothing."""

    def _serve(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        step = self.server.next_step() if self._service() in self.server.proxy.services else PASS
        if isinstance(step, Held):
            step.released.wait(60)
        if isinstance(step, Turn | Held):
            text = f"<ErrorResponse><Error><Code>{step.code}</Code><Message>no</Message></Error></ErrorResponse>"
            self._answer(step.status, text.encode(), {"Content-Type": "text/xml"})
            return
        status, headers, data = self._forward(body)
        if isinstance(step, Late):
            time.sleep(step.seconds)
        if step == LOSE:
            self._close()
        elif step == CUT:
            self._answer(status, data, headers, cut=True)
            self._close()
        else:
            self._answer(status, data, headers)

    def _service(self) -> str:
        """From the signature: ``Credential=KEY/DATE/REGION/SERVICE/aws4_request``."""
        return self.headers.get("Authorization", "").partition(",")[0].split("/")[-2]

    def _forward(self, body: bytes) -> tuple[int, dict[str, str], bytes]:
        connection = http.client.HTTPConnection(urlsplit(self.server.behind).netloc, timeout=60)
        try:
            connection.request(self.command, self.path, body, dict(self.headers))
            response = connection.getresponse()
            return response.status, dict(response.getheaders()), response.read()
        finally:
            connection.close()

    def _answer(self, status: int, data: bytes, headers: dict[str, str], *, cut: bool = False) -> None:
        try:
            self.send_response_only(status)
            for name in headers.keys() - {"Content-Length", "Connection", "Transfer-Encoding"}:
                self.send_header(name, headers[name])
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data[: len(data) // 2] if cut else data)
        except OSError:
            pass  # the client did not wait

    def _close(self) -> None:
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)
