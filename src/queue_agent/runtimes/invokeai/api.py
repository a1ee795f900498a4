"""InvokeAI's routes, each call with a time limit and its failures as faults. No batch is sent twice."""

import json
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence, Set
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Any

from aiohttp import ClientResponse, ClientSession, FormData
from yarl import URL

from queue_agent.errors import PermanentError, RuntimeFault
from queue_agent.runtimes.base import File
from queue_agent.runtimes.body import MAX_ANSWER_BYTES, MAX_LIST_BYTES, AnswerTooLarge, read_body
from queue_agent.runtimes.http import exchange
from queue_agent.runtimes.invokeai.faults import cut, problems

QUEUE = "api/v1/queue/default"
"""The queue that InvokeAI's own UI uses; others are possible, but nothing shows them."""

IMAGES, BOARDS = "api/v1/images", "api/v1/boards"

NOT_SERVED = "api-missing"
"""The type of the fault when a route is not served."""

STATUS = f"{QUEUE}/status"

ANSWER_SECONDS = 60.0
"""For whatever a run needs: a server that loads a model may hold its interpreter for a while."""

LOOK_SECONDS = 8.0
"""For a look at whether it is there, and for stopping and clearing up, which are tried again or left."""

CHUNK_BYTES = 256 * 1024

NAMES_AT_ONCE = 100
"""Images in one request: InvokeAI refuses more than 1,000, and each takes it some milliseconds."""

MISFIT = "while enqueuing batch: 1 validation error"
"""In an answer of 500: a value of the batch's ``data`` does not fit its field. They are put in one at a time."""

UNFIT = frozenset({HTTPStatus.REQUEST_ENTITY_TOO_LARGE, HTTPStatus.UNSUPPORTED_MEDIA_TYPE})
"""How an upload is refused that is too large, or no image."""


class Api:
    """Calls one InvokeAI. Every call raises RuntimeUnavailable when it is not there and RuntimeFault when it answers
    nothing useful in time."""

    def __init__(self, url: URL, session: ClientSession) -> None:
        self._url = url
        self._session = session

    async def version(self) -> str | None:
        version: str | None = (await self._json("GET", "api/v1/app/version")).get("version")
        return version

    async def queue_status(self) -> dict[str, Any]:
        """``{"queue": {"batch_id", counts …}, "processor": {"is_started", "is_processing"}}``, within LOOK_SECONDS."""
        return await self._json("GET", STATUS, seconds=LOOK_SECONDS)

    async def enqueue(self, batch: Mapping[str, Any], *, place: str) -> dict[str, Any]:
        """Queue the batch, which is at ``place`` of the content. Raises PermanentError when it is refused."""
        body = {"batch": batch, "prepend": False}
        async with self._call("POST", f"{QUEUE}/enqueue_batch", json=body) as answer:
            body = await _body(answer)
        if answer.status == HTTPStatus.UNPROCESSABLE_ENTITY or (not answer.ok and MISFIT in str(body)):
            raise PermanentError("invalid-graph", problems(_detail(body), place=place))
        return _checked(answer, body)

    async def batch_status(self, batch_id: str) -> dict[str, Any]:
        """How many items the batch has of each status, and its ``total``: 0 for an unknown one."""
        return await self._json("GET", f"{QUEUE}/b/{batch_id}/status")

    async def item(self, item_id: int) -> dict[str, Any]:
        """The queue item with its session."""
        return await self._json("GET", f"{QUEUE}/i/{item_id}")

    async def items_of(self, item_ids: Sequence[int]) -> list[dict[str, Any]]:
        """The queue items of a batch that ended, each with its session. Raises PermanentError when all of them have
        more than MAX_ANSWER_BYTES: each holds the graph three times, and a batch may have many."""
        found: list[dict[str, Any]] = []
        left = MAX_ANSWER_BYTES
        for item_id in item_ids:
            try:
                async with self._call("GET", f"{QUEUE}/i/{item_id}") as answer:
                    body = await read_body(answer, left)
            except AnswerTooLarge as error:
                raise PermanentError(
                    "output-limit",
                    f"InvokeAI's report of the batch's {len(item_ids)} items has more than {MAX_ANSWER_BYTES} bytes; "
                    "send a smaller graph, or fewer runs",
                ) from error
            left -= len(body)
            found.append(_checked(answer, _parsed(body)))
        return found

    async def items(self) -> list[dict[str, Any]]:
        """Every item that the queue remembers, each with its session: large, so not for every run."""
        async with self._call("GET", f"{QUEUE}/list_all") as answer:
            body = await _body(answer, MAX_LIST_BYTES)
        if not answer.ok or not isinstance(body, list):
            raise RuntimeFault("runtime-error", f"InvokeAI answered {answer.status} to the question for its items")
        return [item for item in body if isinstance(item, dict)]

    async def cancel_batches(self, batch_ids: Sequence[str]) -> None:
        """Cancel what the queue holds of the batches: what waits before what runs, so that none of it starts in
        between. What ended, or is no longer known, stays as it is."""
        body = {"batch_ids": list(batch_ids)}
        await self._json("PUT", f"{QUEUE}/cancel_by_batch_ids", seconds=LOOK_SECONDS, json=body)

    async def find_board(self, name: str) -> str | None:
        """The id of the oldest board of that name; None where there is none."""
        async with self._call("GET", f"{BOARDS}/", seconds=LOOK_SECONDS, params={"all": "true"}) as answer:
            body = await _body(answer)
        boards = body if answer.ok and isinstance(body, list) else []
        return next((str(board["board_id"]) for board in reversed(boards) if board.get("board_name") == name), None)

    async def create_board(self, name: str) -> str | None:
        """A new board's id; None where InvokeAI makes none."""
        async with self._call("POST", f"{BOARDS}/", seconds=LOOK_SECONDS, params={"board_name": name}) as answer:
            body = await _body(answer)
        return str(body["board_id"]) if answer.ok and isinstance(body, dict) and "board_id" in body else None

    async def board_images(self, board_id: str) -> list[str]:
        """The names of all images of the board."""
        async with self._call("GET", f"{BOARDS}/{board_id}/image_names", seconds=LOOK_SECONDS) as answer:
            body = await _body(answer)
        return [str(name) for name in body] if answer.ok and isinstance(body, list) else []

    async def upload(self, file: File, board_id: str | None = None) -> str:
        """Upload an intermediate image, into the board, and return its name. Raises PermanentError for what is no
        image."""
        form = FormData()
        form.add_field("file", file.data, filename=file.name, content_type=file.media_type)
        query = {"image_category": "user", "is_intermediate": "true"} | ({"board_id": board_id} if board_id else {})
        async with self._call("POST", f"{IMAGES}/upload", params=query, data=form) as answer:
            if answer.status in UNFIT:
                said = cut(_detail(await _body(answer)))
                raise PermanentError(
                    "not-a-picture", f"InvokeAI does not take {file.name!r} ({file.media_type}): {said}"
                )
            return str((await _object(answer))["image_name"])

    async def delete(self, names: Sequence[str]) -> None:
        """Delete the images; an unknown name is no error."""
        for part in _parts(names):
            await self._json("POST", f"{IMAGES}/delete", seconds=LOOK_SECONDS, json={"image_names": part})

    async def delete_of(self, names: Sequence[str], sessions: Set[str]) -> None:
        """Delete those of the images that a node of one of the sessions made: nobody else's, whatever names them."""
        for part in _parts(names):
            async with self._call(
                "POST", f"{IMAGES}/images_by_names", seconds=LOOK_SECONDS, json={"image_names": part}
            ) as answer:
                body = await _body(answer)
            images = body if answer.ok and isinstance(body, list) else []
            await self.delete([image["image_name"] for image in images if image.get("session_id") in sessions])

    async def image(self, name: str) -> AsyncIterator[bytes]:
        """The image's bytes, in chunks."""
        async with self._call("GET", f"{IMAGES}/i/{name}/full", whole=False) as answer:
            if not answer.ok:
                raise RuntimeFault("output-lost", f"InvokeAI answered {answer.status} for its image {name}")
            async for chunk in answer.content.iter_chunked(CHUNK_BYTES):
                yield chunk

    async def _json(self, method: str, path: str, **more: Any) -> dict[str, Any]:
        async with self._call(method, path, **more) as answer:
            return await _object(answer)

    @asynccontextmanager
    async def _call(
        self, method: str, path: str, *, seconds: float | None = None, whole: bool = True, **more: Any
    ) -> AsyncIterator[ClientResponse]:
        """``seconds``, else ANSWER_SECONDS, limit the whole exchange or, unless ``whole``, each wait for more of it."""
        seconds = seconds or ANSWER_SECONDS
        async with exchange(
            self._session,
            method,
            self._url,
            path,
            runtime="InvokeAI",
            total=seconds if whole else None,
            silence=seconds,
            **more,
        ) as answer:
            yield answer


def _parts(names: Sequence[str]) -> Iterator[list[str]]:
    return (list(names[start : start + NAMES_AT_ONCE]) for start in range(0, len(names), NAMES_AT_ONCE))


async def _object(answer: ClientResponse) -> dict[str, Any]:
    return _checked(answer, await _body(answer))


def _checked(answer: ClientResponse, body: Any) -> dict[str, Any]:
    """The body of a success. Raises RuntimeFault for any other answer."""
    if answer.ok and isinstance(body, dict):
        return body
    asked = f"{answer.method} {answer.url.path}"
    if answer.status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
        raise RuntimeFault(
            "login-wanted",
            f"InvokeAI, or a proxy before it, wants a login: it answered {answer.status} to {asked}; run it without "
            "multi-user mode, or put a proxy's user:password@ before the host of the runtime's address",
        )
    if answer.status in {HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED} and answer.url.path.endswith(STATUS):
        raise RuntimeFault(
            NOT_SERVED,
            f"{asked} is not served: this is no InvokeAI 6, or the address has a wrong path ({answer.status})",
        )
    raise RuntimeFault("runtime-error", f"InvokeAI answered {answer.status} to {asked}: {cut(_detail(body))}")


async def _body(answer: ClientResponse, max_bytes: int = MAX_ANSWER_BYTES) -> Any:
    """JSON, or the text where it is none. Raises RuntimeFault when it is too large."""
    try:
        return _parsed(await read_body(answer, max_bytes))
    except AnswerTooLarge as error:
        raise RuntimeFault("bad-answer", f"InvokeAI was asked for {answer.url.path}: {error}") from error


def _parsed(body: bytearray) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return body.decode(errors="replace")


def _detail(body: Any) -> Any:
    """What a refusal says, as FastAPI words it."""
    return body.get("detail", body) if isinstance(body, dict) else body
