"""The simulated ComfyUI answers as the real one was recorded: the same status, body and events, names of the moment
(ids, times, counters, memory) aside."""

import json
import re
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from .conftest import Comfy

RECORDINGS = Path(__file__).parents[3] / "events" / "comfyui-0.3.64"
NAMES = sorted(path.stem for path in RECORDINGS.glob("*.json"))

OF_THE_MOMENT = {"prompt_id", "timestamp", "client_id", "sid", "traceback", "number"}
"""Keys whose values differ from run to run."""


@pytest.mark.parametrize("name", NAMES)
async def test_the_simulator_answers_as_recorded(name: str, comfy: Comfy) -> None:
    # Given what the real server had before the recording was made
    recorded = json.loads((RECORDINGS / f"{name}.json").read_text())
    await comfy.upload("in.png", _png(), overwrite="true")
    if "fails" in name:
        await comfy.upload("bad.png", b"this is no picture", overwrite="true")
    prompt = _prompt(name)

    # When the same is asked of the simulator
    answered: Any
    match name.split("-"):
        case ["ws", *_]:
            answered = await _events(comfy, name, prompt)
        case ["history", kind, *_] if kind != "unknown":
            await _events(comfy, name, prompt)
            answered = await _asked(comfy, "GET", "/history/" + _last(await comfy.get("/history")), None)
        case ["upload", *_]:
            answered = {"status": 200, "body": await comfy.upload("in.png", _png(), overwrite="true")}
        case _:
            answered = await _asked(comfy, *(recorded["request"][key] for key in ("method", "path", "body")))

    # Then the answer is the recorded one
    if name == "system_stats":
        assert _shape(answered) == _shape(_cut(recorded))
    else:
        assert _steady(answered) == _steady(_cut(recorded))


def _prompt(name: str) -> dict[str, Any]:
    case = name.split("-", 1)[-1]
    path = RECORDINGS / f"prompt-{case}.json"
    body = json.loads(path.read_text())["request"]["body"] if path.exists() else None
    return dict(body["prompt"]) if body else {}


async def _events(comfy: Comfy, name: str, prompt: dict[str, Any]) -> list[dict[str, Any]]:
    greeting = [await comfy.socket.receive_json(timeout=30)] if name != "ws-ok" else []
    if "cached" in name:
        await comfy.queue(prompt)
        greeting += await comfy.events()
    await comfy.queue(prompt)
    if "interrupted" in name:
        events = await comfy.events(until=("executing", "4"))
        assert (await comfy.post("/interrupt", {})).status == 200
        return events + await comfy.events()
    return await comfy.events()


async def _asked(comfy: Comfy, method: str, path: str, body: Any) -> dict[str, Any]:
    async with comfy.session.request(method, comfy.url + path, json=body) as answer:
        kind = answer.content_type
        data = await answer.read()
        return {
            "status": answer.status,
            "content_type": kind,
            "body": json.loads(data) if kind == "application/json" else f"<{len(data)} bytes of {kind}>",
        }


def _cut(recorded: Any) -> Any:
    """The recording without what was asked and how long it took."""
    if isinstance(recorded, list):
        return recorded
    return {key: recorded[key] for key in ("status", "content_type", "body") if key in recorded}


def _last(history: dict[str, Any]) -> str:
    return list(history)[-1]


def _steady(value: Any, key: str = "") -> Any:
    """The value with everything of the moment replaced by what it is."""
    if key in OF_THE_MOMENT:
        return f"<{key}>"
    match value:
        case dict():
            return {_steady(name): _steady(item, name) for name, item in value.items()}
        case [int(), str(), dict() as prompt, extra, outputs]:
            return ["<number>", "<prompt_id>", prompt, _steady(extra), sorted(outputs)]
        case list():
            items = [_steady(item) for item in value]
            return sorted(items) if key == "current_outputs" else items
        case str():
            for pattern, name in (
                (r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "<id>"),
                (r"temp_[a-z]{5}_", "temp_<letters>_"),
                (r"_\d{5}_", "_<counter>_"),
                (r"<[1-9]\d* bytes", "<some bytes"),
                (r"'/\w+/bad", "'<folder>/bad"),
            ):
                value = re.sub(pattern, name, value)
            return value
        case _:
            return value


def _shape(value: Any) -> Any:
    match value:
        case dict():
            return {name: _shape(item) for name, item in value.items()}
        case [first, *_]:
            return [_shape(first)]
        case _:
            return type(value).__name__


def _png() -> bytes:
    target = BytesIO()
    Image.new("RGB", (48, 32), (10, 200, 30)).save(target, "PNG")
    return target.getvalue()
