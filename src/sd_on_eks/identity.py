"""Ids of tasks that are derived from what a task is asked for, so that the same request is the same task."""

import json
import uuid
from typing import Any

from sd_on_eks.errors import JobError


def derived_id(endpoint: str, request: Any) -> str:
    """The id of the task that ``request``, a JSON value, asks for at ``endpoint``: a version 5 UUID.

    The API keeps the ids of different API clients apart, so the key is no part of it. Raises JobError for what JSON
    cannot hold.
    """
    try:
        text = json.dumps(request, sort_keys=True, separators=(",", ":"), allow_nan=False)
    except (TypeError, ValueError) as error:
        raise JobError(f"the arguments cannot be sent as JSON: {error}") from error
    return str(uuid.uuid5(uuid.uuid5(uuid.NAMESPACE_URL, endpoint), text))


def canonical(value: Any) -> Any:
    """``value`` with whole numbers as integers: JSON does not tell 7 from 7.0, and writers differ in what they send."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, dict):
        return {name: canonical(item) for name, item in value.items()}
    return [canonical(item) for item in value] if isinstance(value, list) else value
