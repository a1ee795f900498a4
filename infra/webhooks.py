"""What sends webhooks, as plain data."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from contract.webhook_secret import secret_name
from contract.wire import WEBHOOK_ATTRIBUTE
from infra.queues import Queue

FUNCTION_SECONDS = 60
"""A batch takes 45 s at most (``webhook_lambda.settings.Timings``); the rest is for a cold start."""

BATCH_SIZE = 10
"""Messages of a call; they are sent at the same time."""

CONCURRENCY = 10
"""Calls at the same time. A receiver that does not answer takes 10 s of a call, and is then left alone for 30 s."""

VISIBILITY_SECONDS = 6 * FUNCTION_SECONDS
"""As AWS advises for a queue before a function. Only what a call did not come to waits for so long."""

MAX_RECEIVES = 1000
"""The most that SQS takes. The function itself decides what is a dead letter; this is for what it cannot survive."""

TASKS_PATH = "v1alpha2/tasks"


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhooks:
    """``clients`` have a secret each, in the folder ``secrets`` of Secrets Manager."""

    queue: Queue
    dead_letters: Queue
    secrets: str
    clients: tuple[str, ...]

    @property
    def filter_policy(self) -> Mapping[str, Any]:
        """Of the queue's subscription to the output topic: ends of tasks that have a webhook."""
        return {WEBHOOK_ATTRIBUTE: [{"exists": True}], "status": [{"anything-but": ["running"]}]}

    @property
    def secret_names(self) -> Mapping[str, str]:
        """By client."""
        return {client: secret_name(self.secrets, client) for client in self.clients}

    def environment(
        self, *, queue_url: str, dead_letter_url: str, output_bucket: str, api_url: str, log_level: str = "INFO"
    ) -> dict[str, str]:
        """Environment of the function, in addition to the table's. ``api_url`` ends in the stage and a slash."""
        return {
            "WEBHOOKS_QUEUE_URL": queue_url,
            "WEBHOOKS_DEAD_LETTER_QUEUE_URL": dead_letter_url,
            "SIGNING_KEYS": self.secrets,
            "OUTPUT_BUCKET": output_bucket,
            "TASKS_URL": f"{api_url}{TASKS_PATH}",
            "LOGLEVEL": log_level,
        }


def webhooks_of(stack_name: str, clients: Sequence[str]) -> Webhooks:
    """``stack_name`` is that of the config, without "Stack". No runtime's queue has these names: they hold ``_``."""
    dead_letters = Queue(name=f"{stack_name}_webhook_events_dead", visibility=VISIBILITY_SECONDS)
    return Webhooks(
        queue=Queue(
            name=f"{stack_name}_webhook_events",
            visibility=VISIBILITY_SECONDS,
            dead_letters=dead_letters.name,
            max_receives=MAX_RECEIVES,
        ),
        dead_letters=dead_letters,
        secrets=f"{stack_name}/webhooks",
        clients=tuple(clients),
    )
