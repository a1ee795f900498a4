"""The function's settings. The only place that reads its environment."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field

from contract.json_log import level_problems
from contract.presign import LINK_SECONDS
from webhook_lambda.receiver import Timeouts
from webhook_lambda.schedule import Schedule

REQUIRED = (
    "TASKS_TABLE",
    "WEBHOOKS_QUEUE_URL",
    "WEBHOOKS_DEAD_LETTER_QUEUE_URL",
    "SIGNING_KEYS",
    "OUTPUT_BUCKET",
    "TASKS_URL",
)

TRUTHS = {"true": True, "false": False, "": False}


@dataclass(frozen=True, slots=True, kw_only=True)
class Timings:
    """Seconds. ``total`` is what one message may take, ``link`` how long the links of a payload open."""

    timeouts: Timeouts = field(default_factory=Timeouts)
    schedule: Schedule = field(default_factory=Schedule)
    unreachable: float = 30.0
    """For how long a receiver that did not answer is not asked again by this process."""
    total: float = 45.0
    link: int = LINK_SECONDS


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """``secrets``: the folder of the clients' secrets in Secrets Manager. ``tasks_url`` ends in ``/v1alpha2/tasks``.

    ``endpoint_url`` replaces AWS's own endpoints, as AWS_ENDPOINT_URL does for every AWS SDK. ``allow_loopback``:
    receivers may be on this machine and without TLS.
    """

    table: str
    queue_url: str
    dead_letter_url: str
    secrets: str
    bucket: str
    tasks_url: str
    allow_loopback: bool = False
    log_level: str = "INFO"
    endpoint_url: str | None = None


def load() -> Settings:
    """The settings of this process. Raises ValueError as ``read`` does."""
    return read(os.environ)


def read(environment: Mapping[str, str]) -> Settings:
    """Settings from environment variables. Raises ValueError with everything that is missing or wrong."""
    problems = [f"{name} is not set" for name in REQUIRED if not environment.get(name)]
    loopback = environment.get("LOOPBACK_WEBHOOKS", "").lower()
    if loopback not in TRUTHS:
        problems.append(f"LOOPBACK_WEBHOOKS must be true or false, got {loopback!r}")
    level = environment.get("LOGLEVEL", "INFO").upper()
    problems += level_problems(level)
    if problems:
        raise ValueError("; ".join(problems))
    return Settings(
        table=environment["TASKS_TABLE"],
        queue_url=environment["WEBHOOKS_QUEUE_URL"],
        dead_letter_url=environment["WEBHOOKS_DEAD_LETTER_QUEUE_URL"],
        secrets=environment["SIGNING_KEYS"],
        bucket=environment["OUTPUT_BUCKET"],
        tasks_url=environment["TASKS_URL"],
        allow_loopback=TRUTHS[loopback],
        log_level=level,
        endpoint_url=environment.get("AWS_ENDPOINT_URL"),
    )
