"""The HTTP side of a simulated InvokeAI 6.x, answering as 6.14.2 was recorded to."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from html import escape

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware
from pydantic import ValidationError

from utils.simulators.base import Options
from utils.simulators.invokeai.answers import Refused, json_body, json_errors, listed_names, problems, without_nulls
from utils.simulators.invokeai.graph import EnqueueRequest
from utils.simulators.invokeai.image_routes import ImageRoutes
from utils.simulators.invokeai.queue import ENDED, QUEUE_ID, Disk, Item, Queue, Status

VERSION = "6.14.2"
"""The release whose answers were recorded."""

MAX_BODY_BYTES = 64 * 1024 * 1024
"""Of a request: an upload of two of the largest linked files that the agent fetches by default."""

_log = logging.getLogger(__name__)


def make_app(options: Options, disk: Disk | None = None) -> web.Application:
    """The simulated server, over the disk of one that was stopped, or a new one. While it starts
    (``options.startup_seconds``) it closes every connection unanswered: the real one does not listen before it is
    ready."""
    app = web.Application(client_max_size=MAX_BODY_BYTES, middlewares=[_closed_at_start(options), json_errors])
    disk = disk or Disk()
    queue = Queue(options, disk)
    server = Server(options, queue)
    app.add_routes([*server.routes(), *ImageRoutes(disk.gallery).routes()])

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
    """The routes of the queue, and those that tell what the server is."""

    def __init__(self, options: Options, queue: Queue) -> None:
        self._options = options
        self._queue = queue

    def routes(self) -> list[web.RouteDef]:
        queue = f"/api/v1/queue/{QUEUE_ID}"
        return [
            web.get("/", self.page),
            web.get("/api/v1/app/version", self.version),
            web.post(f"{queue}/enqueue_batch", self.enqueue_batch),
            web.get(f"{queue}/status", self.queue_status),
            web.get(f"{queue}/b/{{batch_id}}/status", self.batch_status),
            web.get(f"{queue}/i/{{item_id:-?[0-9]+}}", self.item),
            web.put(f"{queue}/i/{{item_id:-?[0-9]+}}/cancel", self.cancel_item),
            web.put(f"{queue}/cancel_by_batch_ids", self.cancel_by_batch_ids),
            web.get(f"{queue}/list_all", self.all_items),
            web.put(f"{queue}/prune", self.prune),
            web.put(f"{queue}/clear", self.clear),
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
            wanted = EnqueueRequest.model_validate(await json_body(request))
        except ValidationError as error:
            raise Refused(422, problems(error)) from error
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
        return web.json_response(without_nulls(self._item(request).dump()))

    async def cancel_item(self, request: web.Request) -> web.Response:
        """What ended stays as it is."""
        item = self._item(request)
        item.become(Status.CANCELED)
        return web.json_response(item.dump())

    async def cancel_by_batch_ids(self, request: web.Request) -> web.Response:
        items = [item for batch_id in await listed_names(request, "batch_ids") for item in self._queue.batch(batch_id)]
        active = [item for item in items if item.status not in ENDED]
        for item in active:
            item.become(Status.CANCELED)
        return web.json_response({"canceled": len(active)})

    async def prune(self, _: web.Request) -> web.Response:
        """Forget what has ended."""
        ended = [item for item in self._queue.items() if item.status in ENDED]
        return web.json_response({"deleted": self._queue.remove(ended)})

    async def clear(self, _: web.Request) -> web.Response:
        """Forget everything, also what waits and what runs."""
        return web.json_response({"deleted": self._queue.remove(self._queue.items())})

    async def all_items(self, _: web.Request) -> web.Response:
        return web.json_response([item.dump() for item in self._queue.items()])

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
