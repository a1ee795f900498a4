"""Files on the web, as a model hub serves them: in ranges, and now and then with a connection that breaks."""

import http
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Hub:
    """``content`` is served under every path. ``breaks``: after how many bytes each further answer is cut off;
    ``checksum`` is the checksum that the hub's header gives."""

    content: bytes
    checksum: str = ""
    breaks: list[int] = field(default_factory=list)
    ranges: list[int] = field(default_factory=list)
    url: str = ""


@contextmanager
def hub(content: bytes, **words: Any) -> Iterator[Hub]:
    """Serves until the context ends."""
    served = Hub(content, **words)
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(served))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    served.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield served
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _handler(served: Hub) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self.send_response(http.HTTPStatus.FOUND)
            self.send_header("Location", "/store/model")
            if served.checksum:
                self.send_header("X-Linked-ETag", f'"{served.checksum}"')
            self.end_headers()

        def do_GET(self) -> None:
            if "missing" in self.path:
                self.send_error(http.HTTPStatus.NOT_FOUND)
                return
            first, _, last = self.headers["Range"].removeprefix("bytes=").partition("-")
            body = served.content[int(first) : int(last) + 1 if last else None]
            self.send_response(http.HTTPStatus.PARTIAL_CONTENT)
            self.send_header("Content-Range", f"bytes {first}-{int(first) + len(body) - 1}/{len(served.content)}")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if not last:
                served.ranges.append(int(first))
                if served.breaks:
                    body = body[: served.breaks.pop(0)]
                    self.close_connection = True
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 (the library's name)
            pass

    return Handler
