"""The table's keys, and those of its index."""

import re

from contract.task import is_task_id

PARTITION_KEY, SORT_KEY = "pk", "sk"

TTL = "ttl"
"""Epoch seconds after which DynamoDB deletes the item."""

BY_CLIENT = "by_client"
"""The index that lists a client's tasks, the newest last. Pods are not in it, for they have none of its keys.

It holds keys only: a write of a task's progress would otherwise be paid for twice, and lists are rare. They read the
items themselves from the table.
"""

BY_CLIENT_PARTITION_KEY, BY_CLIENT_SORT_KEY = "client", "created_id"

KEYS = (PARTITION_KEY, SORT_KEY, BY_CLIENT_PARTITION_KEY, BY_CLIENT_SORT_KEY)
"""All are text."""

_TASK = "task"

Key = dict[str, dict[str, str]]


def task_key(client: str, task_id: str) -> Key:
    """A client's task. Neither a client's name nor an id may hold ``#``."""
    return {PARTITION_KEY: {"S": f"T#{client}#{task_id}"}, SORT_KEY: {"S": _TASK}}


def runtime_partition(runtime: str) -> str:
    """All pods of a runtime have this partition key; their sort key is the pod's name."""
    return f"R#{runtime}"


def pod_key(runtime: str, pod: str) -> Key:
    return {PARTITION_KEY: {"S": runtime_partition(runtime)}, SORT_KEY: {"S": pod}}


_CREATED_ID = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z#(.*)", re.DOTALL)


def is_created_id(text: str) -> bool:
    """Whether ``created_id`` may have made the text."""
    found = _CREATED_ID.fullmatch(text)
    return found is not None and is_task_id(found[1])


def created_id(created: str, task_id: str) -> str:
    """``created`` is a time as ``item.timestamp`` writes it; the id keeps two tasks of one millisecond apart."""
    return f"{created}#{task_id}"
