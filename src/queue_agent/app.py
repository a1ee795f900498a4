"""The agent put together from its settings: all wiring is here, and nothing else."""

import asyncio
import logging
import os
import socket
from contextlib import AsyncExitStack
from dataclasses import dataclass

from yarl import URL

from queue_agent.agent import Agent
from queue_agent.aws.clients import Clients, open_clients
from queue_agent.aws.journal import LeaseJournal
from queue_agent.aws.queue import Queue
from queue_agent.aws.task_table import TaskTable
from queue_agent.aws.webhook_queue import WebhookQueue
from queue_agent.inputs.admission import Admission
from queue_agent.inputs.fetcher import Fetcher, Limits
from queue_agent.intake.intake import Intake
from queue_agent.intake.pod_reports import PodReports
from queue_agent.intake.recovery import Recovery
from queue_agent.lifecycle.breaker import Breaker
from queue_agent.lifecycle.health import Health, serve_health
from queue_agent.lifecycle.pod_deletion_cost import DeletionCost, Pod
from queue_agent.lifecycle.readiness import Readiness
from queue_agent.lifecycle.runtime_state import RuntimeState
from queue_agent.lifecycle.shutdown import Shutdown, shutdown_on_signals
from queue_agent.outcome.delivery_health import DeliveryHealth
from queue_agent.outcome.delivery_retry import RetryTimings
from queue_agent.outcome.duplicates import Duplicates
from queue_agent.outcome.finisher import TaskFinisher
from queue_agent.outcome.ledger import Ledger
from queue_agent.outcome.limits import OutputLimits
from queue_agent.outcome.notifier import Notifier
from queue_agent.outcome.store import Store
from queue_agent.processing.processor import Processor
from queue_agent.processing.tracking import Tracker
from queue_agent.runtimes import open_runtime
from queue_agent.runtimes.base import Runtime
from queue_agent.runtimes.session import runtime_session
from queue_agent.settings import Settings, Timings
from queue_agent.telemetry.metrics import Metrics
from queue_agent.telemetry.tracing import Telemetry

log = logging.getLogger("queue_agent")


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What ends a task: its message, its objects, its row in the task table, its callback."""

    queue: Queue
    store: Store
    notifier: Notifier
    ledger: Ledger
    finisher: TaskFinisher


@dataclass(frozen=True, slots=True, kw_only=True)
class App:
    """One agent and what it works with."""

    outcome: Outcome
    processor: Processor
    intake: Intake
    state: RuntimeState
    readiness: Readiness
    agent: Agent

    @property
    def queue(self) -> Queue:
        return self.outcome.queue

    @property
    def store(self) -> Store:
        return self.outcome.store

    @property
    def finisher(self) -> TaskFinisher:
        return self.outcome.finisher

    @property
    def delivery(self) -> DeliveryHealth:
        """Whether AWS takes what the agent delivers."""
        return self.outcome.finisher.health


async def serve(settings: Settings) -> None:
    """Work until SIGTERM or SIGINT. Raises AgentError when the runtime stays away."""
    async with AsyncExitStack() as stack:
        telemetry = _telemetry(settings)
        stack.push_async_callback(asyncio.to_thread, telemetry.close)
        shutdown = await stack.enter_async_context(shutdown_on_signals())
        clients = await stack.enter_async_context(open_clients(settings.region, tables=bool(settings.tasks_table)))
        session = await stack.enter_async_context(runtime_session())
        runtime = await stack.enter_async_context(
            open_runtime(settings.runtime_type, settings.runtime_url, session, dynamic_model=settings.dynamic_model)
        )
        fetcher = await stack.enter_async_context(Fetcher(clients.s3, _link_limits(settings)))
        app = assemble(
            settings,
            clients,
            runtime=runtime,
            fetcher=fetcher,
            telemetry=telemetry,
            shutdown=shutdown,
            cost=_deletion_cost(settings),
        )
        health = Health(app.state, app.readiness, app.delivery, shutdown, telemetry.metrics)
        await stack.enter_async_context(serve_health(settings.health_host, settings.health_port, health))
        log.info("started", extra={"action": "started", "runtime_type": settings.runtime_type.value})
        await app.agent.run()


def assemble(
    settings: Settings,
    clients: Clients,
    *,
    runtime: Runtime,
    fetcher: Fetcher,
    telemetry: Telemetry,
    shutdown: Shutdown,
    cost: DeletionCost | None = None,
    timings: Timings | None = None,
    retry_timings: RetryTimings | None = None,
) -> App:
    """Everything around what is open already; nothing is begun."""
    timings = timings or Timings()
    journal = LeaseJournal(settings.state_dir)
    table = TaskTable(clients.tables, settings.tasks_table) if settings.tasks_table else None
    outcome = _outcome(settings, clients, telemetry, journal, table=table, timings=retry_timings)
    webhooks = WebhookQueue(clients.sqs, settings.webhooks_queue_url)
    processor = _processor(settings, runtime, fetcher, outcome, webhooks=webhooks, journal=journal, timings=timings)
    state = RuntimeState()
    readiness = Readiness(runtime, state, Breaker(timings.trial_pauses), settings.runtime_away_limit, timings)
    telemetry.metrics.gpu.ready = state.taking.is_set
    intake = Intake(
        queue=outcome.queue,
        processor=processor,
        recovery=Recovery(journal, outcome.queue, processor, outcome.finisher),
        runtime=runtime,
        state=state,
        deliverable=outcome.finisher.health.ok,
        shutdown=shutdown,
        timings=timings,
    )
    agent = Agent(
        intake=intake,
        processor=processor,
        readiness=readiness,
        state=state,
        deliverable=outcome.finisher.health.ok,
        shutdown=shutdown,
        grace=settings.grace,
        gpu=telemetry.metrics.gpu,
        timings=timings,
        cost=cost,
        reports=_pod_reports(settings, table, telemetry.metrics, state=state, intake=intake, shutdown=shutdown),
    )
    return App(outcome=outcome, processor=processor, intake=intake, state=state, readiness=readiness, agent=agent)


def _outcome(
    settings: Settings,
    clients: Clients,
    telemetry: Telemetry,
    journal: LeaseJournal,
    *,
    table: TaskTable | None,
    timings: RetryTimings | None,
) -> Outcome:
    queue = Queue(
        clients.sqs,
        settings.queue_url,
        settings.dead_letter_queue_url,
        settings.lease_seconds,
        telemetry=telemetry,
        journal=journal,
    )
    store = Store(clients.s3, settings.bucket, OutputLimits.of(settings.policy))
    notifier = Notifier(clients.sns, settings.topic_arn)
    ledger = Ledger(
        table,
        telemetry.metrics,
        retention_days=settings.task_retention_days,
        gpu_hour_price=settings.gpu_hour_price,
    )
    finisher = TaskFinisher(
        queue=queue,
        store=store,
        notifier=notifier,
        ledger=ledger,
        metrics=telemetry.metrics,
        runtime_name=settings.runtime_name,
        max_attempts=settings.max_attempts,
        timings=timings,
    )
    return Outcome(queue=queue, store=store, notifier=notifier, ledger=ledger, finisher=finisher)


def _processor(
    settings: Settings,
    runtime: Runtime,
    fetcher: Fetcher,
    outcome: Outcome,
    *,
    webhooks: WebhookQueue,
    journal: LeaseJournal,
    timings: Timings,
) -> Processor:
    tracker = Tracker(
        ledger=outcome.ledger,
        store=outcome.store,
        notifier=outcome.notifier,
        webhooks=webhooks,
        running_callbacks=settings.running_callbacks,
        progress=runtime.progress,
        beat_seconds=timings.beat,
    )
    return Processor(
        runtime=runtime,
        admission=Admission(settings.runtime_type, settings.runtime_name, settings.policy, settings.clients),
        fetcher=fetcher,
        store=outcome.store,
        ledger=outcome.ledger,
        tracker=tracker,
        finisher=outcome.finisher,
        duplicates=Duplicates(store=outcome.store, finisher=outcome.finisher, task_timeout=settings.task_timeout),
        bucket=settings.bucket,
        task_timeout=settings.task_timeout,
        max_attempts=settings.max_attempts,
        timings=timings,
        journal=journal,
    )


def _telemetry(settings: Settings) -> Telemetry:
    """The SDK is loaded only where there is somewhere to send to."""
    endpoint, traces, metrics = settings.otlp_endpoint, settings.traces_exporter, settings.metrics_exporter
    if endpoint is None or traces == metrics == "none":
        return Telemetry(Metrics(settings.runtime_name))
    from queue_agent.telemetry.otel import ExportingTelemetry  # noqa: PLC0415

    return ExportingTelemetry(endpoint, settings.runtime_name, traces=traces == "otlp", metrics=metrics == "otlp")


def _deletion_cost(settings: Settings) -> DeletionCost | None:
    if not (settings.pod_name and settings.pod_namespace):
        return None
    return DeletionCost(
        Pod(
            api=URL.build(scheme="https", host=settings.kubernetes_host, port=settings.kubernetes_port),
            namespace=settings.pod_namespace,
            name=settings.pod_name,
            account=settings.service_account,
        )
    )


def _pod_reports(
    settings: Settings,
    table: TaskTable | None,
    metrics: Metrics,
    *,
    state: RuntimeState,
    intake: Intake,
    shutdown: Shutdown,
) -> PodReports | None:
    if table is None:
        return None
    return PodReports(
        table,
        metrics=metrics,
        runtime=settings.runtime_name,
        pod=settings.pod_name or f"{socket.gethostname()}-{os.getpid()}",
        state=state,
        intake=intake,
        shutdown=shutdown,
    )


def _link_limits(settings: Settings) -> Limits:
    buckets = frozenset(settings.input_buckets)
    return Limits(
        max_bytes=settings.max_link_bytes,
        timeout=settings.link_timeout,
        names=settings.allowed_names,
        networks=settings.allowed_networks,
        # An output bucket that is an input bucket as well would let clients read each other's results.
        buckets=buckets - {settings.bucket} if settings.clients.named else buckets,
        output_bucket=settings.bucket,
        allow_loopback=settings.allow_loopback_links,
    )
