"""What the WebUI family's errors mean. The status does not tell whose fault it is, so the words have to.

Four envelopes are in use: ``{error, detail, body, errors}`` (AUTOMATIC1111), ``{error, detail, body, message}``
(Forge), ``{detail: "text"}`` and ``{detail: [{loc, msg, type}]}``.
"""

import json
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from contract.errors import one_line, shown
from queue_agent.errors import AgentError, PermanentError, RuntimeFault, RuntimeUnavailable
from queue_agent.runtimes.breakage import is_broken, is_out_of_memory

LONGEST_MESSAGE = 2000
"""Characters of a fault's message; a traceback or a page of HTML would flood the callback."""

NOT_THERE = {(HTTPStatus.NOT_FOUND, "Not Found"), (HTTPStatus.METHOD_NOT_ALLOWED, "Method Not Allowed")}
"""How a WebUI answers below /sdapi/v1 that has opened its port and not added the API yet."""

UNAVAILABLE = {
    HTTPStatus.TOO_MANY_REQUESTS,
    HTTPStatus.BAD_GATEWAY,
    HTTPStatus.SERVICE_UNAVAILABLE,
    HTTPStatus.GATEWAY_TIMEOUT,
}
"""WebUI itself answers none of them: a proxy in front of it does."""

CALLERS_EXCEPTIONS = frozenset(
    {
        *("AssertionError", "AttributeError", "DecompressionBombError", "IndexError", "KeyError"),
        *("NotImplementedError", "OverflowError", "TypeError", "UnidentifiedImageError", "ValidationError"),
        *("NansException", "ValueError", "ZeroDivisionError"),
    }
)
"""Raised over values of the request: the same request fails again. WebUI answers them as 500."""

API_MISSING = "api-missing"
"""The type of the fault when a route is not served."""

NO_MODEL = "'NoneType' object"
"""An AttributeError or TypeError of this kind is WebUI's without a loaded model."""

CALLERS_WORDS = (
    "model '",  # not found
    "shapes cannot be multiplied",  # a LoRA, embedding or ControlNet of another model family
    "must match",  # sizes of tensors, for the same reason
    "negative dimension",
    "Kernel size can't be greater than actual input size",
)
"""In a RuntimeError these speak of the request; all others speak of CUDA, disks and broken models."""

HINTS = {
    "Init image not found": "image-to-image needs init_images",
    "Invalid encoded image": "an image must be a link, or base64 of a PNG, JPEG or WebP file",
    "Kernel size can't be greater": "check width and height: none may be 0",
    "'float' and 'NoneType'": "enable_hr needs denoising_strength, a number from 0 to 1",
    "A tensor with": "the model or its VAE yields no numbers in half precision; take another sd_vae, size or sampler, "
    "or run WebUI with --no-half-vae",
    "Could not find checkpoint": "name a model of this runtime in refiner_checkpoint, or none",
    "integer division or modulo by zero": "check numbers such as steps: none may be 0",
}


@dataclass(frozen=True, slots=True)
class Said:
    """An error as WebUI tells it: the exception's name where there is one, and its text, never empty."""

    exception: str | None
    text: str
    understood: bool = True

    def __str__(self) -> str:
        return f"{self.exception}: {self.text}" if self.exception else self.text


def fault_of(status: int, body: bytes | bytearray, route: str) -> AgentError:
    """The fault behind an answer that is no success, with its cause in one sentence.

    Out of memory counts as the surroundings': after a change of models or a leak the same job runs elsewhere, and the
    attempts are limited when it does not.
    """
    said = _read(status, body)
    if fault := _unreachable(status, said, route):
        return fault
    if is_out_of_memory(str(said)):
        hint = "; if it comes again, ask for a smaller width, height or batch_size"
        return RuntimeFault("out-of-memory", _message(f"SD WebUI failed in {route}: {said}{hint}"))
    if is_broken(str(said)) and status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return RuntimeFault("runtime-broken", _message(f"SD WebUI failed in {route}: {said}"), broken=True)
    if _is_callers(status, said):
        hint = next((f"; {hint}" for words, hint in HINTS.items() if words in said.text), "")
        return PermanentError("invalid-request", _message(f"SD WebUI refused {route}: {said}{hint}"))
    return RuntimeFault("runtime-error", _message(f"SD WebUI failed in {route}: {said}"))


def _unreachable(status: int, said: Said, route: str) -> RuntimeFault | None:
    """The fault when the answer is not WebUI's own, or WebUI's API is not there."""
    if status in UNAVAILABLE:
        return RuntimeUnavailable(
            "runtime-gone", _message(f"SD WebUI is not available: it answered {status} to {route}")
        )
    if (status, said.text) in NOT_THERE or (status == HTTPStatus.NOT_FOUND and not said.understood):
        return RuntimeUnavailable(
            API_MISSING,
            f"/sdapi/v1/{route} is not served: SD WebUI is still starting or runs without --api, or the address has a "
            "path too many (--subpath moves the page only, not the API)",
        )
    if status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
        return RuntimeFault(
            "login-wanted",
            f"SD WebUI wants a login for {route}: put user:password@ before the host of the runtime's address, or run "
            "it without --api-auth",
        )
    return None


def _is_callers(status: int, said: Said) -> bool:
    if not said.understood or said.text.startswith(NO_MODEL):
        return False
    if HTTPStatus.BAD_REQUEST <= status < HTTPStatus.INTERNAL_SERVER_ERROR:
        return True
    if said.exception == "Exception":
        return "Could not find checkpoint" in said.text
    if said.exception == "RuntimeError":
        return any(words in said.text for words in CALLERS_WORDS)
    return said.exception is None or said.exception in CALLERS_EXCEPTIONS


def _read(status: int, body: bytes | bytearray) -> Said:
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        text = body.decode(errors="replace").strip()
        return Said(None, text if text and not text.startswith("<") else f"HTTP status {status}", understood=False)
    if not isinstance(answer, dict):
        return Said(None, str(answer) or f"HTTP status {status}", understood=False)
    detail = answer.get("detail")
    text = _problems(detail) if isinstance(detail, list) else str(detail or "")
    name = answer.get("error")
    exception = str(name) if name and name != "HTTPException" else None
    text = text or str(answer.get("errors") or answer.get("message") or "")
    understood = bool(text or exception)
    return Said(exception, text or f"HTTP status {status}", understood)


def _problems(details: list[Any]) -> str:
    """``field: what is wrong`` for each problem of a body that does not fit."""
    return "; ".join(_problem(detail) if isinstance(detail, dict) else str(detail) for detail in details)


def _problem(detail: dict[str, Any]) -> str:
    field = ".".join(str(part) for part in detail.get("loc") or () if part != "body") or "the body"
    given = f", got {shown(detail['input'])}" if "input" in detail else ""
    return f"{field}: {detail.get('msg')}{given}"


def _message(text: str) -> str:
    return one_line(text, LONGEST_MESSAGE)
