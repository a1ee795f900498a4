"""config.yaml, typed. Every key is defined here with its default."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, PrivateAttr, ValidationError

from contract.errors import Problem, shown
from contract.policy import TaskPolicy
from contract.runtimes import RuntimeType
from infra.config.api import Api
from infra.config.checks import DEFAULT_TASK_TIMEOUT, cross_problems
from infra.config.clients import Client
from infra.config.errors import ConfigError, problems_of
from infra.config.lenient import adapted
from infra.config.scaling import Scaling
from infra.config.section import Section
from infra.config.sync import Sync
from infra.config.types import (
    MAX_RETENTION_DAYS,
    AccessCidr,
    AdminArn,
    AtLeastOne,
    Bucket,
    BucketArn,
    ChartSource,
    Days,
    Email,
    Emptiable,
    ImageFolder,
    InstanceType,
    KubernetesVersion,
    LinkHost,
    Many,
    ModelFile,
    Namespace,
    RuntimeName,
    StackName,
    VpcCidr,
    WebAddress,
    Zones,
)
from infra.config.yaml_file import read_yaml

MAX_TASK_TIMEOUT = 36_000
"""Seconds. SQS hides a message for 12 h at most; the rest is for fetching, storing and the stop of the pod."""

DAY = 86_400  # seconds

COLD_START = 900
"""Seconds. The longest that the first task waits for a node, its images and the model, unless something is wrong."""

SQS_RETENTION_DAYS = 14
"""The longest that SQS keeps a message, and what the queues are set to."""


class ClusterComponents(Section):
    """The nodes that the controllers run on (not the GPU nodes). Arm or x86 follows from the type."""

    instance_type: InstanceType = "m7g.large"
    desired_count: int = Field(default=2, ge=1, le=10)


class Runtime(Section):
    """One runtime: its own queue, its own pods, its own nodes. Its ``task_policy`` wins over the stack's by key."""

    name: RuntimeName
    namespace: Namespace
    type: Annotated[RuntimeType, Field(strict=False)]
    model_filename: Annotated[ModelFile | None, Emptiable] = None
    dynamic_model: bool = False
    task_policy: TaskPolicy = Field(default_factory=TaskPolicy)
    scaling: Scaling = Scaling()
    chart_repository: Annotated[ChartSource | None, Emptiable] = None
    chart_version: Annotated[str | None, Emptiable] = None
    extra_values: dict[str, Any] = Field(default_factory=dict)


class Eks(Section):
    """The cluster. ``admin_arns``: who may take the access role of ConfigCommand; empty: all in the account who may
    assume roles."""

    version: KubernetesVersion = "1.35"
    secrets_encryption: bool = True
    control_plane_logs: Annotated[
        tuple[Literal["api", "audit", "authenticator", "controllerManager", "scheduler"], ...], Many
    ] = ("api", "audit", "authenticator", "controllerManager", "scheduler")
    public_access_cidrs: Annotated[tuple[AccessCidr, ...], Many] = ()
    admin_arns: Annotated[tuple[AdminArn, ...], Many] = ()


class Vpc(Section):
    """The network. One NAT gateway is cheap, one in each zone outlives a zone.

    ``availability_zones``: two or three names, for accounts whose first zones do not have EKS or the GPUs; empty: the
    first three of the region.
    """

    cidr: VpcCidr = "10.0.0.0/16"
    availability_zones: Zones = ()
    nat_gateways: int = Field(default=1, ge=1, le=3)
    flow_logs: bool = False


class Lambda(Section):
    """The functions. ``architecture`` absent: arm64, and x86_64 in China.

    ``reserved_concurrency``: of the front door's function. Absent, because new accounts may have a quota of 10 in all,
    of which Lambda lets none be reserved; the API's throttle bounds it then.
    """

    architecture: Literal["arm64", "x86_64"] | None = None
    reserved_concurrency: int | None = Field(default=None, ge=1, le=1000)


class Source(Section):
    """Where a controller's chart comes from, when not from its makers."""

    chart_repository: ChartSource | None = None
    chart_version: str | None = None


EksAddon = Literal[
    "vpc-cni",
    "kube-proxy",
    "eks-pod-identity-agent",
    "coredns",
    "aws-mountpoint-s3-csi-driver",
    "amazon-cloudwatch-observability",
]


class AddOns(Section):
    """What runs in the cluster in addition to the runtimes. ``tracing`` also covers the front door and the input topic.

    ``image_registry``: a registry that holds copies of all images (China). ``gpu_metrics``: NVIDIA's exporter on each
    GPU node, which CloudWatch charges for by metric. ``eks_versions``: the version of an EKS add-on by its name; an
    add-on not named gets the version that this project is made for, or EKS's default for other Kubernetes versions.
    """

    image_registry: Annotated[str, Field(min_length=1)] | None = None
    karpenter: Source = Source()
    keda: Source = Source()
    observability: bool = True
    gpu_metrics: bool = False
    tracing: bool = True
    eks_versions: dict[EksAddon, str] = Field(default_factory=dict)


class Images(Section):
    """Images that the stack builds in the account, so that no Docker is needed.

    ``build`` absent: true, unless ``addOns.imageRegistry`` holds copies of all images. ``mirror``: a registry's folder
    with Docker's library images (``python``), without a tag. ``package_index``: a Python package index other than pip's
    own default. ``source_host``: where git repositories are cloned from.
    """

    build: bool | None = None
    mirror: ImageFolder = "public.ecr.aws/docker/library"
    package_index: WebAddress | None = None
    source_host: WebAddress = "https://github.com"


class EbsThroughputTuner(Section):
    """Slows a GPU node's data volume down once the images are loaded from it."""

    enabled: bool = True
    delay_seconds: int = Field(default=300, ge=60, le=3600)


class Alarms(Section):
    """When people are notified. ``emails`` get a mail for each alarm; other subscribers can be added to the topic.

    ``oldest_message_seconds`` absent: the task timeout and a cold start. ``no_pods_minutes``: tasks wait and no agent
    has one. ``dead_letters``: how many lie there. ``failure_percent``: of the tasks that ended within 15 minutes, if
    they are ``failure_tasks`` or more. ``throttled_requests``: within 5 minutes.
    """

    enabled: bool = True
    emails: Annotated[tuple[Email, ...], Many, Field(max_length=10)] = ()
    oldest_message_seconds: int | None = Field(default=None, ge=60, le=SQS_RETENTION_DAYS * DAY)
    no_pods_minutes: int = Field(default=COLD_START // 60, ge=5, le=720, multiple_of=5)
    dead_letters: int = Field(default=1, ge=1)
    failure_percent: float = Field(default=20, gt=0, le=100)
    failure_tasks: int = Field(default=10, ge=1)
    throttled_requests: int = Field(default=10, ge=1)


class Dashboard(Section):
    """The page of graphs. ``gpu_hour_price``: US dollars for an hour of a GPU node; absent: that of prices.yaml."""

    enabled: bool = True
    gpu_hour_price: float | None = Field(default=None, gt=0)


class TaskApi(Section):
    """What the task API remembers. ``retention_days`` count from a task's end."""

    retention_days: int = Field(default=30, ge=1, le=MAX_RETENTION_DAYS)
    point_in_time_recovery: bool = False


class Config(Section):
    """The whole of config.yaml. Only ``modelBucketArn`` and one runtime must be given."""

    stack_name: StackName = "sdoneks"
    model_bucket_arn: BucketArn
    apigw: Api = Field(default=Api(), alias="APIGW")
    cluster_components: ClusterComponents = ClusterComponents()
    models_runtime: Annotated[tuple[Runtime, ...], Many, AtLeastOne]
    clients: Annotated[tuple[Client, ...], Many] = ()
    sync: Sync = Sync()
    task_policy: TaskPolicy = Field(default_factory=TaskPolicy)
    task_api: TaskApi = TaskApi()
    task_timeout: int = Field(default=DEFAULT_TASK_TIMEOUT, ge=10, le=MAX_TASK_TIMEOUT)
    input_buckets: Annotated[tuple[Bucket, ...], Many] = ()
    allowed_link_hosts: Annotated[tuple[LinkHost, ...], Many] = ()
    output_retention_days: Days | None = None
    output_versioning: bool = False
    request_retention_days: int = Field(default=SQS_RETENTION_DAYS + 1, ge=SQS_RETENTION_DAYS, le=MAX_RETENTION_DAYS)
    log_retention_days: Literal[1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1827, 3653] = 30
    eks: Eks = Eks()
    vpc: Vpc = Vpc()
    lambda_: Lambda = Field(default=Lambda(), alias="lambda")
    add_ons: AddOns = Field(default_factory=AddOns)
    images: Images = Images()
    ebs_throughput_tuner: EbsThroughputTuner = EbsThroughputTuner()
    alarms: Alarms = Alarms()
    dashboard: Dashboard = Dashboard()
    _notes: tuple[Problem, ...] = PrivateAttr(default=())

    @property
    def notes(self) -> tuple[Problem, ...]:
        """What was read otherwise than it is written; a command that reads the file prints them as warnings."""
        return self._notes

    @property
    def oldest_message_seconds(self) -> int:
        """As asked for, or how long the first task may take."""
        return self.alarms.oldest_message_seconds or self.task_timeout + COLD_START

    def policy_of(self, runtime: Runtime) -> TaskPolicy:
        """What the runtime sets, then what the stack sets, then the defaults."""
        return runtime.task_policy.over(self.task_policy)

    @property
    def partition(self) -> str:
        """``aws`` or ``aws-cn``: where the models lie, the stack lies."""
        return self.model_bucket_arn.split(":")[1]

    @property
    def lambda_architecture(self) -> str:
        """As asked for, or what the partition's regions have."""
        return self.lambda_.architecture or ("x86_64" if self.partition == "aws-cn" else "arm64")

    @property
    def builds_images(self) -> bool:
        """Whether the stack builds the images that the config does not name."""
        return self.add_ons.image_registry is None if self.images.build is None else self.images.build

    @property
    def model_bucket(self) -> str:
        return self.model_bucket_arn.rsplit(":", 1)[1]


def load_config(path: Path) -> Config:
    """Read a file. Raises ConfigError, which names every problem with its key's path, the value and what is allowed."""
    return parse_config(read_yaml(path), source=str(path))


def parse_config(raw: Any, *, source: str = "the config") -> Config:
    """Check what was read from YAML. Raises ConfigError as load_config does; ``source`` is named in it."""
    if not isinstance(raw, Mapping):
        raise ConfigError([Problem("", f"must be a mapping of keys, got {shown(raw)}")], source)
    raw, notes = adapted(raw)
    contradictions = cross_problems(raw)
    try:
        config = Config.model_validate(raw)
    except ValidationError as error:
        raise ConfigError([*problems_of(error, Config), *contradictions], source) from error
    if contradictions:
        raise ConfigError(contradictions, source)
    config._notes = notes  # noqa: SLF001 (of a class of this module, frozen for all others)
    return config
