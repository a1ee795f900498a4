"""What a running platform does: show every callback, or try itself once."""

import io
import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from botocore.exceptions import BotoCoreError, ClientError

from contract.callback import Callback, Status
from infra.topology import Route
from queue_agent.aws.clients import Clients
from utils.local.display import Display
from utils.local.platform import Platform
from utils.simulators.drawing import draw
from utils.smoke.callbacks import Listener, download
from utils.smoke.client import Request, Target, callbacks_of, requests_for, send
from utils.smoke.samples import version

PICTURE_KEY = "output/samples/picture.png"
"""Below the prefix of the samples' tasks: of the output bucket, a task reads nothing else."""
PICTURE_SIDE = 512


async def put_picture(platform: Platform) -> str:
    """Put a picture into the output bucket for requests that start from one. Returns its place."""
    file = io.BytesIO()
    draw("a picture to start from", 1, PICTURE_SIDE, PICTURE_SIDE, label="sample").save(file, "PNG")
    bucket = platform.addresses.bucket
    await platform.clients.s3.put_object(Bucket=bucket, Key=PICTURE_KEY, Body=file.getvalue(), ContentType="image/png")
    return f"s3://{bucket}/{PICTURE_KEY}"


async def show_callbacks(clients: Clients, listener: Listener, output: Path, display: Display) -> NoReturn:
    """Show each callback and write its files, for ever."""
    while True:
        for callback in await listener.receive():
            display.callback(callback, await _written(clients, callback, output, display))


def requests_for_all(routes: Sequence[Route], picture: str) -> list[Request]:
    """The guide's requests to each runtime; ``picture`` takes the place of the guide's links."""
    targets = (Target(runtime=route.name, type=route.type, model=route.model, link=picture) for route in routes)
    return [request for target in targets for request in requests_for(target)]


def shortest(requests: Sequence[Request]) -> Request | None:
    """The request of the newest version that is the quickest to read."""
    newest = (request for request in requests if version(request.name) == "v1alpha2")
    return min(newest, key=lambda request: len(json.dumps(request.body)), default=None)


async def try_once(
    platform: Platform,
    requests: Sequence[Request],
    listener: Listener,
    output: Path,
    display: Display,
    *,
    seconds: float,
) -> bool:
    """Send ``requests`` and wait for their callbacks, at most ``seconds``.

    Returns whether all were accepted, completed, and written to ``output``.
    """
    addresses, sent, good = platform.addresses, dict[str, float](), bool(requests)
    async for answer in send(addresses.endpoint, addresses.api_key, requests):
        name, task = answer.request.name, answer.request.task_id
        if answer.accepted:
            sent[task] = time.monotonic() - answer.seconds
            display.note(f"accepted   {task}")
        else:
            good = False
            display.note(f"refused    {name}  {answer.status} {answer.text}", good=False)
    async for callback in callbacks_of(sent, listener, seconds):
        files = await _written(platform.clients, callback, output, display)
        display.callback(callback, files, f"  {time.monotonic() - sent.pop(callback.id):.1f} s")
        good = good and callback.status is Status.COMPLETED and bool(files)
    for task in sent:
        display.error(f"no callback of {task} within {seconds:g} s")
    return good and not sent


async def _written(clients: Clients, callback: Callback, output: Path, display: Display) -> list[Path]:
    try:
        return await download(clients, callback, output)
    except (OSError, ValueError, ClientError, BotoCoreError) as error:
        display.event(f"the files of {callback.id} could not be written: {error}")
        return []
