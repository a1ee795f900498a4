"""Sends the guide's requests to a front door, and waits until each has its callback."""

import asyncio
import json
import secrets
import time
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from aiohttp import ClientError, ClientSession, ClientTimeout

from contract.callback import Callback, Status
from contract.runtimes import TASK_TYPES, RuntimeType
from utils.smoke import samples
from utils.smoke.authorize import Authorize
from utils.smoke.callbacks import Listener

THROTTLE_PAUSES = (0.5, 1.0, 2.0, 4.0)
"""Seconds before a request that was throttled is sent again."""

ANSWER_SECONDS = 30
"""One more than API Gateway gives its function."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """The runtime that the requests go to. ``model`` None leaves out v1alpha1, which routes by model.

    ``link`` replaces the sample image on the internet.
    """

    runtime: str
    type: RuntimeType
    model: str | None = None
    link: str | None = None


@dataclass(frozen=True, slots=True)
class Request:
    """One request of the guide, with an id of its own. ``name`` is its file's."""

    name: str
    task_id: str
    body: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Answer:
    """What the front door said to a request; ``status`` 0 and the reason in ``text`` when it could not be asked."""

    request: Request
    status: int
    text: str
    seconds: float

    @property
    def accepted(self) -> bool:
        return self.status == HTTPStatus.OK


def requests_for(target: Target) -> list[Request]:
    """Every request of the guide that the runtime serves. The ids are new each time."""
    run = secrets.token_hex(3)
    names = [
        name
        for name in samples.NAMES
        if _tasktype(name) in TASK_TYPES[target.type] and (target.model or samples.version(name) != "v1alpha1")
    ]
    return [
        Request(
            name,
            f"{name}-{run}",
            samples.request(
                name, task_id=f"{name}-{run}", runtime=target.runtime, model=target.model, link=target.link
            ),
        )
        for name in names
    ]


async def send(endpoint: str, authorize: Authorize, requests: Iterable[Request]) -> AsyncIterator[Answer]:
    """Send them one after the other, no faster than the throttle lets them through.

    ``endpoint`` is the stage's URL, as the stack's output gives it.
    """
    async with ClientSession(timeout=ClientTimeout(total=ANSWER_SECONDS)) as session:
        for request in requests:
            answer = await _post(session, endpoint, authorize, request)
            for pause in THROTTLE_PAUSES:
                if answer.status != HTTPStatus.TOO_MANY_REQUESTS:
                    break
                await asyncio.sleep(pause)
                answer = await _post(session, endpoint, authorize, request)
            yield answer


async def _post(session: ClientSession, endpoint: str, authorize: Authorize, request: Request) -> Answer:
    url = f"{endpoint.rstrip('/')}/{samples.version(request.name)}"
    body = json.dumps(request.body).encode()
    headers = {"Content-Type": "application/json", **authorize(url, body)}
    began = time.monotonic()
    try:
        async with session.post(url, data=body, headers=headers) as answer:
            status, text = answer.status, await answer.text()
    except (ClientError, TimeoutError) as error:
        status, text = 0, f"{url} cannot be reached: {error or type(error).__name__}"
    return Answer(request, status, text, time.monotonic() - began)


async def callbacks_of(task_ids: Iterable[str], listener: Listener, seconds: float) -> AsyncIterator[Callback]:
    """The last callback of each task, as they come. Ends when all came, or after ``seconds``."""
    missing = set(task_ids)
    deadline = asyncio.get_running_loop().time() + seconds
    while missing and (left := deadline - asyncio.get_running_loop().time()) > 0:
        for callback in await listener.receive(max(1, min(10, int(left)))):
            if callback.id in missing and callback.status != Status.RUNNING:
                missing.discard(callback.id)
                yield callback


def _tasktype(name: str) -> str:
    return name.partition("-")[2]
