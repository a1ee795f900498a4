"""``running.json``: how to reach the platform that runs with an output folder. Its one writer and its one reader."""

import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from contract.object_keys import RESERVED_PREFIX

FILE = "running.json"
LOCK_FILE = "running.lock"


class AlreadyRunning(Exception):
    """Another platform runs with the same output folder."""


class NotRunning(Exception):
    """No platform runs with the output folder."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Addresses:
    """How a running platform is reached, which is for its owner only.

    ``auth``: what the API asks of a request, as APIGW.auth has it. ``api_keys``: by the name of the client;
    ``api_key``: the first of them; empty where it asks for none. ``logs``: folder of its processes' logs.
    ``agents``: URL of the metrics of each agent, by the agent's name. ``queues``: URL of each runtime's queue, by the
    runtime's name. ``pid``: of the platform's own process.
    """

    endpoint: str
    api_key: str
    api_keys: Mapping[str, str]
    bucket: str
    topic_arn: str
    aws_endpoint_url: str
    region: str
    logs: str
    agents: Mapping[str, str]
    queues: Mapping[str, str]
    pid: int
    auth: str = "API_KEY"


def file_of(output: Path) -> Path:
    """Where the file of an output folder is."""
    return output / RESERVED_PREFIX / FILE


@contextmanager
def claim(output: Path) -> Iterator[Path]:
    """Own the output folder until the context ends, then remove ``running.json``. Yields the folder of both files.

    The lock is on a file of its own, since ``running.json`` is replaced when it is written; the kernel releases it
    however the owner ends. Raises AlreadyRunning, and OSError when the folder cannot be written.
    """
    folder = file_of(output).parent
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / LOCK_FILE).open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise AlreadyRunning(f"a platform already runs with this output folder, see {file_of(output)}") from error
        try:
            yield folder
        finally:
            file_of(output).unlink(missing_ok=True)


def write(output: Path, addresses: Addresses) -> None:
    """Write the file in one step, so that no reader sees half of it; it holds a key, so only its owner may read it."""
    path = file_of(output)
    part = path.with_suffix(".part")
    part.unlink(missing_ok=True)
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        json.dump(asdict(addresses), file, indent=2)
    part.replace(path)


def read(output: Path) -> Addresses:
    """The addresses of the platform that runs with ``output``. Raises NotRunning."""
    try:
        return Addresses(**json.loads(file_of(output).read_text("utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise NotRunning(f"no platform runs with the output folder {output}; start it, or give its --output") from error
