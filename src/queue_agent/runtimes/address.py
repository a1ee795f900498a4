"""The runtime's address, in whichever form the chart gives it, and how logs and errors show it."""

from contextlib import suppress

from yarl import URL

API_SUFFIX = "/sdapi/v1"
"""Existing charts name WebUI's API, not its base."""


def base_url(value: object) -> URL:
    """``http://host:port`` from ``http://host:port``, ``http://host:port/sdapi/v1/`` or ``host:port``.

    ``user:password@`` before the host is kept: every request then logs in with it (HTTP Basic).
    Raises ValueError when there is no host to be found.
    """
    text = str(value).strip()
    with suppress(ValueError):
        url = URL(text if "://" in text else f"http://{text}")
        if url.scheme in {"http", "https"} and url.host:
            if url.is_default_port():
                url = url.with_port(None)  # yarl compares URLs by their text: http://host is not http://host:80 to it
            return url.with_path(url.path.rstrip("/").removesuffix(API_SUFFIX))
    raise ValueError("must be the runtime's address, such as http://localhost:8080")


def shown_address(url: URL) -> str:
    """The address as logs and errors show it: without credentials."""
    return str(url.with_user(None)).rstrip("/")


def without_credentials(text: object, url: URL) -> str:
    """``text`` of a client's error, which may repeat the URL, without the credentials of ``url``."""
    shown = str(text)
    if url.raw_user is None:
        return shown
    for secret in (f"{url.raw_user}:{url.raw_password}@", f"{url.user}:{url.password}@", f"{url.raw_user}@"):
        shown = shown.replace(secret, "")
    return shown
