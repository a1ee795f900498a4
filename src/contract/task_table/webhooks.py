"""What the sender of webhooks reads of a task's item and writes into it.

It never changes a revision, since nothing of the task changes, and it never makes an item: a task that was deleted, or
replaced by another of its id, is left alone.
"""

from typing import Any

from contract.task_table.keys import PARTITION_KEY, task_key
from contract.task_table.values import to_value

PENDING, DELIVERED, FAILED = "pending", "delivered", "failed"


def read(table: str, client: str, task_id: str) -> dict[str, Any]:
    """get_item: the task as it is now, with what was written a moment ago."""
    return {"TableName": table, "Key": task_key(client, task_id), "ConsistentRead": True}


def tried(
    table: str, client: str, task_id: str, *, request: str, status: int | None, state: str | None = None
) -> dict[str, Any]:
    """update_item: a try was made, answered with ``status``, or not answered.

    ``state`` None leaves the state as it is. Refused for another request's item, and once the webhook is delivered.
    """
    names = {"#request": "request", "#webhook": "webhook", "#state": "state", "#tries": "tries", "#last": "last_status"}
    values = {":request": request, ":delivered": DELIVERED, ":zero": 0, ":one": 1, ":status": status}
    expression = "SET #webhook.#tries = if_not_exists(#webhook.#tries, :zero) + :one, #webhook.#last = :status"
    if state is not None:
        expression += ", #webhook.#state = :state"
        values[":state"] = state
    return {
        "TableName": table,
        "Key": task_key(client, task_id),
        "UpdateExpression": expression,
        "ConditionExpression": f"attribute_exists({PARTITION_KEY}) AND #request = :request"
        " AND attribute_exists(#webhook) AND #webhook.#state <> :delivered",
        "ExpressionAttributeNames": names,
        "ExpressionAttributeValues": {name: to_value(value) for name, value in values.items()},
    }
