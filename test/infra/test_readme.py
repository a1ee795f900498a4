"""The README of infra/ names what there is."""

import re
from collections.abc import Iterator
from typing import Any, get_args

from pydantic import BaseModel

from infra.app import ROOT
from infra.config import Config
from infra.config_checks import MAX_RUNTIMES

README = (ROOT / "infra" / "README.md").read_text()


def keys(model: type[BaseModel], path: str = "") -> Iterator[str]:
    """Paths of all keys below a section, those of lists with ``[]``."""
    for name, field in model.model_fields.items():
        key = f"{path}{field.alias or name}"
        below = section_in(field.annotation)
        if below is None:
            yield key
        else:
            yield from keys(below, f"{key}[]." if "tuple" in str(field.annotation) else f"{key}.")


def section_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for part in get_args(annotation) if (found := section_in(part))), None)


def told() -> Iterator[str]:
    """Keys in the first column of the table; ``.b`` after ``a.x`` is ``a.b``."""
    for row in re.findall(r"(?m)^\| (`[^|]+) \|", README.split("## config.yaml")[1].split("## Outputs")[0]):
        first = ""
        for key in re.findall(r"`([^`]+)`", row):
            full = f"{first.rpartition('.')[0]}{key}" if key.startswith(".") else key
            first = first or full
            yield full


def test_every_key_of_the_config_is_told_and_no_other() -> None:
    # Given the two controllers' sources are told in words
    sources = {f"addOns.{name}.{key}" for name in ("karpenter", "keda") for key in ("chartRepository", "chartVersion")}
    there = set(keys(Config)) - sources | {"addOns.karpenter", "addOns.keda"}

    # Then
    assert set(told()) == there


def test_the_limit_of_runtimes_is_told() -> None:
    assert f"A stack holds {MAX_RUNTIMES} runtimes" in README


def test_every_construct_of_the_stack_is_in_the_picture() -> None:
    # Given
    stack = (ROOT / "infra" / "stacks" / "platform.py").read_text()
    made = set(re.findall(r"from infra\.constructs\.\w+ import .*?\b([A-Z]\w+)", stack)) | {"QueueGuard", "NodeDrain"}
    made = {name.removesuffix("Bucket") for name in made} - {"RuntimeQueue"}

    # Then
    picture = README.split("```")[1]
    assert not [name for name in made if not re.search(rf"\b{name}\b", picture)]
