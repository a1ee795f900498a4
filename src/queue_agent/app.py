"""The agent's collaborators, put together from its settings."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from queue_agent.agent import Agent
from queue_agent.aws.clients import Clients
from queue_agent.aws.queue import Queue
from queue_agent.inputs.fetcher import Fetcher
from queue_agent.lifecycle.readiness import Readiness
from queue_agent.lifecycle.shutdown import Shutdown
from queue_agent.outcome.delivery_retry import RetryTimings
from queue_agent.outcome.finisher import TaskFinisher
from queue_agent.outcome.notifier import Notifier
from queue_agent.outcome.store import Store
from queue_agent.processor import Processor
from queue_agent.runtimes.base import Runtime
from queue_agent.settings import Settings
from queue_agent.telemetry.tracing import Telemetry

if TYPE_CHECKING:
    from queue_agent.lifecycle.pod_deletion_cost import DeletionCost


@dataclass(frozen=True, slots=True, kw_only=True)
class App:
    """One agent and what it works with."""

    queue: Queue
    store: Store
    ending: TaskFinisher
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
    stop: Shutdown,
    cost: "DeletionCost | None" = None,
    retry_timings: RetryTimings | None = None,
) -> App:
    """Everything around what is open already; nothing is begun."""
    queue = Queue(
        clients.sqs, settings.queue_url, settings.dead_letter_queue_url, settings.lease_seconds, telemetry=telemetry
    )
    store = Store(clients.s3, settings.bucket)
    notifier = Notifier(clients.sns, settings.topic_arn)
    ending = TaskFinisher(
        queue=queue,
        store=store,
        notifier=notifier,
        metrics=telemetry.metrics,
        runtime_name=settings.runtime_name,
        max_attempts=settings.max_attempts,
        timings=retry_timings,
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
    return App(queue=queue, store=store, ending=ending, processor=processor, readiness=readiness, agent=agent)
