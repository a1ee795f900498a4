"""The HTTP side of a simulated InvokeAI 6.x, answering as 6.14.2 was recorded to."""

import asyncio
import json
import logging
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from html import escape
from io import BytesIO
from typing import Any

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware
from PIL import Image, UnidentifiedImageError
from pydantic import ValidationError

from utils.simulators.base import Options
from utils.simulators.invokeai.gallery import Gallery, ImageRecordNotFoundException
from utils.simulators.invokeai.graph import EnqueueRequest
from utils.simulators.invokeai.queue import QUEUE_ID, Item, Queue, Status

VERSION = "6.14.2"
"""The release whose answers were recorded."""

MAX_BODY_BYTES = 64 * 1024 * 1024
"""Of a request: an upload of two of the largest linked files that the agent fetches by default."""

IMAGE_CATEGORIES = ("general", "mask", "control", "user", "other")

_log = logging.getLogger(__name__)


class Refused(Exception):
    """An answer that is no success; ``detail`` is a text, or the list of problems of a body."""

    def __init__(self, status: int, detail: str | list[dict[str, Any]]) -> None:
        super().__init__(status, detail)
        self.status = status
        self.detail = detail


def make_app(options: Options) -> web.Application:
    """The simulated server. While it starts (``options.startup_seconds``) it closes every connection unanswered: the
    real one does not listen before it is ready."""
    app = web.Application(client_max_size=MAX_BODY_BYTES, middlewares=[_closed_at_start(options), _json_errors])
    gallery = Gallery()
    queue = Queue(options, gallery)
    server = Server(options, gallery, queue)
    app.add_routes(server.routes())

    async def working(_: web.Application) -> AsyncIterator[None]:
        _log.info("simulated InvokeAI %s, named %s", VERSION, options.name)
        worker = asyncio.create_task(queue.work())
        yield
        worker.cancel()
        with suppress(asyncio.CancelledError):
            await worker

    app.cleanup_ctx.append(working)
    return app


class Server:
    """The routes, over one queue and one gallery."""

    def __init__(self, options: Options, gallery: Gallery, queue: Queue) -> None:
        self._options = options
        self._gallery = gallery
        self._queue = queue

    def routes(self) -> list[web.RouteDef]:
        queue, image = f"/api/v1/queue/{QUEUE_ID}", "/api/v1/images/i/{name}"
        return [
            web.get("/", self.page),
            web.get("/api/v1/app/version", self.version),
            web.post(f"{queue}/enqueue_batch", self.enqueue_batch),
            web.get(f"{queue}/status", self.queue_status),
            web.get(f"{queue}/b/{{batch_id}}/status", self.batch_status),
            web.get(f"{queue}/i/{{item_id:-?[0-9]+}}", self.item),
            web.put(f"{queue}/i/{{item_id:-?[0-9]+}}/cancel", self.cancel_item),
            web.put(f"{queue}/cancel_by_batch_ids", self.cancel_by_batch_ids),
            web.post("/api/v1/images/upload", self.upload),
            web.get(f"{queue}/list_all", self.all_items),
            web.get("/api/v1/boards/", self.boards),
            web.post("/api/v1/boards/", self.create_board),
            web.get("/api/v1/boards/{board_id}/image_names", self.board_image_names),
            web.get(image, self.image_dto),
            web.post("/api/v1/images/delete", self.delete_images),
            web.get(f"{image}/full", self.image_full),
        ]

    async def page(self, _: web.Request) -> web.Response:
        """For people who open the server in a browser."""
        models = "".join(f"<li><code>{escape(model)}</code></li>" for model in self._options.models)
        return web.Response(
            text=f"<!doctype html><title>simulated InvokeAI</title><h1>simulated InvokeAI {VERSION}</h1>"
            f"<p>Named {escape(self._options.name)}. Images are drawn, not generated. The API of the queue and "
            f"of the images is there, the UI and the socket are not.</p><p>Model keys:</p><ul>{models}</ul>",
            content_type="text/html",
        )

    async def version(self, _: web.Request) -> web.Response:
        return web.json_response({"version": VERSION})

    async def enqueue_batch(self, request: web.Request) -> web.Response:
        try:
            wanted = EnqueueRequest.model_validate(await _json_body(request))
        except ValidationError as error:
            raise Refused(422, _problems(error)) from error
        try:
            items = self._queue.enqueue(wanted.batch, prepend=wanted.prepend)
        except ValidationError as error:
            raise Refused(500, f"Unexpected error while enqueuing batch: {error}") from error
        return web.json_response(
            {
                "queue_id": QUEUE_ID,
                "enqueued": len(items),
                "requested": wanted.batch.count(),
                "batch": wanted.batch.model_dump(),
                "priority": items[0].priority if items else 0,
                # the real one lists the newest first
                "item_ids": [item.item_id for item in reversed(items)],
            }
        )

    async def queue_status(self, _: web.Request) -> web.Response:
        current = self._queue.current
        return web.json_response(
            {
                "queue": {
                    "queue_id": QUEUE_ID,
                    "item_id": current.item_id if current else None,
                    "batch_id": current.batch_id if current else None,
                    "session_id": current.session.id if current else None,
                    **self._queue.counts(),
                    "user_pending": 0,
                    "user_in_progress": 0,
                },
                "processor": {"is_started": True, "is_processing": self._queue.is_processing},
            }
        )

    async def batch_status(self, request: web.Request) -> web.Response:
        """An unknown batch is one without items, as with the real one."""
        batch_id = request.match_info["batch_id"]
        first = next(iter(self._queue.batch(batch_id)), None)
        return web.json_response(
            {
                "queue_id": QUEUE_ID,
                "batch_id": batch_id,
                "origin": first.origin if first else None,
                "destination": first.destination if first else None,
                **self._queue.counts(batch_id),
            }
        )

    async def item(self, request: web.Request) -> web.Response:
        return web.json_response(_without_nulls(self._item(request).dump()))

    async def cancel_item(self, request: web.Request) -> web.Response:
        """What ended stays as it is."""
        item = self._item(request)
        item.become(Status.CANCELED)
        return web.json_response(item.dump())

    async def cancel_by_batch_ids(self, request: web.Request) -> web.Response:
        items = [item for batch_id in await _listed(request, "batch_ids") for item in self._queue.batch(batch_id)]
        # the real one does not count the running item
        pending = sum(item.status is Status.PENDING for item in items)
        for item in items:
            item.become(Status.CANCELED)
        return web.json_response({"canceled": pending})

    async def upload(self, request: web.Request) -> web.Response:
        category, is_intermediate = request.query.get("image_category"), request.query.get("is_intermediate")
        form = await request.post()
        file = form.get("file")
        if category not in IMAGE_CATEGORIES or is_intermediate not in ("true", "false"):
            raise Refused(422, "image_category and is_intermediate are required")
        if not isinstance(file, web.FileField) or not file.content_type.startswith("image"):
            raise Refused(415, "Not an image")
        try:
            image = Image.open(BytesIO(file.file.read()))
            image.load()
        except (UnidentifiedImageError, OSError) as error:
            raise Refused(415, "Failed to read image") from error
        board_id = request.query.get("board_id")
        if board_id is not None and board_id not in self._gallery.boards:
            raise Refused(404, "Board not found")
        record = self._gallery.add(
            image, is_intermediate=is_intermediate == "true", category=category, board_id=board_id
        )
        return web.json_response(record.dto(), status=201)

    async def all_items(self, _: web.Request) -> web.Response:
        return web.json_response([_without_nulls(item.dump()) for item in self._queue.items()])

    async def boards(self, _: web.Request) -> web.Response:
        """The newest first, as by default in the real one."""
        boards = [{"board_id": board, "board_name": name} for board, name in self._gallery.boards.items()]
        return web.json_response(boards[::-1])

    async def create_board(self, request: web.Request) -> web.Response:
        name = request.query.get("board_name")
        if name is None:
            raise Refused(422, "board_name is required")
        return web.json_response({"board_id": self._gallery.add_board(name), "board_name": name}, status=201)

    async def board_image_names(self, request: web.Request) -> web.Response:
        return web.json_response(self._gallery.names(request.match_info["board_id"]))

    async def image_dto(self, request: web.Request) -> web.Response:
        return web.json_response(self._gallery.get(request.match_info["name"]).dto())

    async def image_full(self, request: web.Request) -> web.Response:
        return web.Response(body=self._gallery.get(request.match_info["name"]).data, content_type="image/png")

    async def delete_images(self, request: web.Request) -> web.Response:
        names = await _listed(request, "image_names")
        deleted = [name for name in names if self._gallery.delete(name)]
        return web.json_response({"affected_boards": ["none"] if deleted else [], "deleted_images": deleted})

    def _item(self, request: web.Request) -> Item:
        item_id = int(request.match_info["item_id"])
        item = self._queue.get(item_id)
        if item is None:
            raise Refused(404, f"Queue item with id {item_id} not found in queue {QUEUE_ID}")
        return item


def _closed_at_start(options: Options) -> Middleware:
    begun = time.monotonic()

    @web.middleware
    async def closed_at_start(request: web.Request, handler: Handler) -> web.StreamResponse:
        if time.monotonic() - begun < options.startup_seconds and request.transport is not None:
            request.transport.abort()
        return await handler(request)

    return closed_at_start


@web.middleware
async def _json_errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except Refused as refused:
        return web.json_response({"detail": refused.detail}, status=refused.status)
    except ImageRecordNotFoundException:
        return web.json_response({"detail": "Not Found"}, status=404)
    except web.HTTPException as error:
        return web.json_response({"detail": error.reason}, status=error.status)


async def _json_body(request: web.Request) -> Any:
    try:
        return json.loads(await request.read())
    except (ValueError, RecursionError) as error:
        problem = {
            "type": "json_invalid",
            "loc": ["body", getattr(error, "pos", 0)],
            "msg": "JSON decode error",
            "input": {},
            "ctx": {"error": getattr(error, "msg", str(error))},
        }
        raise Refused(422, [problem]) from error


async def _listed(request: web.Request, field: str) -> list[str]:
    """The list under ``field`` of the body. Raises Refused."""
    body = await _json_body(request)
    listed = body.get(field) if isinstance(body, dict) else None
    if not isinstance(listed, list):
        raise Refused(422, f"{field} is required")
    return [str(entry) for entry in listed]


def _problems(error: ValidationError) -> list[dict[str, Any]]:
    """What is wrong with the body, as FastAPI lists it: an exception in ``ctx`` becomes an empty object."""
    listed = []
    for problem in error.errors(include_url=False):
        plain = {**problem, "loc": ["body", *problem["loc"]]}
        if "error" in problem.get("ctx", {}):
            plain["ctx"] = {**problem["ctx"], "error": {}}
        listed.append(plain)
    return listed


def _without_nulls(value: Any) -> Any:
    """The real one leaves nulls out of an item that it is asked for, but not out of one that it canceled."""
    if isinstance(value, dict):
        return {key: _without_nulls(inner) for key, inner in value.items() if inner is not None}
    if isinstance(value, list):
        return [_without_nulls(inner) for inner in value]
    return value
