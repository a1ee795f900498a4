"""The files of a task's links on ComfyUI's disk: there for the run, and for the run only.

ComfyUI's API overwrites files and removes none. So the names are few and used again, the files are emptied after the
run, and they lie in its temp folder, which ComfyUI itself removes when it starts and when it ends.
"""

import asyncio
import itertools
import logging
import random
from collections.abc import Iterator
from pathlib import PurePosixPath

from queue_agent.errors import AgentError
from queue_agent.runtimes.base import File
from queue_agent.runtimes.comfyui.api import Api
from queue_agent.runtimes.comfyui.record import Stored

FOLDER = "temp"

NAME_PREFIX = "queue-agent-"

NAMES = 256
"""Names in use, for each extension: four times the links that a task may have, so that no file has a name that the run
before it used. Loaders that keep results by name alone would serve the earlier file."""

CLEAN_SECONDS = 5.0

log = logging.getLogger(__name__)


class Uploads:
    """Uploads the files of one run at a time, each distinct one once."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._numbers = self._count()
        self._present: dict[tuple[bytes, str], Stored] = {}

    async def give(self, file: File) -> str:
        """Upload the file, unless an equal one was uploaded for this run; returns what a loader's input takes."""
        extension = PurePosixPath(file.name).suffix
        key = (file.data, extension)
        if key not in self._present:
            name = f"{NAME_PREFIX}{next(self._numbers):03}{extension}"
            self._present[key] = await self._api.upload(name, file.data, subfolder="", folder=FOLDER)
        return _input_name(self._present[key])

    async def clean(self) -> None:
        """Empty the files of this run. Never raises; what stays is emptied by a later ``sweep``."""
        await self._empty(list(self._present.values()))
        self._present.clear()

    async def sweep(self) -> None:
        """Empty what an earlier process left behind. Never raises."""
        try:
            names = [name for name in await self._api.names(FOLDER) if name.startswith(NAME_PREFIX)]
        except AgentError as error:
            log.warning("leftover uploads were not looked for", extra={"action": "clean", "cause": str(error)})
            return
        await self._empty([Stored(name, "", FOLDER) for name in names])

    async def _empty(self, files: list[Stored]) -> None:
        try:
            async with asyncio.timeout(CLEAN_SECONDS):
                for file in files:
                    await self._api.upload(file.filename, b"", subfolder=file.subfolder, folder=file.type)
        except (AgentError, TimeoutError) as error:
            log.warning("uploaded files stay on the runtime", extra={"action": "clean", "cause": str(error)})

    @staticmethod
    def _count() -> Iterator[int]:
        """Numbers in a ring, from a random one on: a process that starts often does not use the first ones only."""
        first = random.randrange(NAMES)  # noqa: S311 - a starting point, not a secret
        return (number % NAMES for number in itertools.count(first))


def _input_name(stored: Stored) -> str:
    path = f"{stored.subfolder}/{stored.filename}" if stored.subfolder else stored.filename
    return f"{path} [{stored.type}]"
