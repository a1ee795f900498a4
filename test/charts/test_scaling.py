"""The ScaledObject: KEDA ignores what stands in the wrong place or has an unknown name, without a word."""

import pytest

from test.charts.chart import Refused, render

READ_BY_KEDA = {
    "queueURL",
    "queueURLFromEnv",
    "queueLength",
    "activationQueueLength",
    "scaleOnInFlight",
    "scaleOnDelayed",
    "awsRegion",
    "awsEndpoint",
}
"""The trigger metadata of aws-sqs-queue in KEDA 2.20; identityOwner is deprecated."""


def test_scale_on_in_flight_stands_where_keda_reads_it() -> None:
    # When
    spec = render({"runtime": {"scaling": {"scaleOnInFlight": False}}}).one("ScaledObject")["spec"]

    # Then
    assert spec["triggers"][0]["metadata"]["scaleOnInFlight"] == "false"
    assert "scaleOnInFlight" not in spec


def test_the_trigger_says_nothing_that_keda_does_not_read() -> None:
    metadata = render().one("ScaledObject")["spec"]["triggers"][0]["metadata"]

    assert metadata.keys() <= READ_BY_KEDA
    assert all(isinstance(value, str) for value in metadata.values())


def test_every_scaling_value_arrives() -> None:
    # Given
    scaling = {
        "queueLength": 4,
        "cooldownPeriod": 2_000_000,
        "minReplicaCount": 1,
        "maxReplicaCount": 7,
        "pollingInterval": 5,
    }

    # When
    rendered = render({"runtime": {"scaling": scaling}})

    # Then
    spec = rendered.one("ScaledObject")["spec"]
    assert spec["triggers"][0]["metadata"]["queueLength"] == "4"
    assert spec["cooldownPeriod"] == 2_000_000
    assert (spec["minReplicaCount"], spec["maxReplicaCount"]) == (1, 7)
    assert spec["pollingInterval"] == 5
    assert spec["scaleTargetRef"] == {"name": rendered.deployment["metadata"]["name"]}


def test_keda_asks_the_queue_of_this_runtime_with_its_own_identity() -> None:
    # When
    rendered = render()

    # Then
    (trigger,) = rendered.one("ScaledObject")["spec"]["triggers"]
    authentication = rendered.one("TriggerAuthentication")
    assert trigger["authenticationRef"] == {"name": authentication["metadata"]["name"]}
    assert authentication["spec"] == {"podIdentity": {"provider": "aws"}}
    assert trigger["metadata"]["queueURL"].endswith("/sdoneks-sdruntime")
    assert trigger["metadata"]["awsRegion"] == "us-west-2"


def test_the_users_hpa_behaviour_is_laid_over_the_charts() -> None:
    # When
    extra = {"scaleDown": {"stabilizationWindowSeconds": 600}}
    spec = render({"runtime": {"scaling": {"extraHPAConfig": extra}}}).one("ScaledObject")["spec"]

    # Then
    behavior = spec["advanced"]["horizontalPodAutoscalerConfig"]["behavior"]
    assert behavior["scaleDown"]["stabilizationWindowSeconds"] == 600
    assert behavior["scaleDown"]["policies"]
    assert behavior["scaleUp"]["stabilizationWindowSeconds"] == 0


def test_fewer_pods_at_most_than_at_least_is_refused() -> None:
    with pytest.raises(
        Refused, match=r"runtime\.scaling\.minReplicaCount: must not be above maxReplicaCount \(2\), got 3"
    ):
        render({"runtime": {"scaling": {"minReplicaCount": 3, "maxReplicaCount": 2}}})
