"""A pod's item: what its agent says of itself every few seconds. From these the front door estimates waiting times."""

from collections.abc import Mapping
from typing import Any, Self

from contract.task_table.item import ItemModel
from contract.task_table.keys import pod_key, runtime_partition
from contract.task_table.values import from_values, to_value, to_values

REPORT_SECONDS = 10
"""Between two reports of a pod."""

STALE_SECONDS = 35
"""A pod that has not reported for so long is gone; three reports may be lost."""

TTL_SECONDS = 3600
"""DynamoDB deletes what is stale within days; this only says that it may."""


class PodItem(ItemModel):
    """``at`` is when the pod reported, ``busy_since`` when its present run began, ``newest`` when the newest message
    that it took was sent: tasks that were sent before have been taken, too, as a rule. All are epoch seconds.

    ``mean_seconds`` is the mean of its last runs; None before the first.
    """

    runtime: str
    pod: str
    at: float
    ready: bool
    mean_seconds: float | None = None
    busy_since: float | None = None
    newest: float | None = None

    @classmethod
    def from_values(cls, values: Mapping[str, Any]) -> Self:
        """Read what ``report`` wrote. Raises pydantic's ValidationError for an item that is no pod."""
        return cls.model_validate(from_values(values))


def report(table: str, pod: PodItem) -> dict[str, Any]:
    """put_item: what the pod says now."""
    values = {**pod.model_dump(), "ttl": int(pod.at) + TTL_SECONDS}
    return {"TableName": table, "Item": {**pod_key(pod.runtime, pod.pod), **to_values(values)}}


def reports(table: str, runtime: str) -> dict[str, Any]:
    """query: all pods of a runtime, the gone ones too."""
    return {
        "TableName": table,
        "KeyConditionExpression": "#pk = :pk",
        "ExpressionAttributeNames": {"#pk": "pk"},
        "ExpressionAttributeValues": {":pk": to_value(runtime_partition(runtime))},
    }
