"""What is wrong with a config: where its author has to look, and what to put there."""

import difflib
from collections.abc import Iterable, Sequence
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from contract.errors import Problem, sentence

KEY_ITSELF = "[key]"
"""How pydantic says that the key of a mapping is wrong, and not its value."""

_RULES = {
    "dict_type": "must be a mapping of keys",
    "model_type": "must be a mapping of keys",
    "tuple_type": "must be a list",
    "bool_type": "must be true or false",
    "int_type": "must be a whole number",
    "string_type": "must be a string",
}
"""Where pydantic speaks Python and the file is YAML."""


class ConfigError(Exception):
    """A config that cannot be deployed. ``problems`` names everything that is wrong, not only the first."""

    def __init__(self, problems: Iterable[Problem], source: str = "the config") -> None:
        self.problems: tuple[Problem, ...] = tuple(problems)
        count = len(self.problems)
        header = f"{source} has {count} problem{'' if count == 1 else 's'}:"
        super().__init__("\n".join([header, *(f"  {problem}" for problem in self.problems)]))


def path_of(location: Sequence[str | int]) -> str:
    """``("modelsRuntime", 1, "name")`` as ``modelsRuntime[1].name``."""
    path = ""
    for part in location:
        if part == KEY_ITSELF:
            continue
        path += f"[{part}]" if isinstance(part, int) else f".{part}" if path else part
    return path


def problems_of(error: ValidationError, model: type[BaseModel]) -> tuple[Problem, ...]:
    """Every problem that pydantic found while it read ``model``."""
    details = error.errors(include_url=False)
    return tuple(Problem(path_of(detail["loc"]), _sentence(detail, model)) for detail in details)


def _sentence(detail: ErrorDetails, model: type[BaseModel]) -> str:
    kind, value, location = detail["type"], detail["input"], detail["loc"]
    if kind == "extra_forbidden":
        return f"is not a known key; {_advice(str(location[-1]), _known_keys(model, location[:-1]))}"
    if kind == "string_type" and isinstance(value, int | float) and not isinstance(value, bool):
        return f"must be a string, got {value}; put it in quotes, or YAML reads a number"
    return sentence(detail, _RULES)


def _advice(key: str, known: Sequence[str]) -> str:
    folded = {name.lower(): name for name in known}
    close = difflib.get_close_matches(key.lower(), folded, n=1)
    return f"did you mean {folded[close[0]]}?" if close else f"known are {', '.join(known)}"


def _known_keys(model: type[BaseModel], location: Sequence[str | int]) -> list[str]:
    for part in location:
        if isinstance(part, str):
            model = next(_model_in(field.annotation) for field in model.model_fields.values() if field.alias == part)
    return [field.alias or name for name, field in model.model_fields.items()]


def _model_in(annotation: Any) -> type[BaseModel]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next(_model_in(part) for part in get_args(annotation) if part is not Ellipsis)
