"""The tables of the chart's values: name, what is allowed, default, meaning."""

import json
from itertools import groupby
from typing import Any

from charts.document import SECTIONS, Value, values
from utils.guide.translation import table, translated

HEADS = {"en": ["Value", "Allowed", "Default", "Meaning"], "zh": ["参数", "取值", "默认值", "含义"]}


def value_tables(language: str) -> str:
    """The sections with their tables, as Markdown."""
    ordered = sorted(values(), key=lambda value: SECTIONS.index(value.section))
    parts = []
    for section, group in groupby(ordered, key=lambda value: value.section):
        rows = [_cells(value, language) for value in group]
        parts.append(f"### `{section}`\n\n{table(HEADS[language], rows)}")
    return "\n\n".join(parts)


def _cells(value: Value, language: str) -> list[str]:
    name = value.path.removeprefix(f"{value.section}.")
    meaning = translated(value.meaning, language)
    return [f"`{name}`", translated(value.allowed, language), _shown(value.default, language), meaning]


def _shown(default: Any, language: str) -> str:
    if default in (None, "", [], {}):
        return translated("none", language)
    return f"`{default if isinstance(default, str) else json.dumps(default)}`"
