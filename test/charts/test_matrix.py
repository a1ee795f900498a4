"""Every sensible combination of values is accepted by helm, and what it renders by the cluster."""

from itertools import product
from typing import Any

import pytest

from contract.runtimes import RuntimeType
from test.charts.chart import STACK, Manifest, lint, merged, render
from test.charts.cluster import mistakes

CHINA: dict[str, Any] = {
    "global": {
        "awsRegion": "cn-northwest-1",
        "imageRegistry": "123456789012.dkr.ecr.cn-northwest-1.amazonaws.com.cn",
        "imagePullSecrets": ["mirror"],
    },
    "karpenter": {"provisioner": {"instanceType": ["g4dn.xlarge", "g4dn.2xlarge"]}},
    "runtime": {
        "queueAgent": {
            "snsTopicArn": "arn:aws-cn:sns:cn-northwest-1:123456789012:sdoneks-output",
            "sqsQueueUrl": "https://sqs.cn-northwest-1.amazonaws.com.cn/123456789012/sdoneks-sdruntime",
        }
    },
}
EITHER = (True, False)
SNAPSHOT: dict[str, Any] = {"karpenter": {"nodeTemplate": {"dataVolume": {"snapshotID": "snap-0123456789"}}}}


def combinations() -> list[Any]:
    def case(kind: RuntimeType, scaling: bool, persistence: bool, snapshot: bool, china: bool) -> Any:
        values: dict[str, Any] = {
            "runtime": {"type": kind.value, "scaling": {"enabled": scaling}, "persistence": {"enabled": persistence}}
        }
        for part, wanted in ((SNAPSHOT, snapshot), (CHINA, china)):
            values = merged(values, part) if wanted else values
        words = [
            kind.value,
            "scaling" if scaling else "fixed",
            "bucket" if persistence else "empty-dir",
            "snapshot" if snapshot else "instance-store",
            "china" if china else "global",
        ]
        return pytest.param(values, id="-".join(words))

    return [case(*choice) for choice in product(RuntimeType, EITHER, EITHER, EITHER, EITHER)]


@pytest.mark.parametrize("values", combinations())
def test_helm_and_the_cluster_accept(values: dict[str, Any]) -> None:
    # When
    lint(merged(STACK, values))
    rendered = render(values)

    # Then
    found = {f"{manifest['kind']}: {mistake}" for manifest in rendered.manifests for mistake in mistakes(manifest)}
    assert found == set()
    kinds = {manifest["kind"] for manifest in rendered.manifests}
    runtime = values["runtime"]
    assert {"Deployment", "NodePool", "EC2NodeClass"} <= kinds
    assert ("ScaledObject" in kinds) == ("TriggerAuthentication" in kinds) == runtime["scaling"]["enabled"]
    assert ("PersistentVolume" in kinds) == ("PersistentVolumeClaim" in kinds) == runtime["persistence"]["enabled"]


def test_helm_lints_the_chart_with_its_defaults_alone() -> None:
    lint({})


def test_in_china_every_image_comes_from_the_registry_there() -> None:
    pod = render(CHINA).pod["spec"]

    images = {container["image"] for container in pod["initContainers"] + pod["containers"]}
    assert {image.partition("/")[0] for image in images} == {"123456789012.dkr.ecr.cn-northwest-1.amazonaws.com.cn"}
    assert pod["imagePullSecrets"] == [{"name": "mirror"}]


def altered(kind: str, path: tuple[Any, ...], value: Any) -> Manifest:
    manifest = render().one(kind)
    target = manifest
    for step in path[:-1]:
        target = target[step]
    target[path[-1]] = value
    return manifest


@pytest.mark.parametrize(
    ("kind", "path", "value", "complaint"),
    [
        ("ScaledObject", ("spec", "scaleOnInFlight"), True, "'scaleOnInFlight' was unexpected"),
        ("ScaledObject", ("spec", "triggers", 0, "metadata", "queueLength"), 10, "is not of type 'string'"),
        ("TriggerAuthentication", ("spec", "podIdentity", "provider"), "irsa", "is not one of"),
        ("NodePool", ("spec", "template", "spec", "requirements", 0, "operator"), "Is", "is not one of"),
        ("NodePool", ("spec", "disruption", "expireAfter"), "1h", "'expireAfter' was unexpected"),
        ("EC2NodeClass", ("spec", "metadataOptions", "hopLimit"), 1, "'hopLimit' was unexpected"),
        ("Deployment", ("spec", "template", "spec", "gracePeriod"), 1, "'gracePeriod' was unexpected"),
        ("PersistentVolume", ("spec", "csi", "bucketName"), "x", "'bucketName' was unexpected"),
    ],
)
def test_the_schemas_refuse(kind: str, path: tuple[Any, ...], value: Any, complaint: str) -> None:
    """The check itself is checked: a field in the wrong place is found in every kind that the chart makes."""
    assert any(complaint in mistake for mistake in mistakes(altered(kind, path, value)))


def test_what_comes_twice_is_found() -> None:
    twice = render().agent["env"] * 2

    assert any(
        "comes 2 times" in m
        for m in mistakes(altered("Deployment", ("spec", "template", "spec", "containers", 0, "env"), twice))
    )
