"""What a stack costs in a month: computed from its template, and from the prices and the usage in prices.yaml.

``python -m infra.cost [CONFIG]`` prints the tables of infra/README.md, or those of your config and load.
"""

import json
import math
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from infra.app import synthesise
from infra.chart_defaults import default_values
from infra.chart_values import BASE_IOPS, BASE_THROUGHPUT, merged, pays_for_throughput
from infra.config.model import parse_config
from infra.config.scaling import rule_of
from infra.observability.metrics import OUTCOME, RUNTIME, WRITTEN

GUIDE = 436.72
"""What the guide states for a month with a million pictures, without NAT gateways."""

MILLION = 1_000_000
GB_IN_KB = 1024 * 1024
SECONDS_OF_HOUR = 3600

FAST_THROUGHPUT = 1000
FAST_IOPS = 4000
"""What the chart gives a data volume with an image cache."""

IDLE_POLLERS, LONG_POLL_SECONDS = 5, 20
"""Of an event source mapping of SQS. Source: "Configuring scaling behavior for SQS event source mappings", Lambda's
documentation, says that it begins with five."""

OBSERVER = "amazon-cloudwatch-observability"

Resource = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the bill: so many units at a price each."""

    what: str
    quantity: float
    unit: str
    price: float

    @property
    def total(self) -> float:
        return self.quantity * self.price


@dataclass(frozen=True, slots=True)
class Bill:
    """A month: what is paid anyway, and what a million pictures add."""

    fixed: Sequence[Line]
    pictures: Sequence[Line]

    @property
    def total(self) -> float:
        return sum(line.total for line in (*self.fixed, *self.pictures))

    def of(self, pictures: int) -> "Bill":
        """The same with so many pictures a month."""
        share = pictures / MILLION
        return replace(self, pictures=[replace(line, quantity=line.quantity * share) for line in self.pictures])


class Calculator:
    """Reads a template with prices at hand."""

    def __init__(self, template: Mapping[str, Any], book: Mapping[str, Any]) -> None:
        self._resources: Mapping[str, Resource] = template["Resources"]
        self._prices = book["prices"]
        self._usage = book["usage"]
        self._hours = book["hours"]

    def bill(self) -> Bill:
        """Raises KeyError when prices.yaml lacks the price of an instance type."""
        fixed = [line for line in self._fixed() if line.quantity]
        return Bill(fixed, [line for line in self._pictures() if line.quantity])

    def _fixed(self) -> Iterator[Line]:
        p, hours = self._prices, self._hours
        yield Line("EKS cluster", len(self._all("AWS::EKS::Cluster")) * hours, "hours", p["eks_cluster_hour"])
        for nodes in self._all("AWS::EKS::Nodegroup"):
            kind, count = nodes["InstanceTypes"][0], nodes["ScalingConfig"]["DesiredSize"]
            yield Line(f"{count} {kind} for the controllers", count * hours, "hours", p["instance_hour"][kind])
            yield Line("Their volumes", count * self._disk_gb(), "GB", p["volume_gb"])
        gateways = len(self._all("AWS::EC2::NatGateway"))
        yield Line("NAT gateway", gateways * hours, "hours", p["nat_gateway_hour"])
        yield Line("Its public address", len(self._all("AWS::EC2::EIP")) * hours, "hours", p["public_ipv4_hour"])
        yield Line("Key for the cluster's secrets", len(self._all("AWS::KMS::Key")), "keys", p["kms_key"])
        yield Line("Control-plane logs", self._control_plane_logs(), "GB", p["log_gb"])
        yield Line("Container Insights", self._observations(), "million observations", p["observation_million"])
        yield Line("Images in ECR", self._image_gb(), "GB", p["ecr_gb"])
        yield Line("Flow logs", len(self._all("AWS::EC2::FlowLog")) * self._usage["flow_log_gb"], "GB", p["log_gb"])
        yield Line("KEDA looking at the queues", self._looks() / MILLION, "million", p["sqs_request_million"])
        yield Line("Lambda looking at the webhooks", self._polls() / MILLION, "million", p["sqs_request_million"])
        yield Line("Secrets of the webhooks", len(self._all("AWS::SecretsManager::Secret")), "secrets", p["secret"])
        yield Line("Alarms", self._watched(), "metrics watched", p["alarm"])
        yield Line("Dashboard", len(self._all("AWS::CloudWatch::Dashboard")), "dashboards", p["dashboard"])

    def _pictures(self) -> Iterator[Line]:
        p, u = self._prices, self._usage
        node_hours = MILLION * u["picture_seconds"] / SECONDS_OF_HOUR
        months = node_hours / self._hours
        yield Line(f"GPU nodes ({p['gpu']})", node_hours, "hours", p["gpu_spot_hour"])
        yield Line("Their volumes", months * u["gpu_node_gb"], "GB", p["volume_gb"])
        fast = months * self._fast_share()
        yield Line("Their throughput", fast * (FAST_THROUGHPUT - BASE_THROUGHPUT), "MB/s", p["volume_mbps"])
        yield Line("Their operations", fast * (FAST_IOPS - BASE_IOPS), "IOPS", p["volume_iops"])
        yield Line("API Gateway", 1, "million", p["api_request_million"])
        yield Line("Lambda requests", 1, "million", p["lambda_request_million"])
        yield self._front_door()
        yield Line("SNS (task and callback)", 2, "million", p["sns_request_million"])
        yield Line("SQS (receive and delete)", 2, "million", p["sqs_request_million"])
        yield Line("DynamoDB writes (table of tasks)", u["task_writes"], "million", p["dynamodb_write_million"])
        yield Line("DynamoDB reads", u["task_reads"], "million", p["dynamodb_read_million"])
        yield Line("S3 PUT (image and record)", 2 * MILLION / 1000, "thousand", p["s3_put_thousand"])
        stored = MILLION * u["picture_kb"] / GB_IN_KB * u["stored_months"]
        yield Line("S3 storage", stored, "GB", p["s3_gb"])
        yield Line("NAT gateway data", MILLION * u["nat_kb"] / GB_IN_KB, "GB", p["nat_gateway_gb"])
        yield Line("Callbacks sent out", MILLION * u["callback_kb"] / GB_IN_KB, "GB", p["data_out_gb"])
        yield Line("Metrics of the agents", months * self._written(), "metrics", p["custom_metric"])
        yield Line("Logs", MILLION * u["log_kb"] / GB_IN_KB, "GB", p["log_gb"])
        traced = any(stage.get("TracingEnabled") for stage in self._all("AWS::ApiGateway::Stage"))
        yield Line("Traces (if all are kept)", int(traced), "million", p["trace_million"])

    def _polls(self) -> float:
        """Receives of an event source mapping while nothing comes: long polls, several at the same time."""
        mappings = len(self._all("AWS::Lambda::EventSourceMapping"))
        return float(mappings * IDLE_POLLERS * self._hours * SECONDS_OF_HOUR / LONG_POLL_SECONDS)

    def _front_door(self) -> Line:
        (function,) = [one for one in self._all("AWS::Lambda::Function") if "frontend" in str(one["Handler"])]
        seconds = MILLION * self._usage["function_ms"] / 1000
        (kind,) = function["Architectures"]
        price = self._prices["lambda_gb_second"][kind]
        return Line(f"Lambda time ({kind})", seconds * function["MemorySize"] / 1024, "GB-seconds", price)

    def _fast_share(self) -> float:
        """The part of a GPU node's life in which its volume is fast, averaged over the runtimes."""
        runtimes = self._runtime_values()
        fast = sum(pays_for_throughput(values) for values in runtimes) / len(runtimes)
        waits = [
            state["Seconds"]
            for machine in self._all("AWS::StepFunctions::StateMachine")
            for state in json.loads(_text(machine["DefinitionString"]))["States"].values()
            if state["Type"] == "Wait"
        ]
        life = self._usage["gpu_node_hours"] * SECONDS_OF_HOUR
        return float(fast * min([*waits, life]) / life)

    def _looks(self) -> float:
        """How often KEDA asks for the lengths of queues in a month."""
        defaults = default_values()["runtime"]["scaling"]
        scalings = [merged(defaults, values["runtime"].get("scaling", {})) for values in self._runtime_values()]
        asked = [1 if rule_of(scaling).busy_weight is None else 2 for scaling in scalings if scaling["enabled"]]
        pauses = [scaling["pollingInterval"] for scaling in scalings if scaling["enabled"]]
        seconds = self._hours * SECONDS_OF_HOUR
        return float(sum(seconds * triggers / pause for triggers, pause in zip(asked, pauses, strict=True)))

    def _runtime_values(self) -> list[Mapping[str, Any]]:
        charts = (json.loads(_text(chart["Values"])) for chart in self._all("Custom::AWSCDK-EKS-HelmChart"))
        return [values for values in charts if "runtime" in values]

    def _disk_gb(self) -> int:
        (template,) = self._all("AWS::EC2::LaunchTemplate")
        mappings = template["LaunchTemplateData"]["BlockDeviceMappings"]
        return sum(int(mapping["Ebs"]["VolumeSize"]) for mapping in mappings)

    def _control_plane_logs(self) -> float:
        (cluster,) = self._all("AWS::EKS::Cluster")
        kinds = cluster.get("Logging", {}).get("ClusterLogging", {}).get("EnabledTypes", [])
        return len(kinds) * float(self._usage["control_plane_log_gb"])

    def _observations(self) -> float:
        addons = [one["AddonName"] for one in self._all("AWS::EKS::Addon")]
        nodes = sum(one["ScalingConfig"]["DesiredSize"] for one in self._all("AWS::EKS::Nodegroup"))
        return float(self._usage["observations_million_node"] * nodes * addons.count(OBSERVER))

    def _image_gb(self) -> float:
        """One version of each image that the stack builds."""
        sizes = self._usage["image_gb"]
        names = [one["RepositoryName"].rsplit("/", 1)[1] for one in self._all("AWS::ECR::Repository")]
        return float(sum(sizes[name] for name in names))

    def _watched(self) -> int:
        """An alarm costs as much for each of the metrics that it looks at."""
        alarms = self._all("AWS::CloudWatch::Alarm")
        return sum("MetricStat" in metric for alarm in alarms for metric in alarm["Metrics"])

    def _written(self) -> float:
        """What the collector writes while one pod of each runtime runs: a metric is paid by the hour."""
        if not any(name.startswith("Telemetry") for name in self._resources):
            return 0.0
        values = {RUNTIME: len(self._runtime_values()), OUTCOME: self._usage["outcomes"]}
        sets = (dimensions for several in WRITTEN.values() for dimensions in several)
        return float(sum(math.prod(values[name] for name in dimensions) for dimensions in sets))

    def _all(self, kind: str) -> list[Resource]:
        return [one.get("Properties", {}) for one in self._resources.values() if one["Type"] == kind]


def _text(value: Any) -> str:
    """A JSON text of the template, with a word in place of each reference."""
    if isinstance(value, str):
        return value
    separator, parts = value["Fn::Join"]
    return str(separator).join(part if isinstance(part, str) else "made" for part in parts)


CACHED: Mapping[str, Any] = {"karpenter": {"nodeTemplate": {"dataVolume": {"snapshotID": "snap-0123456789"}}}}

SWITCHES: Sequence[tuple[str, Mapping[str, Any]]] = (
    ("`vpc.natGateways: 3` (outlives a zone)", {"vpc": {"natGateways": 3}}),
    ("`vpc.flowLogs: true`", {"vpc": {"flowLogs": True}}),
    ("`addOns.observability: false`", {"addOns": {"observability": False}}),
    ("`addOns.tracing: false`", {"addOns": {"tracing": False}}),
    ("`eks.secretsEncryption: false`", {"eks": {"secretsEncryption": False}}),
    ("`eks.controlPlaneLogs: [audit]`", {"eks": {"controlPlaneLogs": ["audit"]}}),
    ("`alarms.enabled: false`", {"alarms": {"enabled": False}}),
    ("`dashboard.enabled: false` (the account's first three cost nothing)", {"dashboard": {"enabled": False}}),
    ("`clusterComponents.instanceType: t4g.large`", {"clusterComponents": {"instanceType": "t4g.large"}}),
)
"""Each laid over the config by itself."""


def tables(raw: Mapping[str, Any], bill_of: Callable[[Mapping[str, Any]], Bill], pictures: int) -> Iterator[str]:
    """The lines of the tables, as Markdown, for a config as it is written."""
    base = bill_of(raw)
    yield from _table("Fixed, a month", base.fixed)
    yield ""
    yield from _table("A million images" if pictures == MILLION else f"{pictures:,} images", base.pictures)
    yield ""
    nat = sum(line.total for line in base.fixed if line.what in {"NAT gateway", "Its public address"})
    yield f"Together {base.total:.2f}; without the NAT gateway {base.total - nat:.2f}."
    yield f"The AWS guidance states {GUIDE:.2f} for a million, without one and on two m5.large."
    yield ""
    yield "| Switch | a month |"
    yield "| --- | ---: |"
    for name, change in SWITCHES:
        yield f"| {name} | {bill_of(merged(raw, change)).total - base.total:+.2f} |"
    yield f"| images from an EBS snapshot | {_cached(raw, bill_of, tuned=True) - base.total:+.2f} |"
    yield f"| … with `ebsThroughputTuner.enabled: false` | {_cached(raw, bill_of, tuned=False) - base.total:+.2f} |"


def _cached(raw: Mapping[str, Any], bill_of: Callable[[Mapping[str, Any]], Bill], *, tuned: bool) -> float:
    runtimes = [{**one, "extraValues": merged(one.get("extraValues", {}), CACHED)} for one in raw["modelsRuntime"]]
    return bill_of({**raw, "modelsRuntime": runtimes, "ebsThroughputTuner": {"enabled": tuned}}).total


def _table(title: str, lines: Iterable[Line]) -> Iterator[str]:
    yield f"| {title} | quantity | | each | USD |"
    yield "| --- | ---: | --- | ---: | ---: |"
    lines = list(lines)
    for line in lines:
        yield f"| {line.what} | {line.quantity:,.2f} | {line.unit} | {line.price:.10g} | {line.total:,.2f} |"
    yield f"| **Sum** | | | | **{sum(line.total for line in lines):,.2f}** |"


def template_of(raw: Mapping[str, Any]) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as name:
        synthesise(parse_config(raw), Path(name), account=None, region=None, checked=False)
        (path,) = Path(name).glob("*.template.json")
        template: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return template
