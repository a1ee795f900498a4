"""Which runtimes there are to route to. The stack writes it into the Lambda's environment; the front door reads it."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Self

from contract.policy import TaskPolicy
from contract.runtimes import RuntimeType

MAX_ENV_BYTES = 3584
"""Lambda's whole environment holds 4 KiB, names and values; the rest is for the topic, the bucket and the log level."""


NO_POLICY: Mapping[str, Any] = MappingProxyType({})
"""Nothing but defaults."""


@dataclass(frozen=True, slots=True)
class RuntimeEntry:
    """A runtime as the front door sees it.

    ``model`` is the file it loads at start (sdwebui only), ``dynamic`` says whether a task may name another one.
    ``task_policy`` is that of config.yaml; ``policy`` is what a task is judged by.
    """

    name: str
    type: RuntimeType
    model: str | None = None
    dynamic: bool = False
    task_policy: TaskPolicy = field(default_factory=TaskPolicy)

    @property
    def policy(self) -> TaskPolicy:
        return self.task_policy.switching_models() if self.dynamic else self.task_policy


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

    def only(self, allowed: Callable[[str], bool]) -> Self:
        """The runtimes whose names are allowed."""
        return type(self)(tuple(runtime for runtime in self.runtimes if allowed(runtime.name)))

    def to_env(self, room: int = MAX_ENV_BYTES) -> str:
        """Compact JSON, one row a runtime: ``[["name","type","model",1,{policy}],…]``, without defaults at its end.

        Raises ValueError when it is longer than ``room``, the bytes that a Lambda's environment has left.
        """
        text = json.dumps([_row(runtime) for runtime in self.runtimes], separators=(",", ":"))
        if len(text) > room:
            raise ValueError(
                f"the catalogue of {len(self.runtimes)} runtimes takes {len(text)} bytes, a Lambda's environment has "
                f"room for {room}; give the runtimes or models shorter names, shorten "
                "their taskPolicy, or deploy a second stack"
            )
        return text

    @classmethod
    def from_env(cls, text: str) -> Self:
        """Read what ``to_env`` wrote. Raises ValueError when it is anything else."""
        try:
            return cls(tuple(_entry(*row) for row in json.loads(text)))
        except (TypeError, ValueError, RecursionError) as error:
            raise ValueError(f"the runtime catalogue cannot be read: {error}") from error


def _row(runtime: RuntimeEntry) -> list[Any]:
    policy = runtime.task_policy.not_default()
    row: list[Any] = [runtime.name, runtime.type.value, runtime.model, int(runtime.dynamic), policy]
    while not row[-1]:
        row.pop()
    return row


def _entry(
    name: str, type_: str, model: str | None = None, dynamic: int = 0, policy: Mapping[str, Any] = NO_POLICY
) -> RuntimeEntry:
    if not isinstance(name, str) or not isinstance(model, str | None):
        raise TypeError(f"a runtime has the name {name!r} and the model {model!r}")
    return RuntimeEntry(name, RuntimeType(type_), model, bool(dynamic), TaskPolicy.from_values(policy))
