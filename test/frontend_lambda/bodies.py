"""Requests to ``POST /v1alpha2``."""

from typing import Any, TypeAlias

Body: TypeAlias = dict[str, Any]

NODES = {"1": {"class_type": "EmptyImage", "inputs": {}}}


def body(content: Any = None, **metadata: Any) -> Body:
    """A good text-to-image request, with changes. A value of ... takes the field away."""
    fields = {"id": "my-1", "runtime": "sdruntime", "tasktype": "text-to-image", "prefix": "output", **metadata}
    kept = {name: value for name, value in fields.items() if value is not ...}
    return {"task": {"metadata": kept, "content": {"prompt": "A dog"} if content is None else content}}


PROMPT = "a very private prompt"


def padded_body(size: int = 0, **metadata: Any) -> Body:
    """A request whose prompt must never be logged, with ``size`` characters more."""
    return body({"prompt": PROMPT, "padding": "x" * size}, **metadata)
