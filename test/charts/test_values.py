"""The values: typos and wrong types are refused with their path, and every value is documented."""

import copy
import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from charts.document import values
from test.charts.chart import CHART, KUBERNETES, STACK, Refused, lint, merged, render, run_helm
from test.charts.cluster import mistakes


def nested(path: str, value: Any) -> dict[str, Any]:
    for key in reversed(path.split(".")):
        value = {key: value}
    return dict(value)


@pytest.mark.parametrize(
    ("path", "value", "complaint"),
    [
        ("runtime.scaling.queueLenght", 5, "/runtime/scaling': additional properties 'queueLenght' not allowed"),
        ("Runtime", {}, "additional properties 'Runtime' not allowed"),
        ("runtime.extraHPAConfig", {}, "/runtime': additional properties 'extraHPAConfig' not allowed"),
        ("runtime.scaling.queueLength", "10", "/runtime/scaling/queueLength': got string, want integer"),
        ("runtime.scaling.queueLength", -1, "/runtime/scaling/queueLength': minimum: got -1, want 0"),
        (
            "runtime.scaling.preset",
            "fast",
            "/runtime/scaling/preset': value must be one of 'quick', 'balanced'",
        ),
        ("runtime.scaling.runSeconds", 0, "/runtime/scaling/runSeconds': minimum: got 0, want 0.1"),
        ("runtime.scaling.keepBusyPods", True, "/runtime/scaling/keepBusyPods': got boolean, want string"),
        ("runtime.scaling.warm", [{"start": "8"}], "/runtime/scaling/warm/0': missing properties"),
        ("runtime.scaling.enabled", "yes", "/runtime/scaling/enabled': got string, want boolean"),
        ("runtime.type", "dreambooth", "/runtime/type': value must be one of 'sdwebui', 'comfyui', 'invokeai'"),
        ("runtime.taskTimeout", 36_001, "/runtime/taskTimeout': maximum: got 36,001, want 36,000"),
        ("runtime.inferenceApi.image.tag", 1.1, "/runtime/inferenceApi/image/tag': got number, want string"),
        ("runtime.inferenceApi.image.digest", "latest", "/runtime/inferenceApi/image/digest': 'latest' does not match"),
        (
            "runtime.inferenceApi.extraEnv",
            [{"NAME": "x"}],
            "/runtime/inferenceApi/extraEnv/0': missing property 'name'",
        ),
        ("runtime.inferenceApi.modelMountPath", "models", "/runtime/inferenceApi/modelMountPath': 'models' does not"),
        ("runtime.persistence.accessModes", ["RWX"], "/runtime/persistence/accessModes/0': value must be one of"),
        ("karpenter.provisioner.instanceType", "g5.xlarge", "/karpenter/provisioner/instanceType': got string"),
        ("karpenter.provisioner.instanceType", [], "/karpenter/provisioner/instanceType': minItems: got 0, want 1"),
        ("karpenter.provisioner.disruption.expireAfter", "1 week", "/disruption/expireAfter': '1 week' does not match"),
        ("karpenter.nodeTemplate.amiFamily", "AL2", "/karpenter/nodeTemplate/amiFamily': value must be one of"),
        ("karpenter.nodeTemplate.dataVolume.snapshotID", "vol-1", "/dataVolume/snapshotID': 'vol-1' does not match"),
        ("karpenter.nodeTemplate.dataVolume.snapshot", "snap-1", "/dataVolume': additional properties 'snapshot' not"),
        ("karpenter.nodeTemplate.userData", None, "/karpenter/nodeTemplate': missing property 'userData'"),
        ("global.imageRegistry", "https://x.example", "/global/imageRegistry': 'https://x.example' does not match"),
    ],
)
def test_a_wrong_value_is_refused_with_its_path(path: str, value: Any, complaint: str) -> None:
    with pytest.raises(Refused) as caught:
        render(nested(path, value))

    assert complaint in str(caught.value)


@pytest.mark.parametrize(
    "path",
    [
        "global.awsRegion",
        "global.stackName",
        "karpenter.nodeTemplate.iamRole",
        "karpenter.nodeTemplate.securityGroupSelector",
        "karpenter.nodeTemplate.subnetSelector",
        "runtime.serviceAccountName",
        "runtime.queueAgent.s3Bucket",
        "runtime.queueAgent.snsTopicArn",
        "runtime.queueAgent.sqsQueueUrl",
        "runtime.persistence.bucketName",
    ],
)
def test_what_only_the_stack_can_know_is_asked_for_by_name(path: str) -> None:
    key = path.rpartition(".")[2]
    nothing: Any = {} if key.endswith("Selector") else ""
    stack = copy.deepcopy(STACK)
    below = stack
    for step in path.split(".")[:-1]:
        below = below[step]
    below[key] = nothing

    with pytest.raises(Refused, match=re.escape(f"{path}: is required")):
        run_helm("template", "x", str(CHART), "--kube-version", KUBERNETES, "-f", "-", stdin=json.dumps(stack))


def test_every_value_has_a_comment_and_a_schema() -> None:
    found = values()

    assert len(found) > 80
    assert all(value.meaning.endswith(".") for value in found)


def test_the_schema_allows_nothing_that_the_values_do_not_have() -> None:
    """It requires what it allows, so that the defaults alone would be refused if one were missing."""

    def sections(schema: dict[str, Any], path: str) -> Iterator[tuple[str, dict[str, Any]]]:
        yield path, schema
        for key, below in schema.get("properties", {}).items():
            yield from sections(below, f"{path}/{key}")

    for path, section in sections(json.loads((CHART / "values.schema.json").read_text()), ""):
        if "properties" in section and path not in {"/runtime/scaling/extraHPAConfig"}:
            assert set(section["required"]) == set(section["properties"]) - {"extraEnv"}, path
            assert section["additionalProperties"] is False, path


def test_the_readme_lists_exactly_what_the_stack_sets() -> None:
    listed = re.findall(r"^\| `([\w.]+)` \|", (CHART / "README.md").read_text(), re.MULTILINE)

    assert sorted(listed) == sorted(value.path for value in values() if "Set by the stack" in value.meaning)


GUIDE_IMAGES = """
runtime:
  inferenceApi:
    image:
      repository: 123456789012.dkr.ecr.us-east-1.amazonaws.com/sd-on-eks/sdwebui
      tag: latest
  queueAgent:
    image:
      repository: 123456789012.dkr.ecr.us-east-1.amazonaws.com/sd-on-eks/queue-agent
      tag: latest
"""
GUIDE_SNAPSHOT = """
karpenter:
  nodeTemplate:
    amiFamily: Bottlerocket
    dataVolume:
      snapshotID: snap-0123456789
"""
GUIDE_CHINA = """
runtime:
  inferenceApi:
    image:
      repository: 123456789012.dkr.ecr.cn-northwest-1.amazonaws.com.cn/sd-on-eks/sdwebui
      tag: latest
  queueAgent:
    image:
      repository: 123456789012.dkr.ecr.cn-northwest-1.amazonaws.com.cn/sd-on-eks/queue-agent
      tag: latest
karpenter:
  nodeTemplate:
    amiFamily: Bottlerocket
    dataVolume:
      snapshotID: snap-1234567890 # 此处会自动填入EBS快照的ID
  provisioner:
    instanceType:
    - "g4dn.xlarge"
    - "g4dn.2xlarge"
    capacityType:
      onDemand: true
      spot: true
"""
EVERY_OLD_KEY = """
karpenter:
  provisioner:
    labels: {team: art}
    capacityType: {onDemand: true, spot: true}
    instanceType: ["g5.xlarge"]
    extraRequirements: [{key: topology.kubernetes.io/zone, operator: In, values: [us-west-2a]}]
    extraTaints: [{key: team, effect: NoSchedule}]
    resourceLimits: {nvidia.com/gpu: 10}
    consolidation: false
    disruption: {consolidateAfter: 30s, expireAfter: 720h}
  nodeTemplate:
    amiFamily: Bottlerocket
    osVolume: {volumeSize: 20Gi, volumeType: gp3, iops: 3000, throughput: 125, deleteOnTermination: true}
    dataVolume: {volumeSize: 120Gi, volumeType: gp3, iops: 4000, throughput: 1000, deleteOnTermination: true}
    tags: {team: art}
    userData: ""
runtime:
  labels: {team: art}
  annotations: {note: mine}
  replicas: 2
  scaling:
    enabled: true
    queueLength: 10
    cooldownPeriod: 60
    minReplicaCount: 0
    maxReplicaCount: 20
    pollingInterval: 1
    scaleOnInFlight: false
    extraHPAConfig: {scaleDown: {stabilizationWindowSeconds: 30}}
  inferenceApi:
    modelMountPath: /opt/ml/code/models
    commandArguments: "--medvram"
    extraEnv: {}
    imagePullPolicy: Always
    resources:
      limits: {nvidia.com/gpu: "1"}
      requests: {nvidia.com/gpu: "1", cpu: 2500m, memory: 6Gi}
  queueAgent:
    extraEnv: [{name: LOGLEVEL, value: DEBUG}]
    imagePullPolicy: Always
    resources: {requests: {cpu: 500m, memory: 512Mi}}
    XRay: {enabled: false}
  persistence:
    enabled: true
    size: 2Ti
    accessModes: [ReadWriteMany]
    labels: {}
    annotations: {}
"""


@pytest.mark.parametrize("text", [GUIDE_IMAGES, GUIDE_SNAPSHOT, GUIDE_CHINA, EVERY_OLD_KEY])
def test_extra_values_of_existing_files_go_on_working(text: str) -> None:
    # Given
    extra = yaml.safe_load(text)

    # When
    lint(merged(STACK, extra))
    rendered = render(extra)

    # Then
    assert [mistake for manifest in rendered.manifests for mistake in mistakes(manifest)] == []
