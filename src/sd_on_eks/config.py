"""Where the API is: from arguments, the environment, or a file. Nothing else reads the environment."""

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

from sd_on_eks.errors import ConfigError

ENDPOINT, API_KEY, CONFIG_FILE = "SDONEKS_ENDPOINT", "SDONEKS_API_KEY", "SDONEKS_CONFIG"

HOW = f"set {ENDPOINT} and {API_KEY}, or run 'sdoneks config set'"

LOOPBACK = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True, slots=True)
class Config:
    """``endpoint`` is the URL of the API's stage, as the stack's output has it, without ``/`` at its end."""

    endpoint: str
    api_key: str = field(repr=False)

    @classmethod
    def of(
        cls, endpoint: str | None = None, api_key: str | None = None, environment: Mapping[str, str] = os.environ
    ) -> Self:
        """Take each value from the arguments, else from the environment, else from the file. Raises ConfigError."""
        saved = read_file(file_path(environment))
        url = endpoint or environment.get(ENDPOINT) or saved.get("endpoint")
        key = api_key or environment.get(API_KEY) or saved.get("api_key")
        if not url:
            raise ConfigError(f"no endpoint is known: {HOW}")
        if not key:
            raise ConfigError(f"no API key is known: {HOW}")
        return cls(checked_endpoint(url), checked_key(key))


def checked_endpoint(url: str) -> str:
    """The URL without a slash at its end. Raises ConfigError where a key must not be sent to."""
    try:
        parts = urlsplit(url.strip())
        host = parts.hostname
        valid = parts.scheme in {"https", "http"} and host and not parts.query and not parts.fragment
        _ = parts.port
    except ValueError as error:
        raise ConfigError(f"the endpoint {url!r} is not a URL: {error}") from error
    if not valid:
        raise ConfigError(
            f"the endpoint {url!r} must be a URL such as https://{{id}}.execute-api.{{region}}.amazonaws.com/dev"
        )
    if parts.scheme == "http" and host not in LOOPBACK:
        raise ConfigError(f"the endpoint {url!r} must begin with https://: the API key would be sent in the clear")
    return url.strip().rstrip("/")


def checked_key(key: str) -> str:
    """The key, without blanks around it. Raises ConfigError, without showing it, where no header can carry it."""
    stripped = key.strip()
    if not stripped.isascii() or not stripped.isprintable() or " " in stripped:
        raise ConfigError("the API key must be printable ASCII characters without blanks")
    return stripped


def file_path(environment: Mapping[str, str] = os.environ) -> Path:
    """The configuration file: SDONEKS_CONFIG, else ``sd-on-eks/config.toml`` in the user's folder for such files."""
    named = environment.get(CONFIG_FILE)
    if named:
        return Path(named)
    base = environment.get("XDG_CONFIG_HOME") or environment.get("APPDATA") or str(Path.home() / ".config")
    return Path(base) / "sd-on-eks" / "config.toml"


def read_file(path: Path) -> Mapping[str, str]:
    """``endpoint`` and ``api_key`` of the file; nothing where there is none. Raises ConfigError."""
    try:
        found = tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path} cannot be read: {error}") from error
    for name in ("endpoint", "api_key"):
        if not isinstance(found.get(name, ""), str):
            raise ConfigError(f"{path}: {name} must be text")
    return found


def write_file(path: Path, config: Config) -> None:
    """Save the configuration, readable by its owner only."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    part.unlink(missing_ok=True)
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(f"endpoint = {_quoted(config.endpoint)}\napi_key = {_quoted(config.api_key)}\n")
    part.replace(path)


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
