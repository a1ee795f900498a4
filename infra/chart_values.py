"""The values of a runtime's chart: what the stack knows, and over it what the user says."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from contract.runtimes import RuntimeType
from infra.config.scaling import Scaling
from infra.topology import Route, Topology

CHINA_GPUS = ("g5.xlarge", "g5.2xlarge", "g4dn.xlarge", "g4dn.2xlarge")
"""The chart's default types but for G6, which China's regions do not have."""

CPU_INSTANCES = ("m6i.xlarge", "m6a.xlarge", "m7i.xlarge", "m5.xlarge")
"""Of the image kit's nodes: x86-64, as the image is; 4 vCPUs for a model, and memory as in the GPU types."""

TYPE_VALUES: Mapping[RuntimeType, Mapping[str, Any]] = {
    RuntimeType.IMAGEKIT: {
        "karpenter": {"provisioner": {"instanceType": list(CPU_INSTANCES)}},
        "runtime": {"persistence": {"enabled": False}},
    }
}
"""Values of the types that need neither a GPU nor models from the bucket."""

BASE_THROUGHPUT = 125
BASE_IOPS = 3000
"""What every gp3 volume has at no extra cost."""


@dataclass(frozen=True, slots=True)
class ImageReference:
    """An image that the stack builds. ``repository`` begins with the registry's host."""

    repository: str
    tag: str

    def values(self) -> dict[str, str]:
        """As the chart takes them."""
        return {"repository": self.repository, "tag": self.tag}


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """What the stack made for a runtime. Names, ARNs, URLs, and selectors by tags.

    ``agent_image`` and ``runtime_image`` are None where the stack does not build them.
    """

    partition: str
    region: str
    image_registry: str
    node_role: str
    security_group_tags: Mapping[str, str]
    subnet_tags: Mapping[str, str]
    service_account: str
    model_bucket: str
    output_bucket: str
    output_topic_arn: str
    queue_url: str
    dead_letter_queue_url: str
    webhooks_queue_url: str
    telemetry_endpoint: str
    agent_image: ImageReference | None = None
    runtime_image: ImageReference | None = None


def chart_values(topology: Topology, route: Route, place: Place, extra: Mapping[str, Any]) -> dict[str, Any]:
    """All values of the release. ``extra`` is the user's, and wins."""
    own = {
        "global": {
            "awsRegion": place.region,
            "stackName": topology.stack_name,
            "imageRegistry": place.image_registry,
        },
        "karpenter": {
            **({"provisioner": {"instanceType": list(CHINA_GPUS)}} if place.partition == "aws-cn" else {}),
            "nodeTemplate": {
                "iamRole": place.node_role,
                "securityGroupSelector": dict(place.security_group_tags),
                "subnetSelector": dict(place.subnet_tags),
            },
        },
        "runtime": {
            "name": route.name,
            "type": route.type.value,
            "taskTimeout": topology.task_timeout,
            "serviceAccountName": place.service_account,
            **_scaling(route.scaling),
            "inferenceApi": {"modelFilename": route.model or "", **_image(place.runtime_image)},
            "queueAgent": {
                **_image(place.agent_image),
                "env": agent_environment(topology, route, place),
                "dynamicModel": route.dynamic_model,
                "s3Bucket": place.output_bucket,
                "snsTopicArn": place.output_topic_arn,
                "sqsQueueUrl": place.queue_url,
                "deadLetterQueueUrl": place.dead_letter_queue_url,
                "inputBuckets": list(topology.input_buckets),
                "allowedLinkHosts": list(topology.allowed_link_hosts),
                "otlp": {"endpoint": place.telemetry_endpoint},
            },
            "persistence": {"bucketName": place.model_bucket},
        },
    }
    return merged(merged(own, TYPE_VALUES.get(route.type, {})), extra)


def agent_environment(topology: Topology, route: Route, place: Place) -> dict[str, str]:
    """What the chart gives the agent, as it is; values of the chart that say the same and ``extraEnv`` win over it."""
    environment = topology.agent_environment(
        route,
        region=place.region,
        queue_url=place.queue_url,
        dead_letter_queue_url=place.dead_letter_queue_url,
        output_topic_arn=place.output_topic_arn,
        output_bucket=place.output_bucket,
        webhooks_queue_url=place.webhooks_queue_url,
    )
    return {name: value for name, value in environment.items() if value}


def _scaling(scaling: Scaling) -> dict[str, Any]:
    values = scaling.chart_values()
    return {"scaling": values} if values else {}


def _image(image: ImageReference | None) -> dict[str, Any]:
    return {"image": image.values()} if image else {}


def merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """``over`` laid on ``base``: mappings are merged, all else is replaced, and what is empty (null) is left out."""
    result = dict(base)
    for key, value in over.items():
        if value is None:
            continue
        below = result.get(key)
        if isinstance(value, Mapping):
            result[key] = merged(below if isinstance(below, Mapping) else {}, value)
        else:
            result[key] = value
    return result


def pays_for_throughput(extra: Mapping[str, Any]) -> bool:
    """Whether the nodes' data volume is faster than what costs nothing extra, by the chart's rules.

    It is where the images lie on it (a snapshot, or no instance store), and where the user says so.
    """
    template = _at(extra, "karpenter", "nodeTemplate")
    volume = _at(template, "dataVolume")
    throughput, iops = volume.get("throughput"), volume.get("iops")
    if throughput or iops:
        return (throughput or 0) > BASE_THROUGHPUT or (iops or 0) > BASE_IOPS
    return bool(volume.get("snapshotID") or template.get("instanceStorePolicy") == "")


def _at(values: Mapping[str, Any], *keys: str) -> Mapping[str, Any]:
    for key in keys:
        below = values.get(key)
        values = below if isinstance(below, Mapping) else {}
    return values
