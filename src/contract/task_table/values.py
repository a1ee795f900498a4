"""Python values as DynamoDB's attribute values, and back."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, TypeAlias

Value: TypeAlias = Any
"""``{"S": "text"}``, ``{"N": "1"}``, … as botocore's low-level client takes it."""


def to_value(value: Any) -> Value:  # noqa: PLR0911 - one for each kind
    """The attribute value of text, a number, a truth value, None, or mappings and sequences of them.

    Raises TypeError for anything else.
    """
    match value:
        case None:
            return {"NULL": True}
        case bool():
            return {"BOOL": value}
        case str():
            return {"S": str(value)}
        case int():
            return {"N": str(value)}
        case float():
            return {"N": format(Decimal(repr(value)), "f")}
        case Mapping():
            return {"M": to_values(value)}
        case list() | tuple():
            return {"L": [to_value(inner) for inner in value]}
    raise TypeError(f"DynamoDB holds no {type(value).__name__}")


def to_values(values: Mapping[str, Any]) -> dict[str, Value]:
    """An item, or a part of one, without what is None."""
    return {name: to_value(value) for name, value in values.items() if value is not None}


def from_value(value: Value) -> Any:
    """What ``to_value`` was given: numbers come back as int where they are whole, else as float."""
    kind, held = next(iter(value.items()))
    match kind:
        case "NULL":
            return None
        case "N":
            return int(held) if held.lstrip("-").isdigit() else float(held)
        case "M":
            return from_values(held)
        case "L":
            return [from_value(inner) for inner in held]
    return held


def from_values(values: Mapping[str, Value]) -> dict[str, Any]:
    """An item, or a part of one."""
    return {name: from_value(value) for name, value in values.items()}
