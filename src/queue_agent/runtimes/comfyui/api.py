"""ComfyUI's routes, each call with a time limit and its failures as faults. No prompt is sent twice."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from aiohttp import (
    ClientConnectionError,
    ClientError,
    ClientResponse,
    ClientSession,
    ClientTimeout,
    ConnectionTimeoutError,
    FormData,
)
from yarl import URL

from contract.errors import shown
from queue_agent.errors import PermanentError, RuntimeFault, RuntimeUnavailable
from queue_agent.runtimes.comfyui.record import Stored

CONNECT_SECONDS = 5.0
ANSWER_SECONDS = 10.0
"""For questions: ComfyUI answers them in milliseconds, unless it loads a model and holds its interpreter."""

READY_SECONDS = 3.0

POST_SECONDS = 60.0
"""For prompts and uploads: a workflow is checked node by node, a file has to be carried."""

SILENCE_SECONDS = 30.0
"""A file that is being fetched may pause this long."""

STOP_SECONDS = 5.0
"""A sampling step that is under way is not cut short; a caller that can wait for a longer one asks again."""

STOP_POLL = 0.1

CHUNK_BYTES = 256 * 1024


@dataclass(frozen=True, slots=True)
class Queued:
    """A prompt in ComfyUI's queue."""

    prompt_id: str
    client_id: str | None
    running: bool


@dataclass(frozen=True, slots=True)
class Upload:
    """A file in ComfyUI's input folder."""

    name: str
    subfolder: str

    @property
    def input_name(self) -> str:
        """What a loader's input takes."""
        return f"{self.subfolder}/{self.name}" if self.subfolder else self.name


class Api:
    """Calls one ComfyUI as the client ``client_id``. Every call raises RuntimeUnavailable when ComfyUI is not there and
    RuntimeFault when it answers nothing useful in time."""

    def __init__(self, url: URL, session: ClientSession, client_id: str) -> None:
        self._url = url
        self._session = session
        self._client_id = client_id
        self._posting = False

    async def version(self) -> str:
        """ComfyUI's version, as /system_stats tells it within READY_SECONDS."""
        system = (await self._get("system_stats", READY_SECONDS)).get("system")
        if not isinstance(system, dict):
            raise RuntimeFault("runtime-error", f"ComfyUI's /system_stats tells of no system: {shown(system)}")
        return str(system.get("comfyui_version", "unknown"))

    async def record(self, prompt_id: str) -> dict[str, Any] | None:
        """The prompt's history record, None before its end."""
        record: dict[str, Any] | None = (await self._get(f"history/{prompt_id}")).get(prompt_id)
        return record

    async def queue(self) -> list[Queued]:
        """Every prompt that runs or waits, whoever sent it."""
        queue = await self._get("queue")
        return [
            Queued(str(item[1]), item[3].get("client_id") if isinstance(item[3], dict) else None, running)
            for name, running in (("queue_running", True), ("queue_pending", False))
            for item in queue.get(name, ())
        ]

    async def idle(self) -> bool:
        """Whether the queue holds no prompt of this client, and none is on its way there."""
        return not self._posting and not await self._ours()

    async def stop(self) -> bool:
        """Take this client's prompts from the queue and interrupt the one that runs, again and again: ComfyUI forgets
        an interrupt that comes just before a prompt starts. Whether none was left within STOP_SECONDS. Never raises."""
        try:
            async with asyncio.timeout(STOP_SECONDS):
                while not await self._stop_once():  # noqa: ASYNC110 - the queue lies in another process
                    await asyncio.sleep(STOP_POLL)
        except TimeoutError:
            return False
        return True

    async def post_prompt(
        self, workflow: Mapping[str, Any], extra_data: Mapping[str, Any], prompt_id: str
    ) -> tuple[bool, dict[str, Any]]:
        """Queue a workflow: whether it was taken, and ComfyUI's answer."""
        body = {"prompt": workflow, "extra_data": extra_data, "client_id": self._client_id, "prompt_id": prompt_id}
        self._posting = True
        try:
            async with self._call("POST", "prompt", POST_SECONDS, json=body) as answer:
                _check_size(answer, "the workflow")
                _check(answer, HTTPStatus.OK, HTTPStatus.BAD_REQUEST)
                return answer.status == HTTPStatus.OK, await _json(answer)
        finally:
            self._posting = False

    async def upload(self, name: str, subfolder: str, data: bytes) -> Upload:
        """Put a file into the input folder, over what has its name."""
        form = FormData({"subfolder": subfolder, "type": "input", "overwrite": "true"})
        form.add_field("image", data, filename=name, content_type="application/octet-stream")
        async with self._call("POST", "upload/image", POST_SECONDS, data=form) as answer:
            _check_size(answer, f"the file {name} of {len(data)} bytes")
            _check(answer, HTTPStatus.OK)
            saved = await _json(answer)
        return Upload(str(saved.get("name")), str(saved.get("subfolder", "")))

    async def view(self, stored: Stored) -> AsyncIterator[bytes]:
        """A file's bytes, in chunks. An empty file raises as a missing one does: ComfyUI saves none."""
        where = {"filename": stored.filename, "subfolder": stored.subfolder, "type": stored.type}
        size = 0
        async with self._call("GET", "view", None, params=where) as answer:
            if answer.status != HTTPStatus.OK:
                raise RuntimeFault("output-lost", f"ComfyUI answered {answer.status} for its file {stored.filename}")
            async for chunk in answer.content.iter_chunked(CHUNK_BYTES):
                size += len(chunk)
                yield chunk
        if not size:
            raise RuntimeFault("output-lost", f"ComfyUI's file {stored.filename} is empty")

    async def _ours(self) -> list[Queued]:
        return [queued for queued in await self.queue() if queued.client_id == self._client_id]

    async def _stop_once(self) -> bool:
        """Whether nothing was left to stop."""
        try:
            ours = await self._ours()
            for queued in ours:
                if queued.running:
                    await self._post("interrupt", {"prompt_id": queued.prompt_id})
                else:
                    await self._post("queue", {"delete": [queued.prompt_id]})
        except RuntimeFault:
            return False
        return not ours and not self._posting

    async def _get(self, path: str, seconds: float | None = None) -> dict[str, Any]:
        async with self._call("GET", path, seconds or ANSWER_SECONDS) as answer:
            _check(answer, HTTPStatus.OK)
            return await _json(answer)

    async def _post(self, path: str, body: Mapping[str, Any]) -> None:
        async with self._call("POST", path, ANSWER_SECONDS, json=body) as answer:
            _check(answer, HTTPStatus.OK)

    @asynccontextmanager
    async def _call(self, method: str, path: str, seconds: float | None, **more: Any) -> AsyncIterator[ClientResponse]:
        limits = ClientTimeout(total=seconds, sock_connect=CONNECT_SECONDS, sock_read=seconds or SILENCE_SECONDS)
        try:
            async with self._session.request(method, self._url / path, timeout=limits, **more) as answer:
                yield answer
        except ConnectionTimeoutError as error:
            raise RuntimeUnavailable("runtime-gone", f"ComfyUI cannot be reached: {error}") from error
        except TimeoutError as error:
            raise RuntimeFault("runtime-silent", f"ComfyUI did not answer {method} /{path} in time") from error
        except ClientConnectionError as error:
            raise RuntimeUnavailable("runtime-gone", f"ComfyUI cannot be reached: {error}") from error
        except ClientError as error:
            raise RuntimeUnavailable(
                "runtime-gone", f"ComfyUI broke off its answer to {method} /{path}: {error}"
            ) from error


def _check(answer: ClientResponse, *expected: HTTPStatus) -> None:
    if answer.status not in expected:
        raise RuntimeFault("runtime-error", f"ComfyUI answered {answer.status} to {answer.method} {answer.url.path}")


def _check_size(answer: ClientResponse, what: str) -> None:
    if answer.status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
        raise PermanentError("too-large", f"{what} is larger than ComfyUI takes (its --max-upload-size)")


async def _json(answer: ClientResponse) -> dict[str, Any]:
    try:
        value = await answer.json(content_type=None)
    except ValueError as error:
        raise RuntimeFault("runtime-error", f"ComfyUI's answer to {answer.url.path} is not JSON") from error
    if not isinstance(value, dict):
        raise RuntimeFault("runtime-error", f"ComfyUI's answer to {answer.url.path} is no JSON object")
    return value
