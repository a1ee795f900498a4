"""What an item holds, as DynamoDB writes it."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract.callback import Cause, Status
from contract.runtimes import TaskType
from contract.task_table import pods
from contract.task_table.item import ACTIVE, Output, State, TaskItem, Webhook, timestamp
from contract.task_table.keys import pod_key, runtime_partition, task_key
from contract.task_table.pods import PodItem
from contract.task_table.values import from_value, from_values, to_value, to_values

WHOLE = TaskItem(
    client="shop",
    id="t1",
    request="request-1",
    status=State.FAILED,
    revision=7,
    runtime="r",
    tasktype=TaskType.PIPELINE,
    prefix="out/a",
    created=timestamp(1.5),
    started=timestamp(2),
    ended=timestamp(3),
    deadline=9,
    labels={"order": "4711"},
    attempt=3,
    run="run",
    progress=0.25,
    beat=timestamp(2.5),
    cancel=timestamp(2.75),
    retry=True,
    outputs=(Output(key="out/a/1.png", type="image/png", size=3),),
    omitted_outputs=2,
    error=Cause(type="gave-up", message="m"),
    retryable=True,
    gpu_seconds=0.6,
    usd=0.000083,
    record="out/a/t1.out",
    webhook=Webhook(url="https://example.org/hook", events=("started", "ended"), tries=2, last_status=500),
    fingerprint="f",
    ttl=10,
)


@pytest.mark.parametrize(
    "item",
    [
        WHOLE,
        TaskItem(
            client="default",
            id="t1",
            request="r1",
            status=State.QUEUED,
            runtime="r",
            tasktype=TaskType.GRAPH,
            prefix="p",
            created=timestamp(0),
        ),
    ],
    ids=["whole", "smallest"],
)
def test_an_item_is_the_same_after_it_was_stored_and_read_again(item: TaskItem) -> None:
    values = item.to_values()
    assert TaskItem.from_values(values) == item
    assert task_key(item.client, item.id).items() <= values.items()
    assert values["created_id"] == {"S": f"{item.created}#{item.id}"}


def test_what_a_newer_version_has_added_is_left_out() -> None:
    values = {**WHOLE.to_values(), "invented": {"S": "later"}}
    assert TaskItem.from_values(values) == WHOLE


def test_the_end_of_a_callback_is_a_state_of_the_same_name() -> None:
    assert {status.value for status in Status} == {state.value for state in State} - {"queued"}
    assert [state for state in State if not state.terminal] == list(ACTIVE)


def test_times_sort_as_texts() -> None:
    times = [0.0, 1.001, 1.5, 1_800_000_000.0, 1_800_000_000.25]
    texts = [timestamp(seconds) for seconds in times]
    assert texts == sorted(texts)
    assert texts[-1] == "2027-01-15T08:00:00.250Z"


_json = st.recursive(
    st.none()
    | st.booleans()
    | st.text(max_size=5)
    | st.integers(-(10**15), 10**15)
    | st.floats(-1e6, 1e6, allow_nan=False).map(lambda number: round(number, 6)),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


@given(_json)
def test_a_value_is_the_same_after_it_was_stored_and_read_again(value: Any) -> None:
    assert from_value(to_value(value)) == _without_absent(value)


def _without_absent(value: Any) -> Any:
    """A mapping does not hold what is None."""
    if isinstance(value, dict):
        return {name: _without_absent(inner) for name, inner in value.items() if inner is not None}
    return [_without_absent(inner) for inner in value] if isinstance(value, list) else value


def test_what_dynamodb_cannot_hold_is_refused() -> None:
    with pytest.raises(TypeError, match="no set"):
        to_value({1})


def test_a_pods_report_is_read_as_it_was_written() -> None:
    pod = PodItem(runtime="r", pod="p-1", at=100.5, ready=True, mean_seconds=1.25, busy_since=99.0, newest=98.0)
    item = pods.report("tasks", pod)["Item"]
    assert PodItem.from_values(item) == pod
    assert pod_key("r", "p-1").items() <= item.items()
    assert item["ttl"] == {"N": str(100 + pods.TTL_SECONDS)}
    # A pod is in no client's list
    assert "client" not in from_values(item)
    assert pods.reports("tasks", "r")["ExpressionAttributeValues"] == {":pk": {"S": runtime_partition("r")}}
    assert to_values({"a": None}) == {}
