"""The routes of the simulated ComfyUI, each also under /api as the real one serves them."""

import asyncio
import html
import json
import logging
import mimetypes
import os
import sys
import uuid
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import PurePosixPath
from typing import Any

from aiohttp import web
from aiohttp.typedefs import Handler

from utils.simulators.base import Options
from utils.simulators.comfyui.disk import Disk, Folder, OutsideFolder, Place
from utils.simulators.comfyui.execute import Executor
from utils.simulators.comfyui.node import World
from utils.simulators.comfyui.nodes import NODES
from utils.simulators.comfyui.queue import Item, PromptQueue
from utils.simulators.comfyui.sockets import Sockets
from utils.simulators.comfyui.validate import validate
from utils.simulators.drawing import draw, encode_png

VERSION = "0.3.64+simulated"
"""The ComfyUI whose recordings this server is held to; the version says that nothing was sampled."""

MAX_UPLOAD_BYTES = 100 * 1024 * 1024
"""The real one's --max-upload-size."""

MEMORY_BYTES = 16 * 1024**3
"""What /system_stats tells of memory that is not there."""

DISK = web.AppKey("disk", Disk)
"""The server's folders, for tests that look into them or remove a file behind its back."""

log = logging.getLogger(__name__)


def make_app(options: Options) -> web.Application:
    """A ComfyUI that draws. Until ``startup_seconds`` have passed it cuts every connection: the real one's port is
    closed meanwhile, and this one's may have to be taken early, to be known."""
    server = Server(options)
    app = web.Application(client_max_size=MAX_UPLOAD_BYTES, middlewares=[server.refuse_while_starting])
    app[DISK] = server.disk
    for prefix in ("", "/api"):
        app.add_routes(server.routes(prefix))
    app.cleanup_ctx.append(server.running)
    app.on_shutdown.append(server.close_sockets)
    return app


class Server:
    """The handlers, and what they share for the server's lifetime."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._world = World(options, Disk())
        self._sockets = Sockets()
        self._queue = PromptQueue(self._send_status)
        self._executor = Executor(NODES, self._world, self._queue, self._sockets)
        self._number = 0
        self._ready_at = 0.0
        example = encode_png(draw("example", 0, 512, 512, label=options.name))
        self._world.disk.write(Place(Folder.INPUT, "", "example.png"), example)

    @property
    def disk(self) -> Disk:
        return self._world.disk

    def routes(self, prefix: str) -> list[web.RouteDef]:
        """Every route below ``prefix``."""
        return [
            web.get(f"{prefix}/", self.show_page),
            web.get(f"{prefix}/ws", self.open_socket),
            web.get(f"{prefix}/prompt", self.show_remaining),
            web.post(f"{prefix}/prompt", self.queue_prompt),
            web.get(f"{prefix}/queue", self.show_queue),
            web.post(f"{prefix}/queue", self.change_queue),
            web.post(f"{prefix}/interrupt", self.interrupt),
            web.get(f"{prefix}/history", self.show_history),
            web.get(f"{prefix}/history/{{prompt_id}}", self.show_history),
            web.post(f"{prefix}/history", self.change_history),
            web.get(f"{prefix}/view", self.view),
            web.post(f"{prefix}/upload/image", self.upload),
            web.get(f"{prefix}/system_stats", self.show_stats),
            web.post(f"{prefix}/free", self.free),
            web.get(f"{prefix}/internal/files/{{folder}}", self.list_files),
            web.get(f"{prefix}/object_info", self.show_nodes),
            web.get(f"{prefix}/object_info/{{name}}", self.show_nodes),
            web.get(f"{prefix}/embeddings", self.show_embeddings),
        ]

    async def running(self, _app: web.Application) -> AsyncIterator[None]:
        """Run prompts for as long as the server serves."""
        log.info("simulated ComfyUI %s: no model is loaded, images are drawn", self._options.name)
        self._ready_at = asyncio.get_running_loop().time() + self._options.startup_seconds
        serving = asyncio.create_task(self._executor.serve())
        yield
        serving.cancel()
        with suppress(asyncio.CancelledError):
            await serving

    @web.middleware
    async def refuse_while_starting(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        if asyncio.get_running_loop().time() >= self._ready_at:
            return await handler(request)
        if request.transport is not None:
            request.transport.abort()
        return web.Response(status=503)

    async def close_sockets(self, _app: web.Application) -> None:
        await self._sockets.close()

    async def show_page(self, _request: web.Request) -> web.Response:
        name = html.escape(self._options.name)
        page = (
            f"<!doctype html><title>{name}: simulated ComfyUI</title><h1>{name}: a simulated ComfyUI</h1>"
            f"<p>It answers as ComfyUI {VERSION} and draws the prompt instead of sampling a model. Its nodes: "
            f"{', '.join(sorted(NODES))}.</p>"
        )
        return web.Response(text=page, content_type="text/html")

    async def open_socket(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        client_id = request.query.get("clientId") or uuid.uuid4().hex
        self._sockets.add(client_id, socket)
        try:
            await self._sockets.send("status", {"status": self._remaining(), "sid": client_id}, client_id)
            async for _ in socket:
                pass
        finally:
            self._sockets.remove(client_id, socket)
        return socket

    async def show_remaining(self, _request: web.Request) -> web.Response:
        return web.json_response(self._remaining())

    async def queue_prompt(self, request: web.Request) -> web.Response:
        body = await _json(request)
        prompt = body.get("prompt")
        if prompt is None:
            error = {"type": "no_prompt", "message": "No prompt provided", "details": "", "extra_info": {}}
            return web.json_response({"error": error, "node_errors": {}}, status=400)
        if not isinstance(prompt, dict) or not all(isinstance(node, dict) for node in prompt.values()):
            raise web.HTTPInternalServerError
        number = float(body["number"]) if "number" in body else -self._number if body.get("front") else self._number
        self._number += 1
        verdict = validate(prompt, NODES, self._world)
        if verdict.error:
            return web.json_response({"error": verdict.error, "node_errors": verdict.node_errors}, status=400)
        extra_data = dict(body.get("extra_data") or {})
        if "client_id" in body:
            extra_data["client_id"] = body["client_id"]
        prompt_id = str(body.get("prompt_id") or uuid.uuid4())
        await self._queue.put(Item(number, prompt_id, prompt, extra_data, verdict.outputs))
        return web.json_response({"prompt_id": prompt_id, "number": number, "node_errors": verdict.node_errors})

    async def show_queue(self, _request: web.Request) -> web.Response:
        running, pending = self._queue.running, self._queue.pending
        return web.json_response(
            {"queue_running": [item.entry for item in running], "queue_pending": [item.entry for item in pending]}
        )

    async def change_queue(self, request: web.Request) -> web.Response:
        body = await _json(request)
        if body.get("clear"):
            await self._queue.drop()
        if "delete" in body:
            await self._queue.drop(body["delete"])
        return web.Response()

    async def interrupt(self, request: web.Request) -> web.Response:
        body = await _json(request) if request.can_read_body else {}
        self._queue.interrupt(body.get("prompt_id"))
        return web.Response()

    async def show_history(self, request: web.Request) -> web.Response:
        return web.json_response(self._queue.history(request.match_info.get("prompt_id")))

    async def change_history(self, request: web.Request) -> web.Response:
        body = await _json(request)
        if body.get("clear"):
            self._queue.forget()
        if "delete" in body:
            self._queue.forget(body["delete"])
        return web.Response()

    async def view(self, request: web.Request) -> web.Response:
        try:
            folder = Folder(request.query.get("type", Folder.OUTPUT))
            place = Place.of(folder, request.query.get("subfolder", ""), request.query.get("filename", ""))
        except OutsideFolder:
            return web.Response(status=403)
        except ValueError:
            return web.Response(status=400)
        data = self._world.disk.read(place)
        if data is None:
            return web.Response(status=404)
        media_type = mimetypes.guess_type(place.filename)[0] or "application/octet-stream"
        headers = {"Content-Disposition": f'filename="{place.filename}"'}
        return web.Response(body=data, content_type=media_type, headers=headers)

    async def upload(self, request: web.Request) -> web.Response:
        form = await request.post()
        image = form.get("image")
        if not isinstance(image, web.FileField) or not image.filename:
            return web.Response(status=400)
        try:
            folder = Folder(str(form.get("type", Folder.INPUT)))
            subfolder = str(form.get("subfolder", ""))
            place = Place.of(folder, subfolder, image.filename)
        except ValueError:
            return web.Response(status=400)
        data = image.file.read()
        if form.get("overwrite") not in {"true", "1"}:
            place = self._unused(place, data)
        self._world.disk.write(place, data)
        return web.json_response({"name": place.filename, "subfolder": subfolder, "type": folder.value})

    def _unused(self, place: Place, data: bytes) -> Place:
        """``name (1).png`` and so on, where the name is taken by another content."""
        name = PurePosixPath(place.filename)
        number, free = 0, place
        while self._world.disk.read(free) not in {None, data}:
            number += 1
            free = Place(place.folder, place.subfolder, f"{name.stem} ({number}){name.suffix}")
        return free

    async def show_stats(self, _request: web.Request) -> web.Response:
        memory = dict.fromkeys(("vram_total", "vram_free", "torch_vram_total", "torch_vram_free"), MEMORY_BYTES)
        system = {
            "os": os.name,
            "ram_total": MEMORY_BYTES,
            "ram_free": MEMORY_BYTES,
            "comfyui_version": VERSION,
            "required_frontend_version": "simulated",
            "installed_templates_version": "simulated",
            "required_templates_version": "simulated",
            "python_version": sys.version,
            "pytorch_version": "simulated",
            "embedded_python": False,
            "argv": ["simulated"],
        }
        device = {"name": f"{self._options.name} (simulated)", "type": "cpu", "index": None, **memory}
        return web.json_response({"system": system, "devices": [device]})

    async def free(self, request: web.Request) -> web.Response:
        if (await _json(request)).get("free_memory"):
            self._executor.forget()
        return web.Response()

    async def list_files(self, request: web.Request) -> web.Response:
        """The names of the files that lie directly in the folder, the newest first."""
        try:
            folder = Folder(request.match_info["folder"])
        except ValueError:
            return web.json_response({"error": "Invalid directory type"}, status=400)
        places = reversed(self._world.disk.places(folder))
        return web.json_response([place.filename for place in places if not place.subfolder])

    async def show_nodes(self, request: web.Request) -> web.Response:
        name = request.match_info.get("name")
        chosen = NODES.values() if name is None else [NODES[name]] if name in NODES else []
        return web.json_response({node.name: node.info(self._world) for node in chosen})

    async def show_embeddings(self, _request: web.Request) -> web.Response:
        return web.json_response([])

    def _remaining(self) -> dict[str, Any]:
        return {"exec_info": {"queue_remaining": self._queue.remaining}}

    async def _send_status(self) -> None:
        await self._sockets.send("status", {"status": self._remaining()})


async def _json(request: web.Request) -> dict[str, Any]:
    """The body; the real server answers 500 to one that is no JSON object."""
    try:
        body = json.loads(await request.text())
    except ValueError as error:
        raise web.HTTPInternalServerError from error
    if not isinstance(body, dict):
        raise web.HTTPInternalServerError
    return body
