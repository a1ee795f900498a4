"""``GET /{path}?prompt=``: an image from a text, answered in the request. What the route asks for, and what runs it.

The answer is 200 ``{"url": link, "prompt": text}``. The stack writes the route into the front door's environment.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from contract.errors import ContractError, Problem, shown
from contract.policy import TaskPolicy

DEFAULT_PATH = "text-to-image"

PROMPT, WIDTH, HEIGHT, NEGATIVE_PROMPT, SEED = "prompt", "width", "height", "negative_prompt", "seed"
"""The query parameters; ``prompt`` is required."""

DEFAULT_SIZE = 512
SIZES = range(64, 2048 + 1, 8)
"""Pixels of an edge. Latent diffusion works on blocks of 8 pixels; what more a task may ask for is the policy's."""

SEEDS = range(-1, 2**32)
"""-1 is a random one."""

_INTEGER = re.compile(r"-?[0-9]{1,12}")


@dataclass(frozen=True, slots=True)
class TextToImageRoute:
    """Either ``runtime`` is set, the name of the runtime that runs each request as a task, or ``endpoint``, the name of
    a SageMaker endpoint, whose requests are judged by ``policy``."""

    path: str = DEFAULT_PATH
    runtime: str | None = None
    endpoint: str | None = None
    policy: TaskPolicy = field(default_factory=TaskPolicy)

    def to_env(self) -> str:
        """Compact JSON, which ``from_env`` reads."""
        named = {"path": self.path, "runtime": self.runtime, "endpoint": self.endpoint}
        values: dict[str, Any] = {**named, "policy": self.policy.not_default()}
        return json.dumps({name: value for name, value in values.items() if value}, separators=(",", ":"))

    @classmethod
    def from_env(cls, text: str) -> Self:
        """Raises ValueError when ``text`` is not what ``to_env`` wrote."""
        try:
            values = json.loads(text)
            return cls(**{**values, "policy": TaskPolicy.from_values(values.get("policy", {}))})
        except (AttributeError, TypeError, ValueError) as error:
            raise ValueError(f"the route of images from text cannot be read: {error}") from error


def text_to_image_content(query: Mapping[str, str]) -> dict[str, Any]:
    """The task's content that the query parameters ask for: WebUI's and SageMaker's fields have the same names.

    Raises ContractError with everything that is wrong. Other parameters are passed over.
    """
    problems = list(_problems(query))
    if problems:
        raise ContractError(problems)
    content: dict[str, Any] = {PROMPT: query[PROMPT]}
    content |= {name: int(query.get(name) or DEFAULT_SIZE) for name in (WIDTH, HEIGHT)}
    if query.get(NEGATIVE_PROMPT):
        content[NEGATIVE_PROMPT] = query[NEGATIVE_PROMPT]
    if query.get(SEED):
        content[SEED] = int(query[SEED])
    return content


def _problems(query: Mapping[str, str]) -> Iterator[Problem]:
    if not query.get(PROMPT, "").strip():
        yield Problem(PROMPT, "is required: a text that says what the image shows")
    for name in (WIDTH, HEIGHT):
        if (given := query.get(name)) and not _is_in(given, SIZES):
            rule = f"a multiple of {SIZES.step} from {SIZES.start} to {SIZES.stop - 1}"
            yield Problem(name, f"must be {rule}, got {shown(given)}")
    if (seed := query.get(SEED)) and not _is_in(seed, SEEDS):
        yield Problem(SEED, f"must be a whole number from {SEEDS.start} to {SEEDS.stop - 1}, got {shown(seed)}")


def _is_in(text: str, allowed: range) -> bool:
    return bool(_INTEGER.fullmatch(text)) and int(text) in allowed
