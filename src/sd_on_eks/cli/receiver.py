"""Receives webhooks on this machine."""

from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, HTTPServer
from types import TracebackType
from typing import Self

from sd_on_eks.errors import InvalidWebhook
from sd_on_eks.webhooks import WebhookEvent, verify_webhook

HOST = "127.0.0.1"

REQUEST_SECONDS = 10.0
"""How long a request may take to arrive; the platform allows a receiver as much."""

MAX_BODY_BYTES = 8 * 1024 * 1024
"""Far more than an event has: a task with a few hundred outputs."""

REMEMBERED = 10_000
"""Ids of events that were received, so that a repeated one is not shown again."""


class Receiver:
    """A server that takes requests one after the other. ``explain`` is called with why a request was refused.

    Raises OSError when the port is taken, and ConfigError for a secret that is none.
    """

    def __init__(self, port: int, secret: str, explain: Callable[[str], None]) -> None:
        self._secret = secret
        self._explain = explain
        self._arrived: list[WebhookEvent] = []
        self._seen: OrderedDict[str, None] = OrderedDict()
        self._server = HTTPServer((HOST, port), self._handler())

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    def events(self) -> Iterator[WebhookEvent]:
        """Each event when it arrives, once."""
        while True:
            self._server.handle_request()
            while self._arrived:
                yield self._arrived.pop(0)

    def take(self, body: bytes, headers: dict[str, str]) -> HTTPStatus:
        """The status of the answer to a request."""
        try:
            event = verify_webhook(body, headers, self._secret)
        except InvalidWebhook as error:
            self._explain(f"refused a request: {error}")
            return HTTPStatus.UNAUTHORIZED
        if event.id not in self._seen:
            self._arrived.append(event)
        self._seen[event.id] = None
        while len(self._seen) > REMEMBERED:
            self._seen.popitem(last=False)
        return HTTPStatus.NO_CONTENT

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.server_close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            timeout = REQUEST_SECONDS

            def do_POST(self) -> None:
                length = self.headers.get("Content-Length", "")
                if not length.isascii() or not length.isdigit():
                    status = HTTPStatus.LENGTH_REQUIRED
                elif int(length) > MAX_BODY_BYTES:
                    status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
                else:
                    # A sender that stops half-way gets no answer, and tries again.
                    with suppress(TimeoutError):
                        body = self.rfile.read(int(length))
                        self._answer(receiver.take(body, dict(self.headers.items())))
                    return
                self._answer(status)

            def log_message(self, *_: object) -> None:
                """Events are shown by the command; others are nobody's."""

            def _answer(self, status: HTTPStatus) -> None:
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

        return Handler
