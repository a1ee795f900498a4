"""Update expressions of the table of tasks."""

from collections.abc import Mapping, Sequence
from typing import Any

from contract.task_table.item import State
from contract.task_table.values import to_value

Request = dict[str, Any]
"""The keyword arguments of a call of DynamoDB's low-level client."""

_STATES = {":queued": State.QUEUED, ":running": State.RUNNING}


class Update:
    """An update expression. Every name goes through a placeholder, for many are words that DynamoDB reserves."""

    def __init__(self, table: str, key: Mapping[str, Any], *, revision: bool = True) -> None:
        self._table = table
        self._key = key
        self._revision = revision
        self._names: dict[str, str] = {}
        self._values: dict[str, Any] = {}
        self._set: list[str] = []
        self._remove: list[str] = []

    def set(self, **attributes: Any) -> None:
        """What is None stays as it is."""
        for name, value in attributes.items():
            if value is not None:
                self._set.append(f"#{name} = {self._value(name, value)}")

    def set_if_absent(self, **attributes: Any) -> None:
        for name, value in attributes.items():
            self._set.append(f"#{name} = if_not_exists(#{name}, {self._value(name, value)})")

    def remove(self, *names: str) -> None:
        self._remove += [f"#{name}" for name in names]
        self._names |= {f"#{name}": name for name in names}

    def request(self, condition: str, *, names: Sequence[str], **values: Any) -> Request:
        self._names |= {f"#{name}": name for name in names}
        named = _STATES | {f":{name}": value for name, value in values.items()}
        self._values |= {name: to_value(value) for name, value in named.items() if name in condition}
        expression = f"SET {', '.join(self._set)}"
        if self._remove:
            expression += f" REMOVE {', '.join(self._remove)}"
        if self._revision:
            expression += " ADD #revision :one"
            self._names["#revision"] = "revision"
            self._values[":one"] = to_value(1)
        return {
            "TableName": self._table,
            "Key": dict(self._key),
            "UpdateExpression": expression,
            "ConditionExpression": condition,
            "ExpressionAttributeNames": self._names,
            "ExpressionAttributeValues": self._values,
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        }

    def _value(self, name: str, value: Any) -> str:
        self._names[f"#{name}"] = name
        self._values[f":set_{name}"] = to_value(value)
        return f":set_{name}"
