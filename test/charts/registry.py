"""An OCI registry in memory, as far as pushing and pulling need it, on loopback. It checks every digest."""

import hashlib
import re
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from urllib.parse import parse_qs, urlsplit

UPLOADS = re.compile(r"/v2/.+/blobs/uploads/")
BLOB = re.compile(r"/v2/.+/blobs/(sha256:[0-9a-f]{64})")
MANIFEST = re.compile(r"(/v2/.+/manifests/)(.+)")


class Registry(ThreadingHTTPServer):
    """Blobs by digest; manifests by path, both with tag and with digest."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.blobs: dict[str, bytes] = {}
        self.manifests: dict[str, tuple[str, bytes]] = {}

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.server_port}"


@contextmanager
def serving(server: ThreadingHTTPServer) -> Iterator[None]:
    """The server answers within the context and is gone after it."""
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join(timeout=10)
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    server: Registry
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        location = f"{urlsplit(self.path).path}upload"
        self._answer(202, headers={"Location": location} if UPLOADS.fullmatch(urlsplit(self.path).path) else {})

    def do_PUT(self) -> None:
        url = urlsplit(self.path)
        body = self.rfile.read(int(self.headers["Content-Length"]))
        digest = f"sha256:{hashlib.sha256(body).hexdigest()}"
        manifest = MANIFEST.fullmatch(url.path)
        if manifest:
            for reference in (manifest[2], digest):
                self.server.manifests[manifest[1] + reference] = (self.headers["Content-Type"], body)
        elif parse_qs(url.query).get("digest") == [digest]:
            self.server.blobs[digest] = body
        else:
            return self._answer(400)
        return self._answer(201, headers={"Docker-Content-Digest": digest, "Location": url.path})

    def do_GET(self) -> None:
        path = urlsplit(self.path).path
        blob = BLOB.fullmatch(path)
        if path == "/v2/":
            return self._answer(200)
        if blob and blob[1] in self.server.blobs:
            return self._answer(200, self.server.blobs[blob[1]])
        if path in self.server.manifests:
            kind, body = self.server.manifests[path]
            digest = f"sha256:{hashlib.sha256(body).hexdigest()}"
            return self._answer(200, body, {"Content-Type": kind, "Docker-Content-Digest": digest})
        return self._answer(404)

    def do_HEAD(self) -> None:
        self.do_GET()

    def _answer(self, status: int, body: bytes = b"", headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *_arguments: object) -> None:
        """Say nothing: the test says what went wrong."""
