"""Every recorded error of a real WebUI, and the words that a user gets for it."""

import json
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession, web
from yarl import URL

from queue_agent.errors import AgentError, PermanentError, RuntimeFault, RuntimeUnavailable
from queue_agent.runtimes.base import Job
from queue_agent.runtimes.sdwebui.api import Api
from queue_agent.runtimes.sdwebui.content import ROUTES
from test.support.runtimes import run_job
from test.support.sdwebui import Client, serve

from .conftest import Connect

EVENTS = Path(__file__).parents[3] / "events"
A1111, FORGE = "a1111-1.8.0", "forge-f2.0.1"

NOT_AN_IMAGE = "; an image must be a link, or base64 of a PNG, JPEG or WebP file"
ZERO = "ZeroDivisionError: integer division or modulo by zero; check numbers such as steps: none may be 0"

UPSCALERS = (
    "None, Lanczos, Nearest, DAT x2, DAT x3, DAT x4, ESRGAN_4x, LDSR, R-ESRGAN 4x+, R-ESRGAN 4x+ Anime6B, ScuNET GAN, "
    "ScuNET PSNR"
)
NO_INTEGER = "Input should be a valid integer, unable to parse string as an integer, got 'abc'"

INVALID = PermanentError, "invalid-request"

EXPECTED: dict[str, tuple[type[AgentError], str, str]] = {
    f"{A1111}/extra-single-image-no-image": (
        *INVALID,
        f"SD WebUI refused extra-single-image: Invalid encoded image{NOT_AN_IMAGE}",
    ),
    f"{A1111}/extra-single-image-unknown-upscaler": (
        PermanentError,
        "unknown-upscaler",
        f"there is no upscaler 'nope'; there are: {UPSCALERS}",
    ),
    f"{A1111}/img2img-bad-base64": (*INVALID, f"SD WebUI refused img2img: Invalid encoded image{NOT_AN_IMAGE}"),
    f"{A1111}/img2img-without-init-images": (
        *INVALID,
        "SD WebUI refused img2img: Init image not found; image-to-image needs init_images",
    ),
    f"{A1111}/options-unknown-model": (
        *INVALID,
        "SD WebUI refused options: RuntimeError: model 'nope.safetensors' not found",
    ),
    f"{A1111}/txt2img-interrupted": (
        RuntimeFault,
        "interrupted-elsewhere",
        "another client stopped the job on this SD WebUI: 1 of 4 images were begun",
    ),
    f"{A1111}/txt2img-routing-keys-left-in-alwayson-scripts": (
        *INVALID,
        "SD WebUI refused txt2img: Script 'task' not found",
    ),
    f"{A1111}/txt2img-steps-0": (*INVALID, f"SD WebUI refused txt2img: {ZERO}"),
    f"{A1111}/txt2img-unknown-alwayson-script": (*INVALID, "SD WebUI refused txt2img: Script 'nope' not found"),
    f"{A1111}/txt2img-unknown-sampler": (
        PermanentError,
        "unknown-sampler",
        "there is no sampler 'nope'; there are: DPM++ 2M Karras, DPM++ SDE Karras, DPM++ 2M SDE Exponential, ",
    ),
    f"{A1111}/txt2img-unknown-script": (*INVALID, "SD WebUI refused txt2img: Script 'nope' not found"),
    f"{A1111}/txt2img-wrong-type": (*INVALID, "SD WebUI refused txt2img: steps: value is not a valid integer"),
    f"{A1111}/unknown-path": (
        RuntimeUnavailable,
        "api-missing",
        (
            "/sdapi/v1/nope is not served: SD WebUI is still starting or runs without --api, or the address has a path "
            "too many (--subpath moves the page only, not the API)"
        ),
    ),
    f"{FORGE}/extra-single-image-unknown-upscaler": (
        PermanentError,
        "unknown-upscaler",
        "there is no upscaler 'nope'; there are: None, Lanczos, Nearest, ",
    ),
    f"{FORGE}/img2img-bad-base64": (*INVALID, f"SD WebUI refused img2img: Invalid encoded image{NOT_AN_IMAGE}"),
    f"{FORGE}/txt2img-routing-keys-left-in-alwayson-scripts": (
        *INVALID,
        "SD WebUI refused txt2img: Script 'task' not found",
    ),
    f"{FORGE}/txt2img-steps-0": (*INVALID, f"SD WebUI refused txt2img: {ZERO}"),
    f"{FORGE}/txt2img-unknown-alwayson-script": (*INVALID, "SD WebUI refused txt2img: Script 'nope' not found"),
    f"{FORGE}/txt2img-unknown-sampler": (
        PermanentError,
        "unknown-sampler",
        "there is no sampler 'nope'; there are: DPM++ 2M, DPM++ SDE, DPM++ 2M SDE, ",
    ),
    f"{FORGE}/txt2img-unknown-script": (*INVALID, "SD WebUI refused txt2img: Script 'nope' not found"),
    f"{FORGE}/txt2img-wrong-type": (*INVALID, f"SD WebUI refused txt2img: steps: {NO_INTEGER}"),
}
"""Recording → fault, type and message; a message that ends in a comma goes on with further names."""

SILENT_ERRORS = {f"{A1111}/txt2img-interrupted", f"{FORGE}/txt2img-unknown-sampler"}
"""Answered 200 although something went wrong."""

TASK_TYPES = {route: tasktype for tasktype, route in ROUTES.items()}


def _recording(name: str) -> dict[str, Any]:
    recording: dict[str, Any] = json.loads((EVENTS / f"{name}.json").read_text())
    return recording


def _replay(name: str) -> web.Application:
    """A server that gives the recorded answer to the recorded request, and the same WebUI's answers to GET."""
    recorded = _recording(name)

    async def answer(request: web.Request) -> web.Response:
        if request.method == "POST":
            assert request.path == recorded["request"]["path"]
            return web.json_response(_whole(recorded["body"]), status=recorded["status"])
        file = {"progress": "progress-idle"}.get(request.match_info["route"], request.match_info["route"])
        return web.json_response(_whole(_recording(f"{Path(name).parent}/{file}")["body"]))

    app = web.Application(client_max_size=2**24)
    app.router.add_route("*", "/sdapi/v1/{route}", answer)
    return app


def _whole(body: Any) -> Any:
    """The recorded body with an image in place of the marks of cut ones, and lists without the mark of their rest."""
    if isinstance(body, list):
        return [item for item in body if not (isinstance(item, str) and item.endswith(" more>"))]
    if isinstance(body, dict) and "images" in body:
        return body | {"images": ["aW1hZ2U=" for _ in body["images"]]}
    return body


def test_every_recorded_error_is_here() -> None:
    # Given
    recorded = {
        path.relative_to(EVENTS).with_suffix("").as_posix()
        for folder in (A1111, FORGE)
        for path in (EVENTS / folder).glob("*.json")
        if json.loads(path.read_text())["status"] != 200
    }

    # Then
    assert EXPECTED.keys() == recorded | SILENT_ERRORS


@pytest.mark.parametrize("name", EXPECTED)
async def test_a_recorded_error_becomes_one_clean_cause(name: str, connect: Connect) -> None:
    # Given
    fault, kind, message = EXPECTED[name]
    async with serve(_replay(name)) as client:
        # When
        with pytest.raises(AgentError) as caught:
            await _send(name, client, connect)

    # Then
    assert type(caught.value) is fault
    assert caught.value.type == kind
    assert caught.value.message.startswith(message)
    assert caught.value.message == message or message.endswith(", ")


async def _send(name: str, client: Client, connect: Connect) -> None:
    """Send the recorded request: as a task where the adapter would send it, else as it is."""
    request = _recording(name)["request"]
    route = request["path"].rpartition("/")[2]
    if route in TASK_TYPES and "routing-keys" not in name:
        async with connect(client) as adapter:
            await run_job(adapter, Job(id="task", tasktype=TASK_TYPES[route], content=request["body"]))
    else:
        async with ClientSession() as session:
            await Api(URL(client.base), session).post(route, request["body"])
