"""What the table costs: a task's writes and reads, counted as DynamoDB counts them, at its price."""

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from contract.task_table import writes
from contract.task_table.item import Output, State
from contract.task_table.writes import Ending
from frontend_lambda.handler import make_handler
from frontend_lambda.tasks.timings import TaskTimings
from infra.cost.prices import price_book
from test.frontend_lambda.tasks.conftest import Api, new_id

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

WRITE_BYTES, READ_BYTES = 1024, 4096
"""Of a write request unit, and of a read request unit."""

MAX_USD_PER_MILLION = 6.0


class Meter:
    """Counts the units of the calls that go through ``session``; ``unmetered`` looks at what they did.

    The index holds keys only, so it is written when an item comes or goes.
    """

    def __init__(self, unmetered: "DynamoDBClient") -> None:
        self.session = boto3.Session(aws_access_key_id="test", aws_secret_access_key="test", region_name="us-east-1")
        self.session.events.register("before-parameter-build.dynamodb.*", self._before)
        self.session.events.register("after-call.dynamodb.*", self._after)
        self._unmetered = unmetered
        self._asked: dict[str, Any] = {}
        self._size = 0
        self.writes = self.reads = 0.0
        self.calls: Counter[str] = Counter()

    def _stored(self, params: Mapping[str, Any]) -> int:
        key = params.get("Key") or {name: params["Item"][name] for name in ("pk", "sk")}
        return size(self._unmetered.get_item(TableName=params["TableName"], Key=key).get("Item", {}))

    def _before(self, params: dict[str, Any], model: Any, **_: Any) -> None:
        self._asked = params
        self._size = self._stored(params) if model.name in {"PutItem", "UpdateItem", "DeleteItem"} else 0

    def _after(self, parsed: Mapping[str, Any], model: Any, **_: Any) -> None:
        self.calls[model.name] += 1
        match model.name:
            case "PutItem" | "UpdateItem" | "DeleteItem":
                larger = max(self._size, self._stored(self._asked), 1)
                index = 0 if model.name == "UpdateItem" and self._size else 1
                self.writes += math.ceil(larger / WRITE_BYTES) + index
            case "GetItem":
                self.reads += math.ceil(max(size(parsed.get("Item", {})), 1) / READ_BYTES)
            case "Query":
                self.reads += math.ceil(max(sum(map(size, parsed["Items"])), 1) / READ_BYTES) / 2
            case other:
                raise NotImplementedError(other)


def size(values: Mapping[str, Any]) -> int:
    """Bytes of an item, as the developer guide of DynamoDB counts them."""
    return sum(len(name.encode()) + _size(value) for name, value in values.items())


def _size(value: Mapping[str, Any]) -> int:
    [(kind, held)] = value.items()
    match kind:
        case "S":
            return len(held.encode())
        case "N":
            return len(held) // 2 + 2
        case "M":
            return 3 + size(held) + len(held)
        case "L":
            return 3 + sum(_size(one) + 1 for one in held)
    return 1


@pytest.mark.parametrize("options", [{}, {"labels": {"order": "4711", "user": "a-user-of-the-shop"}, "deadline": 600}])
def test_a_million_tasks_cost_what_the_price_list_says(options: dict[str, Any], api: Api) -> None:
    # Given a front door and an agent whose calls are counted
    meter = Meter(api.dynamodb)
    handler = make_handler(api.door.settings, meter.session, task_timings=TaskTimings(poll=0.5, keep_load=3600))
    counted = meter.session.client("dynamodb", endpoint_url=api.door.settings.endpoint_url)
    front = replace(api, door=replace(api.door, handler=handler))
    task_id = new_id()
    outputs = [Output(key=f"output/{task_id}/{task_id}-7t72aaaaaaaaa-1.png", type="image/png", size=1_500_000)]
    record = f"output/{task_id}/{task_id}-7t72aaaaaaaaa.out"
    ending = Ending(status=State.COMPLETED, attempt=1, outputs=outputs, gpu_seconds=1.5, usd=0.0002, record=record)

    # When a task of 1.5 s is sent, waited for with three looks at it, and shown
    assert front.submit(task_id, options=options).status == 202
    origin, table = api.origin(task_id), api.table
    counted.get_item(**writes.look(table, origin.client, task_id))
    counted.update_item(**writes.claim(table, origin, run="run", attempt=1, now=2e9))
    for _ in range(3):
        assert front.get(task_id).status == 200
    counted.update_item(**writes.end(table, origin, ending, now=2e9))
    assert front.get(task_id).body["status"] == "completed"

    # Then the price list counts as many, and they are cheap
    book = price_book()
    assert meter.writes <= book["usage"]["task_writes"], meter.calls
    assert meter.reads <= book["usage"]["task_reads"], meter.calls
    prices = book["prices"]
    usd = meter.writes * prices["dynamodb_write_million"] + meter.reads * prices["dynamodb_read_million"]
    assert usd <= MAX_USD_PER_MILLION
