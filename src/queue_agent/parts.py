"""The agent's collaborators, put together from its settings."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from queue_agent.agent import Agent
from queue_agent.aws import Clients
from queue_agent.ending import Ending
from queue_agent.fetch import Fetcher
from queue_agent.notify import Notifier
from queue_agent.process import Processor
from queue_agent.queue import Queue
from queue_agent.readiness import Readiness
from queue_agent.runtimes.base import Runtime
from queue_agent.settings import Settings
from queue_agent.stop import Stop
from queue_agent.store import Store
from queue_agent.telemetry import Telemetry

if TYPE_CHECKING:
    from queue_agent.deletion_cost import DeletionCost


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """One agent and what it works with."""

    queue: Queue
    store: Store
    ending: Ending
    processor: Processor
    readiness: Readiness
    agent: Agent


def assemble(
    settings: Settings,
    clients: Clients,
    *,
    runtime: Runtime,
    fetcher: Fetcher,
    telemetry: Telemetry,
    stop: Stop,
    cost: "DeletionCost | None" = None,
) -> Parts:
    """Everything around what is open already; nothing is begun."""
    queue = Queue(
        clients.sqs, settings.queue_url, settings.dead_letter_queue_url, settings.lease_seconds, telemetry=telemetry
    )
    store = Store(clients.s3, settings.bucket)
    notifier = Notifier(clients.sns, settings.topic_arn)
    ending = Ending(
        queue=queue,
        store=store,
        notifier=notifier,
        metrics=telemetry.metrics,
        runtime_name=settings.runtime_name,
        max_attempts=settings.max_attempts,
    )
    processor = Processor(
        runtime=runtime,
        runtime_type=settings.runtime_type,
        fetcher=fetcher,
        store=store,
        notifier=notifier,
        ending=ending,
        bucket=settings.bucket,
        task_timeout=settings.task_timeout,
        max_attempts=settings.max_attempts,
        running_callbacks=settings.running_callbacks,
    )
    readiness = Readiness(runtime, settings.runtime_away_limit)
    agent = Agent(
        queue=queue,
        processor=processor,
        runtime=runtime,
        readiness=readiness,
        stop=stop,
        grace=settings.grace,
        gpu=telemetry.metrics.gpu,
        cost=cost,
    )
    return Parts(queue=queue, store=store, ending=ending, processor=processor, readiness=readiness, agent=agent)
