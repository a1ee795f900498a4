"""A simulated ComfyUI on a free port, and a client that speaks to it as users' scripts do."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp
import pytest
from aiohttp.test_utils import TestServer

from utils.simulators.base import Options
from utils.simulators.comfyui import make_app
from utils.simulators.comfyui.disk import Disk
from utils.simulators.comfyui.server import DISK

CLIENT = "414544a42bae43b5bfbdf788fd7d466c"


@dataclass
class Comfy:
    """The server's address, a session with it, one open socket, and its folders behind its back."""

    url: str
    session: aiohttp.ClientSession
    socket: aiohttp.ClientWebSocketResponse
    disk: Disk
    client_id: str = CLIENT

    async def get(self, path: str) -> Any:
        async with self.session.get(self.url + path) as answer:
            return await answer.json()

    async def post(self, path: str, body: Any) -> aiohttp.ClientResponse:
        return await self.session.post(self.url + path, json=body)

    async def queue(self, prompt: dict[str, Any], **body: Any) -> str:
        answer = await self.post("/prompt", {"prompt": prompt, "client_id": CLIENT, **body})
        assert answer.status == 200, await answer.text()
        prompt_id: str = (await answer.json())["prompt_id"]
        return prompt_id

    async def events(self, *, until: tuple[str, str | None] = ("executing", None)) -> list[dict[str, Any]]:
        """The events up to the one of this type and node, previews left out."""
        events: list[dict[str, Any]] = []
        while not events or (events[-1]["type"], events[-1]["data"].get("node", "")) != until:
            message = await self.socket.receive(timeout=30)
            if message.type is aiohttp.WSMsgType.TEXT:
                events.append(json.loads(message.data))
        return events

    async def run(self, prompt: dict[str, Any], **body: Any) -> dict[str, Any]:
        """Queue the prompt, wait for its end and return its history record."""
        prompt_id = await self.queue(prompt, **body)
        await self.events()
        record: dict[str, Any] = (await self.get(f"/history/{prompt_id}"))[prompt_id]
        return record

    async def upload(self, name: str, data: bytes, **fields: str) -> dict[str, Any]:
        form = aiohttp.FormData(fields)
        form.add_field("image", data, filename=name, content_type="image/png")
        async with self.session.post(self.url + "/upload/image", data=form) as answer:
            uploaded: dict[str, Any] = await answer.json()
            return uploaded

    async def view(self, entry: dict[str, Any]) -> bytes:
        async with self.session.get(self.url + "/view", params=entry) as answer:
            assert answer.status == 200
            return await answer.read()


@asynccontextmanager
async def serve_comfy(options: Options) -> AsyncIterator[Comfy]:
    app = make_app(options)
    async with (
        TestServer(app) as server,
        aiohttp.ClientSession() as session,
        session.ws_connect(server.make_url("/ws"), params={"clientId": CLIENT}) as socket,
    ):
        yield Comfy(str(server.make_url("/")).rstrip("/"), session, socket, app[DISK])


@pytest.fixture
async def comfy() -> AsyncIterator[Comfy]:
    async with serve_comfy(Options(seconds_per_step=0.0)) as comfy:
        yield comfy
