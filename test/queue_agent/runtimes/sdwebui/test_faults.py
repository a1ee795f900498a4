"""Errors of the WebUI family that are not among the recordings, and whose fault they are."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from queue_agent.errors import AgentError, PermanentError, RuntimeFault, RuntimeUnavailable
from queue_agent.runtimes.sdwebui.faults import LONGEST_MESSAGE, fault_of


def _crash(name: str, text: str) -> dict[str, Any]:
    return {"error": name, "detail": "", "body": "", "errors": text}


CALLERS = (PermanentError, "invalid-request")
OUT_OF_MEMORY = (RuntimeFault, "out-of-memory")
FAILED = (RuntimeFault, "runtime-error")
BROKEN = (RuntimeFault, "runtime-broken")
LOGIN = (RuntimeFault, "login-wanted")
GONE = (RuntimeUnavailable, "runtime-gone")
MISSING = (RuntimeUnavailable, "api-missing")


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (500, _crash("OutOfMemoryError", "CUDA out of memory. Tried to allocate 9 GiB"), OUT_OF_MEMORY),
        (500, _crash("RuntimeError", "CUDA out of memory"), OUT_OF_MEMORY),
        (500, _crash("RuntimeError", "[enforce fail] DefaultCPUAllocator: can't allocate memory"), OUT_OF_MEMORY),
        (500, _crash("RuntimeError", "CUDA error: an illegal memory access was encountered"), BROKEN),
        (500, _crash("RuntimeError", "CUDA error: device-side assert triggered"), BROKEN),
        (500, _crash("AcceleratorError", "unspecified launch failure"), BROKEN),
        (500, "RuntimeError: CUDA error: unspecified launch failure", BROKEN),
        (500, _crash("OSError", "[Errno 28] No space left on device"), BROKEN),
        (500, _crash("OSError", "Input/output error"), BROKEN),
        (500, _crash("NansException", "A tensor with all NaNs was produced in Unet."), CALLERS),
        (500, _crash("Exception", "Could not find checkpoint with name nope"), CALLERS),
        (500, _crash("Exception", "something else"), FAILED),
        (500, _crash("TypeError", "'<' not supported between instances of 'float' and 'NoneType'"), CALLERS),
        (500, _crash("RuntimeError", "Kernel size can't be greater than actual input size"), CALLERS),
        (500, _crash("AttributeError", "'NoneType' object has no attribute 'lowvram'"), FAILED),
        (500, _crash("RuntimeError", "mat1 and mat2 shapes cannot be multiplied (77x2048 and 768x320)"), CALLERS),
        (500, _crash("ValueError", "images do not match"), CALLERS),
        (500, {"detail": "Invalid encoded image"}, CALLERS),
        (500, {}, FAILED),
        (422, {"detail": [{"loc": ["body"], "msg": "field required", "type": "missing"}]}, CALLERS),
        (422, {"detail": [{"loc": ["body"], "msg": "no CUDA error", "type": "missing"}]}, CALLERS),
        (404, {"detail": "Not Found"}, MISSING),
        (405, {"detail": "Method Not Allowed"}, MISSING),
        (401, {"detail": "Unauthorized"}, LOGIN),
        (403, "Forbidden", LOGIN),
        (429, {"detail": "slow down"}, GONE),
        (503, "Service Unavailable", GONE),
        (502, "<html><h1>Bad Gateway</h1></html>", GONE),
        (404, "<html>nothing here</html>", MISSING),
        (302, "", FAILED),
        (500, "Internal Server Error", FAILED),
    ],
)
def test_the_words_tell_whose_fault_it_is(status: int, body: Any, expected: tuple[type[AgentError], str]) -> None:
    # When
    found = fault_of(status, body.encode() if isinstance(body, str) else json.dumps(body).encode(), "txt2img")

    # Then
    assert (type(found), found.type) == expected
    assert getattr(found, "broken", False) is (expected is BROKEN)
    assert "txt2img" in found.message


def test_out_of_memory_says_what_the_caller_can_do() -> None:
    # When
    found = fault_of(500, json.dumps(_crash("OutOfMemoryError", "CUDA out of memory")).encode(), "txt2img")

    # Then
    assert "ask for a smaller width, height or batch_size" in found.message


@pytest.mark.parametrize(
    ("name", "text", "hint"),
    [
        ("TypeError", "'<' not supported between instances of 'float' and 'NoneType'", "needs denoising_strength"),
        ("RuntimeError", "Kernel size can't be greater than actual input size", "check width and height"),
        ("NansException", "A tensor with all NaNs was produced in VAE.", "--no-half-vae"),
        ("Exception", "Could not find checkpoint with name nope", "refiner_checkpoint"),
    ],
)
def test_a_callers_fault_says_what_to_do(name: str, text: str, hint: str) -> None:
    # When
    found = fault_of(500, json.dumps(_crash(name, text)).encode(), "txt2img")

    # Then
    assert hint in found.message


def test_several_problems_of_a_body_are_told_at_once() -> None:
    # Given
    details = [
        {"loc": ["body", "imageList", 0, "name"], "msg": "field required", "type": "value_error.missing"},
        {"loc": ["body", "resize_mode"], "msg": "unexpected value", "type": "value_error.const"},
    ]

    # When
    found = fault_of(422, json.dumps({"detail": details}).encode(), "extra-batch-images")

    # Then
    assert "imageList.0.name: field required; resize_mode: unexpected value" in found.message


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@settings(deadline=None)
@given(
    status=st.integers(300, 599),
    body=st.binary(max_size=100)
    | st.fixed_dictionaries(
        {}, optional={"error": _json, "detail": _json, "errors": _json, "message": _json, "body": _json}
    ).map(lambda value: json.dumps(value).encode()),
)
def test_no_answer_is_too_odd_for_a_fault_with_a_message(status: int, body: bytes) -> None:
    # When
    found = fault_of(status, body, "txt2img")

    # Then
    assert isinstance(found, (PermanentError, RuntimeFault))
    assert "txt2img" in found.message
    assert "\n" not in found.message
    assert len(found.message) <= LONGEST_MESSAGE + 1
