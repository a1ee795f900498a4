"""What the platform does once it runs: show callbacks until it is stopped, or send every sample request once."""

import io
import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from botocore.credentials import Credentials
from botocore.exceptions import BotoCoreError, ClientError

from contract.callback import Callback, Status
from infra.config.api import Auth
from infra.topology import Route
from utils.local.cloud import LOCAL_CREDENTIALS
from utils.local.display import Display
from utils.local.platform import Platform
from utils.local.running import Addresses
from utils.simulators.drawing import draw
from utils.smoke.authorize import Authorize, by_key, by_signature
from utils.smoke.callbacks import Listener, download
from utils.smoke.client import Request, Target, callbacks_of, requests_for, send
from utils.smoke.samples import version

IMAGE_KEY = "output/samples/picture.png"
"""Below the prefix of the samples' tasks: a task reads nothing else of the output bucket."""

IMAGE_SIDE = 512
"""Pixels."""


async def put_start_image(platform: Platform) -> str:
    """Put an image into the output bucket, for requests that start from one. Returns its s3:// URL."""
    file = io.BytesIO()
    draw("an image to start from", 1, IMAGE_SIDE, IMAGE_SIDE, label="sample").save(file, "PNG")
    bucket = platform.addresses.bucket
    await platform.clients.s3.put_object(Bucket=bucket, Key=IMAGE_KEY, Body=file.getvalue(), ContentType="image/png")
    return f"s3://{bucket}/{IMAGE_KEY}"


async def show_callbacks(platform: Platform, listener: Listener, output: Path, display: Display) -> NoReturn:
    """Write the files of each callback, then show it; until cancelled."""
    while True:
        for callback in await listener.receive():
            files = await _download(platform, callback, output, display)
            display.callback(callback, files)


def requests_for_all(routes: Sequence[Route], image: str) -> list[Request]:
    """The guide's requests to each runtime; the URL ``image`` replaces the guide's links."""
    targets = (Target(runtime=route.name, type=route.type, model=route.model, link=image) for route in routes)
    return [request for target in targets for request in requests_for(target)]


def shortest(requests: Sequence[Request]) -> Request | None:
    """The request of the newest version with the shortest body."""
    newest = (request for request in requests if version(request.name) == "v1alpha2")
    return min(newest, key=lambda request: len(json.dumps(request.body)), default=None)


async def send_once(
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
    addresses, sent, succeeded = platform.addresses, dict[str, float](), bool(requests)
    async for answer in send(addresses.endpoint, _authorize(addresses), requests):
        name, task = answer.request.name, answer.request.task_id
        if answer.accepted:
            sent[task] = time.monotonic() - answer.seconds
            display.note(f"accepted   {task}")
        else:
            succeeded = False
            display.note(f"refused    {name}  {answer.status} {answer.text}", success=False)
    async for callback in callbacks_of(sent, listener, seconds):
        files = await _download(platform, callback, output, display)
        display.callback(callback, files, f"  {time.monotonic() - sent.pop(callback.id):.1f} s")
        succeeded = succeeded and callback.status is Status.COMPLETED and bool(files)
    for task in sent:
        display.error(f"no callback of {task} within {seconds:g} s")
    return succeeded and not sent


def _authorize(addresses: Addresses) -> Authorize:
    if addresses.auth == Auth.AWS_IAM:
        return by_signature(Credentials(*LOCAL_CREDENTIALS), addresses.region)
    return by_key(addresses.api_key)


async def _download(platform: Platform, callback: Callback, output: Path, display: Display) -> list[Path]:
    try:
        return await download(platform.clients, callback, output, bucket=platform.addresses.bucket)
    except (OSError, ValueError, ClientError, BotoCoreError) as error:
        display.event(f"the files of {callback.id} could not be written: {error}")
        return []
