"""The image kit's routes, each call with its failures as faults. No request is sent twice."""

from http import HTTPStatus
from typing import Any

import orjson
from aiohttp import ClientSession
from yarl import URL

from contract.errors import MAX_TEXT, truncate
from queue_agent.errors import (
    AgentError,
    Interrupted,
    PermanentError,
    RuntimeBusy,
    RuntimeFault,
    RuntimeUnavailable,
)
from queue_agent.runtimes.body import MAX_ANSWER_BYTES, MAX_IMAGES_ANSWER_BYTES, AnswerTooLarge, read_body
from queue_agent.runtimes.breakage import is_broken, is_out_of_memory
from queue_agent.runtimes.http import exchange

ANSWER_SECONDS = 8.0
"""For questions; a model that runs leaves the server free to answer them."""

API_MISSING = "api-missing"
"""The type of the fault when a route is not served."""

JOB_HEADER = "X-Job-Id"


class Api:
    """Calls one image kit. Every call raises RuntimeUnavailable when it is not there and RuntimeFault when it answers
    nothing useful in time."""

    def __init__(self, url: URL, session: ClientSession) -> None:
        self._url = url
        self._session = session

    async def health(self) -> dict[str, Any]:
        """``{"image_kit": version, "job": id or None, "progress": 0..1 or None}``. Raises RuntimeUnavailable while the
        models are loaded."""
        body = await self._call("GET", "health", seconds=ANSWER_SECONDS)
        if not isinstance(body, dict) or not isinstance(body.get("image_kit"), str):
            raise RuntimeFault("bad-answer", "this is no image kit: its /health names no version")
        return body

    async def run(self, route: str, body: bytes, job_id: str) -> Any:
        """The answer to the request, however long it takes. Raises the fault that an error means."""
        return await self._call("POST", route, seconds=None, body=body, job_id=job_id)

    async def interrupt(self, job_id: str) -> None:
        """Stop the job; an unknown one is no error."""
        await self._call("POST", "interrupt", seconds=ANSWER_SECONDS, body=orjson.dumps({"job": job_id}))

    async def _call(
        self, method: str, route: str, *, seconds: float | None, body: bytes | None = None, job_id: str | None = None
    ) -> Any:
        headers = {"Content-Type": "application/json"} if body is not None else {}
        if job_id is not None:
            headers[JOB_HEADER] = job_id
        call = exchange(
            self._session,
            method,
            self._url,
            route,
            runtime="the image kit",
            total=seconds,
            silence=None,
            data=body,
            headers=headers,
        )
        try:
            async with call as answer:
                said = await read_body(answer, MAX_ANSWER_BYTES if seconds else MAX_IMAGES_ANSWER_BYTES)
        except AnswerTooLarge as error:
            raise _too_large(route, error, runs=seconds is None) from error
        return _checked(answer.status, _parsed(said), f"{method} /{route}")


def _too_large(route: str, error: AnswerTooLarge, *, runs: bool) -> AgentError:
    said = f"the image kit was asked for /{route}: {error}"
    if runs:
        return PermanentError("output-limit", f"{said}; send a smaller image, or a smaller scale")
    return RuntimeFault("bad-answer", said)


def _parsed(body: bytearray) -> Any:
    """JSON, or the text where it is none."""
    try:
        return orjson.loads(body)
    except ValueError:
        return body.decode(errors="replace")


def _checked(status: int, body: Any, asked: str) -> Any:
    """The body of a success. Raises the fault that any other status means."""
    if status == HTTPStatus.OK:
        return body
    kind = body.get("type") if isinstance(body, dict) else None
    said = _said(body)
    if kind == "interrupted":
        raise Interrupted("interrupted", "the job was interrupted; nothing of it is delivered")
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        fault = RuntimeBusy if kind == "busy" else RuntimeUnavailable
        raise fault("busy" if kind == "busy" else "runtime-starting", f"the image kit takes no request now: {said}")
    if status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
        raise PermanentError("invalid-request", "the image is larger than the image kit takes; send a smaller one")
    if status == HTTPStatus.BAD_REQUEST and kind:
        raise PermanentError("invalid-request", said)
    if status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
        raise RuntimeFault(
            "login-wanted",
            f"a proxy before the image kit wants a login: it answered {status} to {asked}; put user:password@ before "
            "the host of the runtime's address",
        )
    if status in {HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED}:
        raise RuntimeFault(
            API_MISSING, f"{asked} is not served: this is no image kit, or the address has a wrong path ({status})"
        )
    if is_out_of_memory(said):
        raise RuntimeFault("out-of-memory", f"the image kit has too little memory for the image: {said}")
    raise RuntimeFault("runtime-error", f"the image kit answered {status} to {asked}: {said}", broken=is_broken(said))


def _said(body: Any) -> str:
    """What an error says: its problems, each with its field of the content, else its message."""
    if not isinstance(body, dict):
        return truncate(str(body), MAX_TEXT)
    problems = [
        f"content.{one.get('field')}: {one.get('problem')}".replace("content.:", "content:")
        for one in body.get("errors") or ()
        if isinstance(one, dict)
    ]
    return truncate("; ".join(problems) or str(body.get("message")), MAX_TEXT)
