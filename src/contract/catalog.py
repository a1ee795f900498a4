"""Which runtimes there are to route to. The stack writes it into the Lambda's environment; the front door reads it."""

import json
from dataclasses import dataclass
from typing import Self

from contract.runtimes import RuntimeType

MAX_ENV_BYTES = 3584
"""Lambda's whole environment holds 4 KiB, names and values; the rest is for the topic, the bucket and the log level."""


@dataclass(frozen=True, slots=True)
class RuntimeEntry:
    """A runtime as the front door sees it.

    ``model`` is the file it loads at start (sdwebui only), ``dynamic`` says whether a task may name another one.
    """

    name: str
    type: RuntimeType
    model: str | None = None
    dynamic: bool = False


@dataclass(frozen=True, slots=True)
class Catalog:
    """All runtimes, in the order of config.yaml. Names and models are unique."""

    runtimes: tuple[RuntimeEntry, ...]

    def __post_init__(self) -> None:
        """Raises ValueError when two runtimes share a name or a model: one of them would get the other's tasks."""
        for what, values in (("name", self.names), ("model", self.models)):
            twice = sorted({value for value in values if values.count(value) > 1})
            if twice:
                raise ValueError(f"two runtimes have the {what} {', '.join(twice)}; each needs its own")

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(runtime.name for runtime in self.runtimes)

    @property
    def models(self) -> tuple[str, ...]:
        return tuple(runtime.model for runtime in self.runtimes if runtime.model is not None)

    def named(self, name: str) -> RuntimeEntry | None:
        return next((runtime for runtime in self.runtimes if runtime.name == name), None)

    def loading(self, model: str) -> RuntimeEntry | None:
        """The runtime that loads ``model`` at start."""
        return next((runtime for runtime in self.runtimes if runtime.model == model), None)

    def dynamic(self) -> tuple[RuntimeEntry, ...]:
        """The runtimes that switch to the model that a task names."""
        return tuple(runtime for runtime in self.runtimes if runtime.dynamic)

    def to_env(self) -> str:
        """Compact JSON, one row a runtime: ``[["name","type","model",1],…]``, without the defaults at a row's end.

        Raises ValueError when it is too long for a Lambda's environment.
        """
        text = json.dumps([_row(runtime) for runtime in self.runtimes], separators=(",", ":"))
        if len(text) > MAX_ENV_BYTES:
            raise ValueError(
                f"the catalogue of {len(self.runtimes)} runtimes takes {len(text)} bytes, a Lambda's environment has "
                f"room for {MAX_ENV_BYTES}; give the runtimes or models shorter names, or deploy a second stack"
            )
        return text

    @classmethod
    def from_env(cls, text: str) -> Self:
        """Read what ``to_env`` wrote. Raises ValueError when it is anything else."""
        try:
            return cls(tuple(_entry(*row) for row in json.loads(text)))
        except (TypeError, ValueError, RecursionError) as error:
            raise ValueError(f"the runtime catalogue cannot be read: {error}") from error


def _row(runtime: RuntimeEntry) -> list[str | int | None]:
    row: list[str | int | None] = [runtime.name, runtime.type.value, runtime.model, int(runtime.dynamic)]
    while not row[-1]:
        row.pop()
    return row


def _entry(name: str, type_: str, model: str | None = None, dynamic: int = 0) -> RuntimeEntry:
    if not isinstance(name, str) or not isinstance(model, str | None):
        raise TypeError(f"a runtime has the name {name!r} and the model {model!r}")
    return RuntimeEntry(name, RuntimeType(type_), model, bool(dynamic))
