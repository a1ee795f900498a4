"""The simulated WebUI's routes below ``/sdapi/v1``, its page, and how errors become answers."""

import json
import logging
import os
import time
from collections.abc import Awaitable, Callable
from html import escape
from http import HTTPStatus
from typing import Any, TypeVar

from aiohttp import web
from pydantic import TypeAdapter, ValidationError

from utils.simulators.base import Options
from utils.simulators.sdwebui import drawing, lists
from utils.simulators.sdwebui.flavour import Refusal
from utils.simulators.sdwebui.requests import ExtraBatchImages, ExtraSingleImage, Interrogate, PngInfo
from utils.simulators.sdwebui.webui import WebUI

API = "/sdapi/v1"

MAX_BODY_BYTES = 256 * 1024 * 1024
"""The real one has no limit; this one only keeps a mistake from filling the memory."""

log = logging.getLogger(__name__)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Body = TypeVar("Body")


def make_app(options: Options) -> web.Application:
    """A server of one simulated WebUI.

    Until ``startup_seconds`` have passed its routes answer 404, as the real one's do between opening its port and
    adding the API to it; before that the real one refuses connections, which every client notices by itself.
    """
    webui = WebUI(options)
    app = web.Application(
        client_max_size=MAX_BODY_BYTES,
        middlewares=[_errors(webui), _starting(time.monotonic() + options.startup_seconds)],
    )
    routes = Routes(webui, options.name)
    app.add_routes(
        [
            web.get("/", routes.page),
            web.post(f"{API}/txt2img", routes.text_to_image),
            web.post(f"{API}/img2img", routes.image_to_image),
            web.post(f"{API}/extra-single-image", routes.extra_single_image),
            web.post(f"{API}/extra-batch-images", routes.extra_batch_images),
            web.post(f"{API}/png-info", routes.png_info),
            web.post(f"{API}/interrogate", routes.interrogate),
            web.get(f"{API}/options", routes.options),
            web.post(f"{API}/options", routes.set_options),
            web.get(f"{API}/sd-models", routes.models),
            web.get(f"{API}/samplers", routes.samplers),
            web.get(f"{API}/upscalers", routes.upscalers),
            web.get(f"{API}/schedulers", routes.schedules),
            web.get(f"{API}/progress", routes.progress),
            web.get(f"{API}/memory", routes.memory),
            web.post(f"{API}/interrupt", routes.interrupt),
            web.post(f"{API}/skip", routes.skip),
            web.post(f"{API}/refresh-checkpoints", routes.refresh),
            web.post(f"{API}/unload-checkpoint", routes.nothing),
            web.post(f"{API}/reload-checkpoint", routes.nothing),
            *(web.get(f"{API}/{name}", routes.constant) for name in lists.LISTS),
        ]
    )
    log.info("simulated SD WebUI %r, version %s: it draws, no model is at work", options.name, webui.flavour.version)
    return app


class Routes:
    """One method a route."""

    def __init__(self, webui: WebUI, name: str) -> None:
        self._webui = webui
        self._name = name

    async def page(self, _: web.Request) -> web.Response:
        name, version = escape(self._name), escape(self._webui.flavour.version)
        text = (
            f"<!doctype html><title>Simulated SD WebUI</title><h1>Simulated SD WebUI: {name}</h1><p>Version {version}."
        )
        return web.Response(
            text=f"{text} It answers as a real one does below {API}, and draws instead of generating.</p>",
            content_type="text/html",
        )

    async def text_to_image(self, request: web.Request) -> web.Response:
        return _json(await self._webui.generate(await _parsed(request, self._webui.flavour.text_to_image)))

    async def image_to_image(self, request: web.Request) -> web.Response:
        return _json(await self._webui.generate(await _parsed(request, self._webui.flavour.image_to_image)))

    async def extra_single_image(self, request: web.Request) -> web.Response:
        body = await _parsed(request, ExtraSingleImage)
        images, words = await self._webui.upscale([body.image], body)
        return _json({"html_info": words, "image": images[0]})

    async def extra_batch_images(self, request: web.Request) -> web.Response:
        body = await _parsed(request, ExtraBatchImages)
        images, words = await self._webui.upscale([item.data for item in body.imageList], body)
        return _json({"html_info": words, "images": images})

    async def png_info(self, request: web.Request) -> web.Response:
        image = drawing.decode((await _parsed(request, PngInfo)).image)
        items = {key: value for key, value in image.info.items() if isinstance(value, str)}
        return _json({"info": items.get("parameters", ""), "items": items, "parameters": {}})

    async def interrogate(self, request: web.Request) -> web.Response:
        return _json({"caption": await self._webui.interrogate(await _parsed(request, Interrogate))})

    async def options(self, _: web.Request) -> web.Response:
        return _json(self._webui.options())

    async def set_options(self, request: web.Request) -> web.Response:
        await self._webui.set_options(await _parsed(request, dict[str, Any]))
        return _json(None)

    async def models(self, _: web.Request) -> web.Response:
        return _json([checkpoint.as_item() for checkpoint in self._webui.checkpoints.all])

    async def samplers(self, _: web.Request) -> web.Response:
        return _json(self._webui.flavour.samplers)

    async def upscalers(self, _: web.Request) -> web.Response:
        return _json(self._webui.flavour.upscalers)

    async def schedules(self, _: web.Request) -> web.Response:
        if not self._webui.flavour.schedules:
            raise web.HTTPNotFound
        usual = {"aliases": None, "default_rho": -1.0, "need_inner_model": False}
        labels = self._webui.flavour.schedules
        return _json([{"name": label.lower().replace(" ", "_"), "label": label, **usual} for label in labels])

    async def progress(self, request: web.Request) -> web.Response:
        skip = request.query.get("skip_current_image", "false").lower() in {"true", "1", "on", "yes"}
        return _json(self._webui.progress(preview=not skip))

    async def memory(self, _: web.Request) -> web.Response:
        page = os.sysconf("SC_PAGE_SIZE")
        total, free = page * os.sysconf("SC_PHYS_PAGES"), page * os.sysconf("SC_AVPHYS_PAGES")
        ram = {"free": float(free), "used": total - free, "total": float(total)}
        return _json({"ram": ram, "cuda": {"error": "unavailable"}})

    async def interrupt(self, _: web.Request) -> web.Response:
        self._webui.state.job.interrupted = True
        return _json({})

    async def skip(self, _: web.Request) -> web.Response:
        self._webui.state.job.skipped = True
        return _json(None)

    async def refresh(self, _: web.Request) -> web.Response:
        await self._webui.refresh()
        return _json(None)

    async def nothing(self, _: web.Request) -> web.Response:
        return _json({})

    async def constant(self, request: web.Request) -> web.Response:
        return _json(lists.LISTS[request.path.rpartition("/")[2]])


def _json(value: Any, status: int = HTTPStatus.OK) -> web.Response:
    return web.json_response(value, status=status)


async def _parsed(request: web.Request, kind: type[Body]) -> Body:
    """The body as ``kind``. Raises ValidationError, which becomes 422, for one that is not JSON or does not fit."""
    try:
        value = json.loads(await request.read())
    except (ValueError, RecursionError):
        value = None
    return TypeAdapter(kind).validate_python(value)


def _errors(webui: WebUI) -> Any:
    """Turn everything that is raised into the flavour's answers."""

    @web.middleware
    async def errors(request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            return await handler(request)
        except web.HTTPException as error:
            return _json({"detail": error.reason}, error.status)
        except ValidationError as error:
            return _json(webui.flavour.invalid(error), HTTPStatus.UNPROCESSABLE_ENTITY)
        except Refusal as refusal:
            return _json(webui.flavour.refused(refusal), refusal.status)
        except Exception as error:  # noqa: BLE001 - the real one tells its callers every exception
            log.info("simulated: %s raised %s: %s", request.path, type(error).__name__, error)
            return _json(webui.flavour.crashed(error), HTTPStatus.INTERNAL_SERVER_ERROR)

    return errors


def _starting(ready_at: float) -> Any:
    @web.middleware
    async def starting(request: web.Request, handler: Handler) -> web.StreamResponse:
        if time.monotonic() < ready_at:
            raise web.HTTPNotFound
        return await handler(request)

    return starting
