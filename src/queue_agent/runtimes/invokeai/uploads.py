"""The files of a task's links in InvokeAI: there for the run, and for the run only.

They lie in a board of our own, so that what a killed agent left is found and deleted by the next.
"""

import logging
from collections.abc import Mapping

from queue_agent.errors import AgentError, PermanentError
from queue_agent.runtimes.base import File, Path
from queue_agent.runtimes.invokeai.api import Api
from queue_agent.runtimes.invokeai.faults import dotted

BOARD = "queue-agent"

log = logging.getLogger(__name__)


class Uploads:
    """Uploads the files of one run at a time, each distinct one once."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._board: str | None = None
        self._names: dict[bytes, str] = {}

    async def give(self, files: Mapping[Path, File]) -> dict[Path, str]:
        """Upload the files; InvokeAI's name for each path. Raises PermanentError for what is no image."""
        if files and self._board is None:
            self._board = await self._api.find_board(BOARD) or await self._api.create_board(BOARD)
        given = {}
        for path, file in files.items():
            if file.data not in self._names:
                self._names[file.data] = await self._upload(path, file)
            given[path] = self._names[file.data]
        return given

    async def clean(self) -> None:
        """Delete the uploads of this run, which are no results. Never raises."""
        names, self._names = list(self._names.values()), {}
        await self._delete(names)

    async def sweep(self) -> None:
        """Delete what an earlier process left behind. Never raises."""
        try:
            self._board = await self._api.find_board(BOARD)
            names = await self._api.board_images(self._board) if self._board else []
        except AgentError as error:
            log.warning("leftover uploads were not looked for", extra={"action": "clean", "cause": str(error)})
            return
        await self._delete(names)

    async def _upload(self, path: Path, file: File) -> str:
        try:
            return await self._api.upload(file, self._board)
        except PermanentError as fault:
            hint = "link to a PNG, JPEG or WebP image"
            raise PermanentError(fault.type, f"content.{dotted(path)}: {fault.message}; {hint}") from fault

    async def _delete(self, names: list[str]) -> None:
        if not names:
            return
        try:
            await self._api.delete(names)
        except AgentError as error:
            log.warning("uploaded files stay on the runtime", extra={"action": "clean", "cause": str(error)})
