"""What InvokeAI refuses when a graph is queued: the caller's faults, with their place, and those of the server."""

from typing import Any

import pytest
from aiohttp import ClientSession
from hypothesis import given
from hypothesis import strategies as st

from queue_agent.errors import PermanentError, RuntimeFault
from queue_agent.runtimes.invokeai import Adapter
from queue_agent.runtimes.invokeai.faults import problems
from test.support.invokeai import graph_of, text_to_image

from .conftest import ANY_GRAPH, ENQUEUE, RECORDINGS, Replay, Simulate, cause_of, recorded

UNKNOWN_NODE = (
    "content.graph.nodes.x: InvokeAI has no node type 'no_such_node'; check its name, "
    "or install the custom node that brings it"
)


@pytest.mark.parametrize(
    ("recording", "wrapped", "says"),
    [
        ("enqueue-bad-edge", False, "content.graph: Edge destination node nope does not exist in the graph"),
        ("enqueue-bad-edge", True, "content.batch.graph: Edge destination node nope does not exist in the graph"),
        (
            "enqueue-unknown-node",
            False,
            UNKNOWN_NODE,
        ),
    ],
)
async def test_a_refused_graph_is_the_callers_fault_with_its_place(
    recording: str, wrapped: bool, says: str, replay: Replay
) -> None:
    # Given
    adapter = await replay({ENQUEUE: recorded(recording)})
    batch = RECORDINGS[recording]["request"]["body"]["batch"]

    # When
    cause = await cause_of(adapter, {"batch": batch} if wrapped else {"graph": batch["graph"]})

    # Then
    assert type(cause) is PermanentError
    assert (cause.type, cause.message) == ("invalid-graph", says)


async def test_a_mistyped_node_type_is_told_with_those_that_it_may_mean(replay: Replay) -> None:
    # Given
    status, body = recorded("enqueue-unknown-node")
    body["detail"][0]["ctx"]["tag"] = "blank-image"

    # When
    cause = await cause_of(await replay({ENQUEUE: (status, body)}))

    # Then
    assert (
        cause.message == "content.graph.nodes.x: InvokeAI has no node type 'blank-image'; did you mean 'blank_image'?"
    )


async def test_many_problems_are_told_up_to_a_number_and_each_is_cut(
    simulate: Simulate, session: ClientSession
) -> None:
    # Given
    nodes = {f"n{number}": {"type": "blank_image", "width": "w" * 1000} for number in range(8)}

    # When
    cause = await cause_of(Adapter((await simulate()).url, session), {"graph": graph_of(nodes)})

    # Then
    assert cause.message.startswith("content.graph.nodes.n0.blank_image.width: Input should be a valid integer")
    assert cause.message.endswith("; and 3 more")
    assert len(cause.message) < 1500


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ({}, "got the keys []"),
        ({"prompt": "a cat"}, "got the keys ['prompt']"),
        ({"batch": {"runs": 1}}, "got the keys ['batch']"),
        ({"graph": "no graph"}, "got the keys ['graph']"),
    ],
)
async def test_a_content_without_a_graph_is_the_callers_fault(
    content: dict[str, Any], says: str, replay: Replay
) -> None:
    # When
    cause = await cause_of(await replay({}), content)

    # Then
    assert type(cause) is PermanentError
    assert cause.type == "content"
    assert cause.message.startswith('content: must be {"graph": {"nodes": …, "edges": …}}, or {"batch": ')
    assert cause.message.endswith(says)


async def test_a_batch_whose_data_is_empty_is_the_callers_fault(simulate: Simulate, session: ClientSession) -> None:
    # Given
    data = [[{"node_path": "a", "field_name": "width", "items": []}]]

    # When
    cause = await cause_of(Adapter((await simulate()).url, session), {"batch": {**ANY_GRAPH, "data": data}})

    # Then
    assert (type(cause), cause.type) == (PermanentError, "content")


async def test_a_value_of_a_batch_that_does_not_fit_its_field_is_the_callers_fault(
    simulate: Simulate, session: ClientSession
) -> None:
    # Given
    data = [[{"node_path": "a", "field_name": "width", "items": ["wide"]}]]

    # When
    cause = await cause_of(Adapter((await simulate()).url, session), {"batch": {**ANY_GRAPH, "data": data}})

    # Then
    assert type(cause) is PermanentError
    assert cause.type == "invalid-graph"
    assert "blank_image.width Input should be a valid integer" in cause.message


async def test_a_queue_that_takes_only_a_part_of_the_batch_is_full(replay: Replay) -> None:
    # Given
    status, body = recorded("enqueue-ok")

    # When
    cause = await cause_of(await replay({ENQUEUE: (status, body | {"requested": 5})}))

    # Then
    assert type(cause) is RuntimeFault
    assert cause.message == "InvokeAI took 1 of 5 items; its queue is full"


@pytest.mark.parametrize(
    ("status", "body", "says"),
    [
        (500, {"detail": "Unexpected error while enqueuing batch: disk"}, "500 to POST /api/v1/queue/default/enqueue"),
        (404, {"detail": "Not Found"}, "404 to POST"),
        (200, ["no", "object"], "200 to POST"),
    ],
)
async def test_any_other_answer_is_not_the_callers_fault(status: int, body: Any, says: str, replay: Replay) -> None:
    # When
    cause = await cause_of(await replay({ENQUEUE: (status, body)}))

    # Then
    assert type(cause) is RuntimeFault
    assert f"InvokeAI answered {says}" in cause.message


async def test_a_login_that_is_wanted_is_said_so(replay: Replay) -> None:
    # When
    cause = await cause_of(await replay({ENQUEUE: (401, {"detail": "Not authenticated"})}))

    # Then
    assert type(cause) is RuntimeFault
    assert cause.type == "login-wanted"
    assert "answered 401 to POST" in cause.message


async def test_an_unknown_model_is_told_by_its_node(simulate: Simulate, session: ClientSession) -> None:
    # Given
    graph = text_to_image()
    graph["nodes"]["model"]["model"]["key"] = "nope"

    # When
    cause = await cause_of(Adapter((await simulate()).url, session), {"graph": graph})

    # Then
    assert type(cause) is PermanentError
    assert cause.message == "node model (main_model_loader) failed: Exception: Unknown model nope"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["loc", "msg", "type", "ctx", "input", "tag"]), inner, max_size=5)
    ),
    max_leaves=20,
)


@given(JSON)
def test_a_refusal_of_any_form_is_told_in_bounds(detail: Any) -> None:
    # When
    message = problems(detail, place="content")

    # Then
    assert message.startswith("content")
    assert len(message) < 10_000
