"""The chart's values as its files tell them, for the page that lists them (``python -m utils.guide`` writes it).

A value's meaning is the comment above it in values.yaml, its type is what values.schema.json allows.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[1]
CHART = ROOT / "charts" / "sd-on-eks"
SECTIONS = (
    "runtime.scaling",
    "runtime.inferenceApi",
    "runtime.queueAgent",
    "runtime.persistence",
    "karpenter.provisioner",
    "karpenter.nodeTemplate",
    "runtime",
    "global",
    "networkPolicy",
)
"""A value is in the first section that its name begins with; ``runtime`` holds what the others leave."""


@dataclass(frozen=True)
class Value:
    """One documented value: its path, comment, default, and what the schema allows."""

    path: str
    meaning: str
    default: Any
    allowed: str

    @property
    def section(self) -> str:
        return next(section for section in SECTIONS if self.path.startswith(f"{section}."))


def values() -> list[Value]:
    """Every value of values.yaml. Raises LookupError for one without a comment or without a schema."""
    text = (CHART / "values.yaml").read_text()
    schema = json.loads((CHART / "values.schema.json").read_text())
    lines = _lines(yaml.compose(text, yaml.SafeLoader), "")
    comments = {path: _comment(text.splitlines(), line) for path, line in lines}
    return list(_values(yaml.safe_load(text), comments, schema, schema["definitions"], ""))


def _lines(node: Any, path: str) -> Iterator[tuple[str, int]]:
    for key, child in node.value if isinstance(node, yaml.MappingNode) else ():
        yield f"{path}{key.value}", key.start_mark.line
        yield from _lines(child, f"{path}{key.value}.")


def _values(
    data: dict[str, Any], comments: dict[str, str], schema: dict[str, Any], definitions: dict[str, Any], path: str
) -> Iterator[Value]:
    for key, default in data.items():
        name = f"{path}{key}"
        below = _resolved(schema.get("properties", {}).get(key), definitions)
        if below is None:
            raise LookupError(f"{name}: values.schema.json does not have it")
        if comments[name]:
            yield Value(name, comments[name], default, _allowed(below, definitions))
        elif isinstance(default, dict) and below.get("properties"):
            yield from _values(default, comments, below, definitions, f"{name}.")
        else:
            raise LookupError(f"{name}: values.yaml has no comment above it")


def _comment(lines: list[str], line: int) -> str:
    words: list[str] = []
    while line > 0 and lines[line - 1].lstrip().startswith("#"):
        line -= 1
        words.insert(0, lines[line].lstrip().lstrip("#").strip())
    return " ".join(words)


def _resolved(schema: dict[str, Any] | None, definitions: dict[str, Any]) -> dict[str, Any] | None:
    while schema and "$ref" in schema:
        schema = definitions[schema["$ref"].removeprefix("#/definitions/")]
    return schema


def _allowed(schema: dict[str, Any], definitions: dict[str, Any]) -> str:
    schema = _resolved(schema, definitions) or {}
    if "enum" in schema:
        return " or ".join(f"`{choice}`" if choice != "" else "empty" for choice in schema["enum"])
    if "anyOf" in schema:
        choices = [_allowed(choice, definitions) for choice in schema["anyOf"] if choice.get("type") != "null"]
        return " or ".join(dict.fromkeys(choices))
    if schema.get("type") == "array":
        return f"list of {_allowed(schema.get('items', {}), definitions)}"
    if schema.get("type") == "object":
        inner = schema.get("additionalProperties")
        return f"map of {_allowed(inner, definitions)}" if isinstance(inner, dict) else "map"
    kind = schema.get("type", "number")
    words = " or ".join(kind) if isinstance(kind, list) else kind
    bounds = [f"{word} {schema[key]}" for word, key in (("from", "minimum"), ("to", "maximum")) if key in schema]
    return " ".join([words, *bounds])
