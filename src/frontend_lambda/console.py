"""``GET /console``: the page for people. It is one file without a secret, so that it needs no API key.

``infra.console`` builds the page; the function's package holds it next to this module.
"""

import base64
import hashlib
import re
from collections.abc import Mapping
from functools import cached_property
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from frontend_lambda.responses import Response
from frontend_lambda.tasks.links import Signer
from frontend_lambda.tasks.request import header

CONSOLE_PATH = "/console"

PACKAGED_PAGE = Path(__file__).with_name("console.html")

_INLINE = re.compile(r"<(script|style)[^>]*>(.*?)</\1>", re.DOTALL)

HEADERS: Mapping[str, str] = {
    "Content-Type": "text/html; charset=utf-8",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}

NOT_BUILT = """<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Console</title>
<h1>The console is not built yet</h1>
<p>The local platform builds it when it starts, which takes a few seconds: reload this page in a moment. If that does
not help, its terminal says why. To build it by hand: <code>.venv/bin/python -m infra.console</code></p>
<p lang="zh">控制台尚未构建。本地平台会在启动时构建，需要几秒钟：请稍后刷新本页。若仍然如此，终端会显示原因。手动构建：
<code>.venv/bin/python -m infra.console</code></p>
</html>
"""  # noqa: RUF001 - Chinese has commas of its own


class Console:
    """Answers with the page at ``path``, which is read once. Safe to use from many threads."""

    def __init__(self, path: Path | None, signer: Signer) -> None:
        self._path = path or PACKAGED_PAGE
        self._signer = signer

    def answer(self, event: Mapping[str, Any]) -> Response:
        """200; 304 where the browser has this page; 503 while there is none."""
        try:
            page = self._page
        except FileNotFoundError:
            return _response(
                HTTPStatus.SERVICE_UNAVAILABLE, NOT_BUILT, content_security_policy(NOT_BUILT, ""), "no-store"
            )
        tag = f'"{hashlib.sha256(page.encode()).hexdigest()[:32]}"'
        known = header(event, "If-None-Match") or ""
        status = HTTPStatus.NOT_MODIFIED if tag in known else HTTPStatus.OK
        response = _response(status, "" if status is HTTPStatus.NOT_MODIFIED else page, self._policy, "no-cache")
        response["headers"]["ETag"] = tag
        return response

    @cached_property
    def _page(self) -> str:
        return self._path.read_text(encoding="utf-8")

    @cached_property
    def _policy(self) -> str:
        return content_security_policy(self._page, _origin(self._signer.download("console").url))


def content_security_policy(page: str, files: str) -> str:
    """What the page may do: run its own script and style, call its own origin, and read and write ``files``, the
    origin of presigned links."""
    allowed = {
        kind: [f"'sha256-{_digest(text)}'" for found, text in _INLINE.findall(page) if found == kind]
        for kind in ("script", "style")
    }
    directives = {
        "default-src": ["'none'"],
        "script-src": allowed["script"] or ["'none'"],
        "style-src": allowed["style"] or ["'none'"],
        "img-src": ["blob:", "data:", files],
        "media-src": ["blob:", files],
        "connect-src": ["'self'", files],
        "base-uri": ["'none'"],
        "form-action": ["'none'"],
        "frame-ancestors": ["'none'"],
        "require-trusted-types-for": ["'script'"],
        "trusted-types": ["'none'"],
    }
    return "; ".join(f"{name} {' '.join(filter(None, values))}" for name, values in directives.items())


def _response(status: HTTPStatus, body: str, policy: str, cache: str) -> Response:
    headers = {**HEADERS, "Content-Security-Policy": policy, "Cache-Control": cache}
    return {"statusCode": status.value, "headers": headers, "body": body}


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def _digest(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
