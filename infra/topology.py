"""What a config comes to: topics, queues, filters, limits and environments, as plain data.

Two appliers build the same thing from it: the CDK constructs on AWS, and the local platform on one machine. Names that
hold ``_`` cannot meet: neither a stack's nor a runtime's name may hold one, so two stacks in one account keep apart.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from contract.catalog import MAX_ENV_BYTES, Catalog, RuntimeEntry
from contract.clients import Clients
from contract.errors import Problem
from contract.object_keys import RESERVED_PREFIX
from contract.policy import TaskPolicy
from contract.runtimes import RuntimeType
from infra.api_routes import API_ROUTES, ApiRoute
from infra.clients import UsagePlan, clients_of, usage_plans
from infra.config.api import Auth
from infra.config.errors import ConfigError
from infra.config.model import Config, Runtime
from infra.config.scaling import Scaling
from infra.cost.prices import price_book
from infra.queues import Queue
from infra.sync import NO_SYNC, SyncPlan, sync_plan
from infra.webhooks import Webhooks, webhooks_of

STACK_DESCRIPTION = "Asynchronous image generation: queue-driven, on GPU nodes that come and go"
"""By it the scripts know a stack of this project from others of the name."""

LEASE_SECONDS = 20
"""For how long an agent takes a message; it renews every third of this. A killed agent's task is back in the queue
within this time."""

MAX_ATTEMPTS = 3
"""Runs of one task before the agent gives up, tells the caller and moves the message to the dead letters itself."""

NO_KEYS: Mapping[str, str] = MappingProxyType({})

FilterPolicy = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """How tasks come to one runtime, and what runs them. ``policy`` is that of config.yaml; a dynamic model is not in
    it."""

    name: str
    namespace: str
    type: RuntimeType
    model: str | None
    dynamic_model: bool
    policy: TaskPolicy
    scaling: Scaling
    queue: Queue
    dead_letters: Queue

    @property
    def filter_policy(self) -> FilterPolicy:
        """Of the queue's subscription, on message attributes."""
        by_name = {"runtime": [self.name]}
        return {"$or": [by_name, {"sd_model_checkpoint": [self.model]}]} if self.model else by_name


@dataclass(frozen=True, slots=True, kw_only=True)
class Api:
    """The REST API: its stage, and a plan for each client. ``named``: the config names them, so that the front door
    tells them apart; else there is one plan. Without API keys this plan is what the stage as a whole takes."""

    stage: str
    plans: tuple[UsagePlan, ...]
    auth: Auth = Auth.API_KEY
    named: bool = False
    routes: tuple[ApiRoute, ...] = API_ROUTES

    @property
    def keyed(self) -> bool:
        """Whether each request needs an API key."""
        return self.auth is Auth.API_KEY

    @property
    def sync_paths(self) -> tuple[str, ...]:
        """The paths that answer with a result instead of a task's place."""
        return tuple(route.path for route in self.routes if route not in API_ROUTES)


@dataclass(frozen=True, slots=True)
class Expiry:
    """Objects below ``prefix`` are deleted after so many days. An empty prefix means all."""

    prefix: str
    days: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskTable:
    """The DynamoDB table of the task API. A task's item is kept for ``retention_days`` after its end."""

    name: str
    retention_days: int
    point_in_time_recovery: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Topology:
    """Everything that carries tasks. ``output_bucket`` is the local name; on AWS the bucket's name is made unique.

    ``gpu_hour_price`` in US dollars: what tasks are said to cost follows from it.
    """

    stack_name: str
    api: Api
    input_topic: str
    output_topic: str
    undelivered: Queue
    output_bucket: str
    expiries: tuple[Expiry, ...]
    task_table: TaskTable
    webhooks: Webhooks
    routes: tuple[Route, ...]
    gpu_hour_price: float
    task_timeout: int
    input_buckets: tuple[str, ...]
    allowed_link_hosts: tuple[str, ...]
    catalogue: str
    clients: Clients
    sync: SyncPlan = NO_SYNC

    def frontend_environment(
        self,
        *,
        input_topic_arn: str,
        output_bucket: str,
        queue_url_prefix: str,
        key_ids: Mapping[str, str] = NO_KEYS,
        log_level: str = "INFO",
    ) -> dict[str, str]:
        """Environment of the front door's function. ``key_ids``: of the API keys, by the names of the clients.

        ``queue_url_prefix`` and a runtime's name are its queue's URL: a Lambda's environment has no room for them all.
        """
        clients = {"CLIENTS": self.clients.with_keys(key_ids).to_env()} if self.clients.named else {}
        return {
            "INPUT_TOPIC_ARN": input_topic_arn,
            "OUTPUT_BUCKET": output_bucket,
            "QUEUE_URL_PREFIX": queue_url_prefix,
            "RUNTIMES": self.catalogue,
            "LOGLEVEL": log_level,
            **self.task_table_environment(),
            **clients,
            **self.sync.environment(),
        }

    def agent_environment(
        self,
        route: Route,
        *,
        region: str,
        queue_url: str,
        dead_letter_queue_url: str,
        output_topic_arn: str,
        output_bucket: str,
        webhooks_queue_url: str,
        api_base_url: str = "",
        log_level: str = "INFO",
    ) -> dict[str, str]:
        """Environment of a queue agent that serves ``route``, the same in the cluster and on one machine.

        What only the place knows is added there: ports, folders, the pod's name. The chart also adds ``api_base_url``,
        because it knows the runtime's port. An empty value counts as not set.
        """
        return {
            "AWS_DEFAULT_REGION": region,
            "SQS_QUEUE_URL": queue_url,
            "DEAD_LETTER_QUEUE_URL": dead_letter_queue_url,
            "SNS_TOPIC_ARN": output_topic_arn,
            "S3_BUCKET": output_bucket,
            "WEBHOOKS_QUEUE_URL": webhooks_queue_url,
            "RUNTIME_TYPE": route.type.value,
            "RUNTIME_NAME": route.name,
            "API_BASE_URL": api_base_url,
            "DYNAMIC_SD_MODEL": str(route.dynamic_model).lower(),
            "TASK_POLICY": route.policy.to_env(),
            "LOGLEVEL": log_level,
            **self.task_table_environment(),
            **self.agent_limits(),
        }

    def task_table_environment(self) -> dict[str, str]:
        """The same for everything that reads or writes the table."""
        return {
            "TASKS_TABLE": self.task_table.name,
            "TASK_RETENTION_DAYS": str(self.task_table.retention_days),
            "GPU_HOUR_PRICE": f"{self.gpu_hour_price:g}",
        }

    def agent_limits(self) -> dict[str, str]:
        """The part of an agent's environment that is the same for every runtime and wherever it runs."""
        return {
            "TASK_TIMEOUT": str(self.task_timeout),
            "LEASE_SECONDS": str(LEASE_SECONDS),
            "MAX_ATTEMPTS": str(MAX_ATTEMPTS),
            "INPUT_BUCKETS": ",".join(self.input_buckets),
            "ALLOWED_LINK_HOSTS": ",".join(self.allowed_link_hosts),
            "CLIENTS": self.clients.to_env(),
        }


def queue_name(stack_name: str, runtime: str) -> str:
    """Name of a runtime's queue. ``stack_name`` is that of the config, without "Stack"."""
    return f"{stack_name}_{runtime}"


def dead_letters_name(stack_name: str, runtime: str) -> str:
    """Name of a runtime's dead-letter queue."""
    return f"{queue_name(stack_name, runtime)}_dead"


def topology_of(config: Config) -> Topology:
    """Derive the topology. Raises ConfigError when runtimes and clients do not fit the Lambda's environment."""
    name, plans, sync = config.stack_name, usage_plans(config), sync_plan(config)
    catalogue = _catalogue(config, room=MAX_ENV_BYTES - sync.size)
    return Topology(
        stack_name=f"{name}Stack",
        api=Api(
            stage=config.apigw.stage_name,
            plans=plans,
            named=bool(config.clients),
            auth=config.apigw.auth,
            routes=sync.routes(),
        ),
        input_topic=f"{name}_tasks",
        output_topic=f"{name}_callbacks",
        undelivered=Queue(name=f"{name}_undelivered_tasks", visibility=LEASE_SECONDS),
        output_bucket=f"{name.lower()}-output",
        expiries=_expiries(config),
        task_table=TaskTable(
            name=f"{name}_tasks",
            retention_days=config.task_api.retention_days,
            point_in_time_recovery=config.task_api.point_in_time_recovery,
        ),
        webhooks=webhooks_of(name, [plan.client for plan in plans]),
        routes=tuple(_route(config, runtime) for runtime in config.models_runtime),
        gpu_hour_price=config.dashboard.gpu_hour_price or price_book()["prices"]["gpu_spot_hour"],
        task_timeout=config.task_timeout,
        input_buckets=config.input_buckets,
        allowed_link_hosts=config.allowed_link_hosts,
        catalogue=catalogue,
        clients=clients_of(config, room=MAX_ENV_BYTES - len(catalogue) - sync.size),
        sync=sync,
    )


def _route(config: Config, runtime: Runtime) -> Route:
    dead_letters = Queue(name=dead_letters_name(config.stack_name, runtime.name), visibility=LEASE_SECONDS)
    return Route(
        name=runtime.name,
        namespace=runtime.namespace,
        type=runtime.type,
        model=runtime.model_filename,
        dynamic_model=runtime.dynamic_model,
        policy=config.policy_of(runtime),
        scaling=runtime.scaling,
        queue=Queue(
            name=queue_name(config.stack_name, runtime.name),
            visibility=config.task_timeout + LEASE_SECONDS,
            dead_letters=dead_letters.name,
        ),
        dead_letters=dead_letters,
    )


def _expiries(config: Config) -> tuple[Expiry, ...]:
    own = Expiry(f"{RESERVED_PREFIX}/", config.request_retention_days)
    return (own,) if config.output_retention_days is None else (own, Expiry("", config.output_retention_days))


def _catalogue(config: Config, *, room: int) -> str:
    entries = (
        RuntimeEntry(
            name=runtime.name,
            type=runtime.type,
            model=runtime.model_filename,
            dynamic=runtime.dynamic_model,
            task_policy=config.policy_of(runtime),
        )
        for runtime in config.models_runtime
    )
    try:
        return Catalog(tuple(entries)).to_env(room)
    except ValueError as error:
        raise ConfigError([Problem("modelsRuntime", str(error))]) from error
