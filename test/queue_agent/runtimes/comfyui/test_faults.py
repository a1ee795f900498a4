"""Whose fault it was, in words that name the node, the field and the reason."""

from contextlib import suppress
from typing import Any

import pytest
from aiohttp import web
from aiohttp.typedefs import Handler
from hypothesis import given
from hypothesis import strategies as st

from queue_agent.errors import PermanentError, RuntimeFault, RuntimeUnavailable
from queue_agent.runtimes.base import Runtime
from queue_agent.runtimes.comfyui.events import Watch
from queue_agent.runtimes.comfyui.refusals import refusal
from queue_agent.runtimes.comfyui.workflow import read_content
from test.support.runtimes import run_job

from .conftest import SLOW, Comfy, Other, error_of, flat, job, node, read, recorded

SAID = {
    "prompt-bad-input": "ComfyUI refused the workflow: "
    "node 1 (EmptyImage), field width: Value -5 smaller than min of 1; "
    "node 1 (EmptyImage), field height: Failed to convert an input value to a INT value "
    "(abc, invalid literal for int() with base 10: 'abc')",
    "prompt-empty": "ComfyUI refused the workflow: Prompt has no outputs; "
    "it needs a node that gives some, such as SaveImage",
    "prompt-no-output-node": "ComfyUI refused the workflow: Prompt has no outputs; "
    "it needs a node that gives some, such as SaveImage",
    "prompt-missing-image": "ComfyUI refused the workflow: node 1 (LoadImage), field image: "
    "Custom validation failed for node (Invalid image file: nope.png)",
    "prompt-unknown-node": "ComfyUI refused the workflow: node 1 (NoSuchNode): "
    "Cannot execute because node NoSuchNode does not exist.",
}
"""What a user reads for every recorded 400."""


@pytest.mark.parametrize("name", SAID)
def test_a_recorded_refusal_reads_so(name: str) -> None:
    # Given
    exchange = recorded(name)
    assert exchange["status"] == 400

    # When
    fault = refusal(exchange["request"]["body"]["prompt"], exchange["body"])

    # Then
    assert fault.type == "invalid-workflow"
    assert fault.message == SAID[name]


@pytest.mark.parametrize("name", sorted(SAID.keys() - {"prompt-empty"}))
async def test_a_refusal_reaches_the_caller_over_the_wire(name: str, runtime: Runtime) -> None:
    # When
    fault = await error_of(runtime, recorded(name)["request"]["body"])

    # Then
    assert isinstance(fault, PermanentError)
    assert fault.message == SAID[name]


async def test_a_node_is_named_by_its_title_too(runtime: Runtime) -> None:
    # Given
    workflow = flat() | {"1": node("EmptyImage", "The canvas", width=0, height=16, batch_size=1, color=0)}

    # When
    fault = await error_of(runtime, workflow)

    # Then
    assert 'node 1 (EmptyImage "The canvas"), field width: Value 0 smaller than min of 1' in fault.message


async def test_the_recorded_error_while_running_reads_so(runtime: Runtime, other: Other, comfy: Comfy) -> None:
    # Given
    exchange = recorded("history-fails-while-running")
    (record,) = exchange["body"].values()

    async def answer_the_recording(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.path.startswith("/history/"):
            return web.json_response({request.path.rsplit("/", 1)[1]: record})
        return await handler(request)

    comfy.tamper = answer_the_recording

    # When
    fault = await error_of(runtime, flat())

    # Then
    assert isinstance(fault, PermanentError)
    assert fault.type == "node-failed"
    assert fault.message == (
        "node 1 (EmptyImage) failed: PIL.UnidentifiedImageError: cannot identify image file '/runtime/bad.png'"
    )


async def test_an_error_while_running_is_no_success_although_the_end_is_told_after_it(runtime: Runtime) -> None:
    # Given
    failing = node("SimulatedFailure", "Boom", images=["1", 0], exception_type="KeyError", exception_message="'lora'")
    workflow = flat() | {"3": failing, "4": node("SaveImage", images=["3", 0], filename_prefix="x")}

    # When
    fault = await error_of(runtime, workflow)

    # Then
    assert isinstance(fault, PermanentError)
    assert fault.message == "node 3 (SimulatedFailure \"Boom\") failed: KeyError: 'lora'"


@pytest.mark.parametrize(
    ("exception_type", "exception_message", "type_"),
    [
        ("torch.OutOfMemoryError", "Allocation on device 0 would exceed allowed memory.", "out-of-memory"),
        ("torch.cuda.OutOfMemoryError", "CUDA out of memory. Tried to allocate 2.00 GiB.", "out-of-memory"),
        ("RuntimeError", "CUDA error: an illegal memory access was encountered", "runtime-broken"),
        ("torch.AcceleratorError", "CUDA error: unspecified launch failure", "runtime-broken"),
        ("OSError", "[Errno 28] No space left on device: '/output/x.png'", "runtime-broken"),
        ("OSError", "[Errno 107] Transport endpoint is not connected: '/models'", "runtime-broken"),
    ],
)
async def test_a_failure_of_the_machine_is_not_the_callers(
    exception_type: str, exception_message: str, type_: str, runtime: Runtime
) -> None:
    # Given
    failing = node(
        "SimulatedFailure", images=["1", 0], exception_type=exception_type, exception_message=exception_message
    )
    workflow = flat() | {"3": failing, "4": node("SaveImage", images=["3", 0], filename_prefix="x")}

    # When
    fault = await error_of(runtime, workflow)

    # Then
    assert isinstance(fault, RuntimeFault)
    assert fault.type == type_
    assert exception_message in fault.message


async def test_a_workflow_of_which_a_part_is_wrong_fails_and_does_not_run(runtime: Runtime, other: Other) -> None:
    # Given a workflow of which ComfyUI would run the good output alone
    workflow = SLOW | {"9": node("SaveImage", "Big", images=["10", 0], filename_prefix="never")}
    workflow["10"] = node("EmptyImage", width=99999, height=1, batch_size=1, color=0)

    # When
    fault = await error_of(runtime, workflow)

    # Then
    assert isinstance(fault, PermanentError)
    assert fault.message == (
        "ComfyUI would leave out a part of the outputs: "
        "node 10 (EmptyImage), field width: Value 99999 bigger than max of 16384"
    )
    assert await other.get("queue") == {"queue_running": [], "queue_pending": []}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({}, "must be a workflow"),
        ({"nodes": [], "links": [], "version": 0.4}, "own save format"),
        ({"prompt": {"nodes": [], "links": []}}, "own save format"),
        ({"3": {"inputs": {}}}, "content.3: must be a node"),
        ({"3": "KSampler"}, "content.3: must be a node"),
        ({"3": {"class_type": "KSampler"}}, "content.3.inputs: node 3 (KSampler): must be an object"),
        ({"prompt": flat(), "front": True}, "content.front: is not a known field"),
        ({"prompt": flat(), "extra_data": [1]}, "content.extra_data: must be an object"),
        ({"7": {"class_type": "SaveImageWebsocket", "inputs": {}}}, "use SaveImage instead"),
    ],
)
async def test_what_is_no_workflow_is_refused_before_anything_is_sent(
    content: dict[str, Any], said: str, runtime: Runtime, comfy: Comfy
) -> None:
    # When
    fault = await error_of(runtime, content)

    # Then
    assert isinstance(fault, PermanentError)
    assert said in fault.message
    assert "POST /prompt" not in comfy.calls


async def test_the_save_format_is_refused_with_the_words_how_to_export(runtime: Runtime) -> None:
    # When
    fault = await error_of(runtime, {"nodes": [], "links": []})

    # Then
    assert "'Export (API)'" in fault.message
    assert "'Save (API Format)'" in fault.message


async def test_a_node_whose_id_is_prompt_is_a_node(runtime: Runtime) -> None:
    # Given
    workflow = {
        "prompt": node("EmptyImage", width=16, height=16, batch_size=1, color=0),
        "2": node("SaveImage", images=["prompt", 0], filename_prefix="x"),
    }

    # When
    result = await run_job(runtime, job(workflow))

    # Then
    assert (await read(result.outputs[0])).startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("status", "text", "fault"),
    [
        (500, "Internal Server Error", RuntimeFault),
        (413, "too large", PermanentError),
        (200, "<p>", RuntimeFault),
    ],
)
async def test_an_answer_that_says_nothing_of_the_workflow_is_told_by_its_status(
    status: int, text: str, fault: type[Exception], runtime: Runtime, comfy: Comfy
) -> None:
    # Given
    async def answer(request: web.Request, handler: Handler) -> web.StreamResponse:
        return web.Response(status=status, text=text) if request.path == "/prompt" else await handler(request)

    comfy.tamper = answer

    # When
    caught = await error_of(runtime, flat())

    # Then
    assert type(caught) is fault
    assert caught.message


async def test_a_prompt_that_is_cut_off_on_its_way_is_sent_only_once(runtime: Runtime, comfy: Comfy) -> None:
    # Given
    async def cut(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.path == "/prompt":
            assert request.transport is not None
            request.transport.abort()
        return await handler(request)

    comfy.tamper = cut

    # When
    fault = await error_of(runtime, flat())

    # Then
    assert isinstance(fault, RuntimeUnavailable)
    assert comfy.calls.count("POST /prompt") == 1


KEYS = st.sampled_from(["prompt", "extra_data", "nodes", "class_type", "inputs", "_meta", "title", "1"])
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(["", "1", "SaveImage"])
NUMBERS = st.integers() | st.floats() | st.none()


def nested(depth: int) -> st.SearchStrategy[Any]:
    """Any JSON that goes at most so deep, with the keys that mean something."""
    if not depth:
        return SCALARS
    inner = nested(depth - 1)
    return SCALARS | st.lists(inner, max_size=2) | st.dictionaries(KEYS, inner, max_size=3)


@given(st.dictionaries(KEYS, nested(3), max_size=3))
def test_any_content_is_read_or_refused_as_the_callers_fault(content: dict[str, Any]) -> None:
    with suppress(PermanentError):
        request = read_content(content)
        assert all(isinstance(each["class_type"], str) for each in request.workflow.values())


@given(
    st.sampled_from(["execution_cached", "executing", "progress", "progress_state", "status"]),
    st.fixed_dictionaries(
        {},
        optional={
            "node": SCALARS,
            "nodes": st.lists(SCALARS, max_size=3)
            | st.dictionaries(KEYS, st.fixed_dictionaries({"value": NUMBERS, "max": NUMBERS}) | SCALARS, max_size=3),
            "value": NUMBERS,
            "max": NUMBERS,
        },
    ),
)
def test_any_event_leaves_a_share_between_0_and_1(kind: str, data: dict[str, Any]) -> None:
    # Given
    watch = Watch("id", 3)

    # When
    watch.hear(kind, data | {"prompt_id": "id"})

    # Then
    assert watch.share is None or 0 <= watch.share <= 1
