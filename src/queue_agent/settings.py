"""The agent's settings: one frozen object, read from the environment once, at the entry point.

The names without a comment of their own are those that existing charts set.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from yarl import URL

from contract.address_guard import Network
from contract.clients import Clients
from contract.errors import ContractError, problems_of
from contract.policy.model import TaskPolicy
from contract.runtimes import RuntimeType
from contract.settings import LinkHosts, Listed
from queue_agent.runtimes.address import base_url

MAX_LEASE_SECONDS = 12 * 60 * 60
"""SQS holds a message invisible for at most 12 hours."""


def _level(value: str) -> str:
    level = value.upper()
    if level not in {"DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"}:
        raise ValueError("must be DEBUG, INFO, WARNING, ERROR or CRITICAL")
    return level


def _policy(value: object) -> object:
    return TaskPolicy.from_env(value) if isinstance(value, str) else value


def _clients(value: object) -> object:
    return Clients.from_env(value) if isinstance(value, str) else value


@dataclass(frozen=True, slots=True, kw_only=True)
class Timings:
    """Waits of the agent's own, in seconds. Nobody has to set them; tests shorten them."""

    ready_poll: float = 5.0
    """Between looks at a runtime that is idle and well: a crashed one must not take messages for long."""
    away_poll: float = 0.5
    """Between looks at a runtime that is away: a GPU that is ready again should not wait."""
    ready_limit: float = 15.0
    """For one look: a runtime that loads a model may hold its interpreter for seconds."""
    busy_limit: float = 30.0
    """How long a task waits for a runtime that works for another client, before it is released to other agents."""
    idle_limit: float = 60.0
    """How long a stopped runtime may take until it is seen idle: one sampling step of a large batch on a slow GPU. A
    shorter task time-out is the limit where there is one."""
    interrupt_pause: float = 0.5
    """Between two interrupts of a run that goes on."""
    slow_preparation: float = 1.0
    """A preparation that takes longer lets another task be prepared meanwhile."""
    closing: float = 2.0
    """What is about to be notified and deleted gets this long when everything is to be released now."""
    look: float = 0.05
    """How long a preparation waits for what the task table says, counted from its beginning: longer than DynamoDB takes
    as a rule, and too short to keep a GPU waiting."""
    beat: float = 2.0
    """Between two beats of a run, so that a cancellation is seen within this time."""
    release: float = 5.0
    """For the release of one message while this agent ends: its attempt is noted, then the message is given back."""
    receive_pauses: tuple[float, ...] = (1.0, 2.0, 5.0, 10.0, 30.0)
    """Between receives while SQS does not answer."""
    trial_pauses: tuple[float, ...] = (5.0, 10.0, 20.0, 40.0, 60.0)
    """Before the first, second, … trial of a runtime that failed; the last one from then on. A trial costs a task a few
    seconds and a sick GPU does not heal by itself, while a healthy one that was suspected wrongly should not idle."""


class Settings(BaseModel):
    """Seconds, bytes and counts are plain numbers; lists are comma-separated."""

    model_config = ConfigDict(frozen=True, extra="ignore", arbitrary_types_allowed=True, allow_inf_nan=False)

    region: str = Field(alias="AWS_DEFAULT_REGION", min_length=1)
    queue_url: str = Field(alias="SQS_QUEUE_URL", min_length=1)
    topic_arn: str = Field(alias="SNS_TOPIC_ARN", min_length=1)
    bucket: str = Field(alias="S3_BUCKET", min_length=1)
    runtime_type: RuntimeType = Field(alias="RUNTIME_TYPE")
    runtime_name: str = Field(alias="RUNTIME_NAME", min_length=1)
    task_policy: Annotated[TaskPolicy, BeforeValidator(_policy)] = Field(
        default_factory=TaskPolicy, alias="TASK_POLICY"
    )
    """What a task may ask for. The front door checks it first; this is for tasks that are published directly."""
    clients: Annotated[Clients, BeforeValidator(_clients)] = Field(default_factory=Clients, alias="CLIENTS")
    """Who sends tasks, and what each may use; as the front door knows them, without their keys."""
    runtime_url: Annotated[URL, BeforeValidator(base_url)] = Field(alias="API_BASE_URL")
    dynamic_model: bool = Field(default=False, alias="DYNAMIC_SD_MODEL")
    log_level: Annotated[str, AfterValidator(_level)] = Field(default="INFO", alias="LOGLEVEL")

    dead_letter_queue_url: str | None = Field(default=None, alias="DEAD_LETTER_QUEUE_URL")
    task_timeout: float = Field(default=300, alias="TASK_TIMEOUT", gt=0)
    lease_seconds: int = Field(default=20, alias="LEASE_SECONDS", ge=1, le=MAX_LEASE_SECONDS)
    """How long a message stays this agent's without a renewal, and so how soon others have a lost node's tasks."""
    max_attempts: int = Field(default=3, alias="MAX_ATTEMPTS", ge=1)
    shutdown_grace: float | None = Field(default=None, alias="SHUTDOWN_GRACE", ge=0)
    """How long a running task may go on after SIGTERM; as long as a task may take, unless set."""
    runtime_away_limit: float = Field(default=900, alias="RUNTIME_AWAY_LIMIT", gt=0)
    """How long the runtime may be away before the agent exits non-zero; long enough to load a large model from S3."""
    health_port: int = Field(default=8090, alias="HEALTH_PORT", ge=0, le=65535)
    health_host: str = Field(default="0.0.0.0", alias="HEALTH_HOST")  # noqa: S104 - the kubelet probes the pod's address
    input_buckets: Listed = Field(default=(), alias="INPUT_BUCKETS")
    """Buckets that ``s3://`` links may name; of the output bucket, a task reads what is below its own prefix
    or its client's."""
    allowed_link_hosts: LinkHosts = Field(default=(), alias="ALLOWED_LINK_HOSTS")
    """Host names and networks (CIDR) that links may reach although their addresses are not public."""
    allow_loopback_links: bool = Field(default=False, alias="ALLOW_LOOPBACK_LINKS")
    """Whether ``allowed_link_hosts`` may name loopback, too. Only the platform on one machine sets it: in a pod,
    loopback is the runtime's own API."""
    max_link_bytes: int = Field(default=32 * 1024 * 1024, alias="MAX_LINK_BYTES", ge=1)
    link_timeout: float = Field(default=30, alias="LINK_TIMEOUT", gt=0)
    """For all links of a task together."""
    otlp_endpoint: str | None = Field(default=None, alias="OTEL_EXPORTER_OTLP_ENDPOINT", pattern="^https?://")
    """Where traces and metrics go, as OTLP over HTTP, such as ``http://collector:4318``; nowhere when absent."""
    traces_exporter: Literal["otlp", "none"] = Field(default="otlp", alias="OTEL_TRACES_EXPORTER")
    metrics_exporter: Literal["otlp", "none"] = Field(default="otlp", alias="OTEL_METRICS_EXPORTER")
    running_callbacks: bool = Field(default=False, alias="RUNNING_CALLBACKS")
    """Whether a callback with status ``running`` is sent when a run begins."""
    state_dir: Path | None = Field(default=None, alias="STATE_DIR")
    """A folder that outlives the process (an emptyDir in the chart), in which the agent keeps what it holds, so that
    its successor in the same pod goes on with it; nothing is kept when absent."""
    tasks_table: str | None = Field(default=None, alias="TASKS_TABLE")
    """The DynamoDB table that the task API answers from; without it the agent only knows its messages."""
    task_retention_days: int = Field(default=30, alias="TASK_RETENTION_DAYS", ge=1)
    """How long a task's item is kept after its end."""
    webhooks_queue_url: str | None = Field(default=None, alias="WEBHOOKS_QUEUE_URL")
    """Where an event goes when the run of a task with a webhook begins; nowhere when absent."""
    gpu_hour_price: float | None = Field(default=None, alias="GPU_HOUR_PRICE", gt=0)
    """USD for an hour of the GPU, from which a task's cost follows; unknown when absent."""
    pod_name: str | None = Field(default=None, alias="POD_NAME")
    """With the namespace too, the pod's deletion cost is kept, so that Kubernetes removes idle pods first."""
    pod_namespace: str | None = Field(default=None, alias="POD_NAMESPACE")
    kubernetes_host: str = Field(default="kubernetes.default.svc", alias="KUBERNETES_SERVICE_HOST")
    kubernetes_port: int = Field(default=443, alias="KUBERNETES_SERVICE_PORT", ge=1, le=65535)
    service_account: Path = Field(
        default=Path("/var/run/secrets/kubernetes.io/serviceaccount"), alias="SERVICE_ACCOUNT_DIR"
    )
    """The folder with the service account's ``token`` and ``ca.crt``."""

    @property
    def policy(self) -> TaskPolicy:
        """The task policy of this runtime: where each task chooses the model, its settings may name one."""
        return self.task_policy.switching_models() if self.dynamic_model else self.task_policy

    @property
    def grace(self) -> float:
        """Seconds a running task may go on after SIGTERM."""
        return self.task_timeout if self.shutdown_grace is None else self.shutdown_grace

    @property
    def allowed_networks(self) -> tuple[Network, ...]:
        return tuple(ip_network(entry) for entry in self.allowed_link_hosts if "/" in entry)

    @property
    def allowed_names(self) -> frozenset[str]:
        return frozenset(entry.lower() for entry in self.allowed_link_hosts if "/" not in entry)


def read_settings(environment: Mapping[str, str]) -> Settings:
    """Raises ContractError that names every variable that is missing or wrong, and what is allowed."""
    values = {name: value for name, value in environment.items() if value != ""}
    try:
        return Settings.model_validate(values)
    except ValidationError as error:
        raise ContractError(problems_of(error)) from error
