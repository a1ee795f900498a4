"""ComfyUI's routes as this agent uses them. No prompt is sent twice."""

from collections.abc import AsyncIterator, Mapping, Sequence
from http import HTTPStatus
from typing import Any

from aiohttp import ClientResponse, ClientSession, FormData
from yarl import URL

from contract.errors import shown
from queue_agent.errors import PermanentError, RuntimeFault
from queue_agent.runtimes.comfyui.http import ANSWER_SECONDS, TOO_LARGE, Http, check_status, read_json, read_object
from queue_agent.runtimes.comfyui.record import Stored

READY_SECONDS = 8.0
"""/system_stats asks every device for its memory; on a GPU that loads a model it was seen to take more than 3 s."""

POST_SECONDS = 60.0
"""For prompts and uploads: a workflow is checked node by node, a file has to be carried."""

CHUNK_BYTES = 256 * 1024


class Api:
    """Calls one ComfyUI as the client ``client_id``; errors as in ``Http``."""

    def __init__(self, url: URL, session: ClientSession, client_id: str) -> None:
        self.http = Http(url, session)
        self._client_id = client_id
        self.posting = False
        """Whether a prompt is on its way, so that the queue may soon hold it."""

    async def version(self) -> str:
        """ComfyUI's version, as /system_stats tells it within READY_SECONDS."""
        system = (await self.http.get("system_stats", READY_SECONDS)).get("system")
        if not isinstance(system, dict):
            raise RuntimeFault(
                "bad-answer", f"this is no ComfyUI that is ready: its /system_stats names no system: {shown(system)}"
            )
        return str(system.get("comfyui_version", "unknown"))

    async def record(self, prompt_id: str) -> dict[str, Any] | None:
        """The prompt's history record, None before its end. Raises PermanentError when it is too large: it holds what
        the workflow's nodes show."""
        try:
            record: dict[str, Any] | None = (await self.http.get(f"history/{prompt_id}")).get(prompt_id)
        except RuntimeFault as fault:
            if fault.type != TOO_LARGE:
                raise
            raise PermanentError("output-limit", f"the workflow shows too much: {fault.message}") from fault
        return record

    async def post_prompt(
        self, workflow: Mapping[str, Any], extra_data: Mapping[str, Any], prompt_id: str
    ) -> tuple[bool, dict[str, Any]]:
        """Queue a workflow: whether it was taken, and ComfyUI's answer."""
        body = {"prompt": workflow, "extra_data": extra_data, "client_id": self._client_id, "prompt_id": prompt_id}
        self.posting = True
        try:
            async with self.http.call("POST", "prompt", POST_SECONDS, json=body) as response:
                _check_size(response, "the workflow")
                check_status(response, HTTPStatus.OK, HTTPStatus.BAD_REQUEST)
                return response.status == HTTPStatus.OK, await read_object(response)
        finally:
            self.posting = False

    async def upload(self, name: str, data: bytes, *, subfolder: str, folder: str) -> Stored:
        """Put a file into ComfyUI's ``folder`` (input, output or temp), over what has its name."""
        form = FormData({"subfolder": subfolder, "type": folder, "overwrite": "true"})
        form.add_field("image", data, filename=name, content_type="application/octet-stream")
        async with self.http.call("POST", "upload/image", POST_SECONDS, data=form) as response:
            _check_size(response, f"the file {name} of {len(data)} bytes")
            check_status(response, HTTPStatus.OK)
            saved = await read_object(response)
        return Stored(str(saved.get("name")), str(saved.get("subfolder", "")), str(saved.get("type", folder)))

    async def names(self, folder: str) -> Sequence[str]:
        """The files that lie directly in ComfyUI's ``folder``; none where this version does not list them."""
        async with self.http.call("GET", f"internal/files/{folder}", ANSWER_SECONDS) as response:
            if response.status != HTTPStatus.OK:
                return ()
            try:
                names = await read_json(response)
            except RuntimeFault:
                return ()
        # some versions append the folder, as in "a.png [temp]"
        return [str(name).removesuffix(f" [{folder}]") for name in names] if isinstance(names, list) else ()

    async def exists(self, stored: Stored) -> bool:
        """Whether /view would give the file, and more than nothing."""
        async with self.http.call("GET", "view", ANSWER_SECONDS, params=_where(stored)) as response:
            return response.status == HTTPStatus.OK and bool(await response.content.read(1))

    async def view(self, stored: Stored) -> AsyncIterator[bytes]:
        """A file's bytes, in chunks. An empty file raises as a missing one does: ComfyUI saves none."""
        size = 0
        async with self.http.call("GET", "view", None, params=_where(stored)) as response:
            if response.status != HTTPStatus.OK:
                raise RuntimeFault("output-lost", f"ComfyUI answered {response.status} for its file {stored.filename}")
            async for chunk in response.content.iter_chunked(CHUNK_BYTES):
                size += len(chunk)
                yield chunk
        if not size:
            raise RuntimeFault("output-lost", f"ComfyUI's file {stored.filename} is empty")

    async def forget_results(self) -> None:
        """Let ComfyUI drop what its nodes computed for earlier prompts, and with it the loaded models."""
        await self.http.post("free", {"free_memory": True})


def _where(stored: Stored) -> dict[str, str]:
    return {"filename": stored.filename, "subfolder": stored.subfolder, "type": stored.type}


def _check_size(response: ClientResponse, what: str) -> None:
    if response.status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
        raise PermanentError("too-large", f"{what} is larger than ComfyUI takes (its --max-upload-size)")
