"""The tables of the keys of config.yaml: path, what is allowed, default, meaning.

Paths, kinds and defaults are those of ``infra.config.model``; the rule of a text is its error message.
The meanings stand in keys.yaml.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Annotated, Any, get_args

import yaml
from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo

from contract.policy import TaskPolicy
from infra.config.model import Config
from utils.guide.translation import table, translated

MEANINGS = Path(__file__).with_name("keys.yaml")

HEADS = {"en": ["Key", "Allowed", "Default", "Meaning"], "zh": ["键", "取值", "默认值", "含义"]}

TOP = {"en": "The stack", "zh": "堆栈"}
"""Heading of the keys that lie in no section."""

_BROKEN = "\x00"
"""A text that no rule allows."""


@dataclass(frozen=True, slots=True)
class Key:
    """``path`` is such as ``eks.version`` or ``modelsRuntime[].name``; ``schema`` and ``rule`` say what is allowed."""

    path: str
    field: FieldInfo
    schema: dict[str, Any]
    rule: str

    @property
    def section(self) -> str:
        """The first part of the path, empty for a key that stands alone."""
        first, dot, _ = self.path.partition(".")
        return first if dot else ""


def keys(model: type[BaseModel] = Config, path: str = "") -> Iterator[Key]:
    """Every key below a section, in the order of the file. A runtime's taskPolicy has the keys of the stack's."""
    for name, field in model.model_fields.items():
        key = f"{path}{field.alias or name}"
        below = _section(field.annotation)
        if below is None or (below is TaskPolicy and path):
            kind: TypeAdapter[Any] = TypeAdapter(_annotated(field))
            yield Key(key, field, kind.json_schema(), _rule(kind))
        else:
            yield from keys(below, f"{key}[]." if "tuple" in str(field.annotation) else f"{key}.")


def _annotated(field: FieldInfo) -> Any:
    """The field's type with its limits, as it is written in the class."""
    return Annotated[field.annotation, *field.metadata] if field.metadata else field.annotation


def _section(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for part in get_args(annotation) if (found := _section(part))), None)


def _rule(kind: TypeAdapter[Any]) -> str:
    """What the error says about a wrong text, alone or in a list; empty where any text is allowed."""
    errors = (_refusal(kind, _BROKEN), _refusal(kind, [_BROKEN]))
    return next((rule for rule in errors if rule.startswith("must")), "").removeprefix("must be ")


def _refusal(kind: TypeAdapter[Any], value: Any) -> str:
    try:
        kind.validate_python(value)
    except ValidationError as error:
        return error.errors()[0]["msg"].removeprefix("Value error, ")
    return ""


def key_tables(language: str) -> str:
    """A table for each section, as Markdown. Raises LookupError for a key without a meaning, or one too many."""
    meanings = yaml.safe_load(MEANINGS.read_text("utf-8"))
    found = list(keys())
    paths = {key.path for key in found}
    if wrong := paths ^ set(meanings):
        raise LookupError(f"{MEANINGS}: there is not one meaning for each of {', '.join(sorted(wrong))}")
    ordered = sorted(found, key=lambda key: bool(key.section))
    parts = []
    for section, group in groupby(ordered, key=lambda key: key.section):
        rows = [_cells(key, meanings[key.path], language) for key in group]
        heading = f"`{section}`" if section else TOP[language]
        parts.append(f"### {heading}\n\n{table(HEADS[language], rows)}")
    return "\n\n".join(parts)


def _cells(key: Key, meaning: dict[str, str], language: str) -> list[str]:
    default = meaning.get(f"default-{language}") or _default(key.field, language)
    return [f"`{key.path}`", _allowed(key.schema, key.rule, language), default, meaning[language]]


def _default(field: FieldInfo, language: str) -> str:
    if field.is_required():
        return translated("**required**", language)
    default = field.get_default(call_default_factory=True)
    if default is None or default in ((), {}):
        return translated("none", language)
    plain = isinstance(default, str) and yaml.safe_load(default) == default
    return f"`{default}`" if plain else f"`{json.dumps(default)}`"


def _allowed(schema: dict[str, Any], rule: str, language: str) -> str:
    schema = _resolved(schema, schema.get("$defs", {}))
    if "enum" in schema:
        return ", ".join(f"`{choice}`" for choice in schema["enum"])
    if "const" in schema:
        return f"`{schema['const']}`"
    if "anyOf" in schema:
        return _allowed(next(choice for choice in schema["anyOf"] if choice.get("type") != "null"), rule, language)
    match schema["type"]:
        case "array":
            text = f"{translated('list, each', language)} {_allowed(schema['items'], rule, language)}"
        case "object":
            text = translated("mapping", language)
        case "boolean":
            text = "`true`, `false`"
        case "string":
            text = re.sub(r"'([^']+)'", r"`\1`", translated(rule or "text", language))
        case _:
            text = _number(schema, language)
    return text


def _number(schema: dict[str, Any], language: str) -> str:
    bounds = [
        f"{sign} {_written(schema[key])}"
        for sign, key in ((">", "exclusiveMinimum"), ("≥", "minimum"), ("≤", "maximum"))
        if key in schema
    ]
    if "multipleOf" in schema:
        bounds.append(f"{translated('a multiple of', language)} {schema['multipleOf']}")
    return ", ".join([translated(schema["type"], language), *bounds])


def _written(number: float) -> str:
    return f"{int(number):,}" if number == int(number) else f"{number:g}"


def _resolved(schema: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in schema or any("$ref" in choice for choice in schema.get("anyOf", ())):
        reference = schema.get("$ref") or next(c["$ref"] for c in schema["anyOf"] if "$ref" in c)
        schema = definitions[reference.removeprefix("#/$defs/")]
    return schema
