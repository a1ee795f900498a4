"""The values of a runtime's chart: what the stack knows, and over it what the user says."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from infra.topology import Route, Topology

BASE_THROUGHPUT = 125
BASE_IOPS = 3000
"""What every gp3 volume has at no extra cost."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """What the stack made for a runtime. Names, ARNs, URLs, and selectors by tags."""

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
    telemetry_endpoint: str


def chart_values(topology: Topology, route: Route, place: Place, extra: Mapping[str, Any]) -> dict[str, Any]:
    """All values of the release. ``extra`` is the user's, and wins."""
    own = {
        "global": {
            "awsRegion": place.region,
            "stackName": topology.stack_name,
            "imageRegistry": place.image_registry,
        },
        "karpenter": {
            "nodeTemplate": {
                "iamRole": place.node_role,
                "securityGroupSelector": dict(place.security_group_tags),
                "subnetSelector": dict(place.subnet_tags),
            }
        },
        "runtime": {
            "name": route.name,
            "type": route.type.value,
            "taskTimeout": topology.task_timeout,
            "serviceAccountName": place.service_account,
            "inferenceApi": {"modelFilename": route.model or ""},
            "queueAgent": {
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
    return merged(own, extra)


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
