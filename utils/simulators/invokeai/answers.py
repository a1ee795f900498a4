"""What the simulated InvokeAI reads of requests, and how it refuses them."""

import json
from typing import Any

from aiohttp import web
from aiohttp.typedefs import Handler
from pydantic import ValidationError

from utils.simulators.invokeai.gallery import ImageRecordNotFoundException


class Refused(Exception):
    """An answer that is no success; ``detail`` is a text, or the list of problems of a body."""

    def __init__(self, status: int, detail: str | list[dict[str, Any]]) -> None:
        super().__init__(status, detail)
        self.status = status
        self.detail = detail


@web.middleware
async def json_errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except Refused as refused:
        return web.json_response({"detail": refused.detail}, status=refused.status)
    except ImageRecordNotFoundException:
        return web.json_response({"detail": "Not Found"}, status=404)
    except web.HTTPException as error:
        return web.json_response({"detail": error.reason}, status=error.status)


async def json_body(request: web.Request) -> Any:
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


async def listed_names(request: web.Request, field: str) -> list[str]:
    """The list under ``field`` of the body. Raises Refused."""
    body = await json_body(request)
    listed = body.get(field) if isinstance(body, dict) else None
    if not isinstance(listed, list):
        raise Refused(422, f"{field} is required")
    return [str(entry) for entry in listed]


def problems(error: ValidationError) -> list[dict[str, Any]]:
    """What is wrong with the body, as FastAPI lists it: an exception in ``ctx`` becomes an empty object."""
    listed = []
    for problem in error.errors(include_url=False):
        plain = {**problem, "loc": ["body", *problem["loc"]]}
        if "error" in problem.get("ctx", {}):
            plain["ctx"] = {**problem["ctx"], "error": {}}
        listed.append(plain)
    return listed


def without_nulls(value: Any) -> Any:
    """The real one leaves nulls out of an item that it is asked for, but not out of one that it canceled."""
    if isinstance(value, dict):
        return {key: without_nulls(inner) for key, inner in value.items() if inner is not None}
    if isinstance(value, list):
        return [without_nulls(inner) for inner in value]
    return value
