"""What the cluster will do when something happens, as far as the rendered fields decide it."""

from typing import Any

import pytest

from contract.runtimes import RuntimeType
from test.charts.chart import Refused, Rendered, env, render

ALL_TYPES = pytest.mark.parametrize("kind", [kind.value for kind in RuntimeType])


def seconds(duration: str) -> int:
    return int(duration.removesuffix("s"))


def grace(rendered: Rendered) -> int:
    return int(rendered.pod["spec"]["terminationGracePeriodSeconds"])


@pytest.mark.parametrize("task_timeout", [1, 300, 36_000])
def test_a_busy_pod_that_is_scaled_in_finishes_its_task(task_timeout: int) -> None:
    # When
    rendered = render({"runtime": {"taskTimeout": task_timeout}})

    # Then the agent may use all the time that a task may take
    agent = env(rendered.agent)
    assert int(agent["SHUTDOWN_GRACE"]) == int(agent["TASK_TIMEOUT"]) == task_timeout
    # and the pod is left alone for longer than that,
    assert grace(rendered) >= int(agent["SHUTDOWN_GRACE"]) + 60
    # with the runtime alive until the agent has ended,
    assert rendered.runtime["restartPolicy"] == "Always"
    # and the node is not taken away under it.
    assert rendered.pod["metadata"]["annotations"]["karpenter.sh/do-not-disrupt"] == "true"


def test_tasks_that_are_worked_on_keep_their_pods() -> None:
    """Counted, a running task keeps KEDA from scaling to zero, and the HPA from going below what runs."""
    metadata = render().one("ScaledObject")["spec"]["triggers"][0]["metadata"]

    assert metadata["scaleOnInFlight"] == "true"


def test_pods_are_added_at_once_and_removed_slowly() -> None:
    # When
    spec = render({"runtime": {"scaling": {"maxReplicaCount": 50}}}).one("ScaledObject")["spec"]

    # Then
    behavior = spec["advanced"]["horizontalPodAutoscalerConfig"]["behavior"]
    assert behavior["scaleUp"]["stabilizationWindowSeconds"] == 0
    assert {"type": "Pods", "value": 50, "periodSeconds": 15} in behavior["scaleUp"]["policies"]
    assert behavior["scaleDown"]["stabilizationWindowSeconds"] >= 120
    assert {"type": "Percent", "value": 20, "periodSeconds": 60} in behavior["scaleDown"]["policies"]


@pytest.mark.parametrize("task_timeout", [1, 300, 36_000])
def test_a_spot_notice_reaches_the_agent_at_once(task_timeout: int) -> None:
    """Karpenter evicts no pod that carries do-not-disrupt. It deletes it once no more than the pod's grace period is
    left of the node's, which here is at the beginning. See Drain in Karpenter's terminator."""
    # When
    rendered = render({"runtime": {"taskTimeout": task_timeout}})

    # Then
    assert rendered.pod["metadata"]["annotations"]["karpenter.sh/do-not-disrupt"] == "true"
    assert seconds(rendered.nodes["terminationGracePeriod"]) == grace(rendered)


def test_a_node_that_grew_old_is_drained_like_one_with_a_spot_notice() -> None:
    nodes = render().nodes

    assert nodes["expireAfter"] == "168h"
    assert "terminationGracePeriod" in nodes


@ALL_TYPES
def test_a_runtime_that_crashes_is_restarted_next_to_its_agent(kind: str) -> None:
    # When
    rendered = render({"runtime": {"type": kind}})

    # Then Kubernetes restarts it in place, and a hung one too,
    assert rendered.runtime["restartPolicy"] == "Always"
    alive = rendered.runtime["livenessProbe"]
    assert alive["httpGet"] == {"path": "/runtime", "port": 8090}
    # but not one that is busy for a while, such as with a model switch;
    assert alive["periodSeconds"] * alive["failureThreshold"] >= 120
    # the agent is judged by itself, so that it hands its task back instead of dying with the runtime.
    for probe in ("livenessProbe", "readinessProbe"):
        assert rendered.agent[probe]["httpGet"]["port"] == "health"


def test_a_hung_container_is_not_given_the_grace_of_a_busy_one() -> None:
    rendered = render()

    for container in (rendered.runtime, rendered.agent):
        assert container["livenessProbe"]["terminationGracePeriodSeconds"] == 30


@ALL_TYPES
def test_a_runtime_that_never_comes_up_is_restarted_after_its_time(kind: str) -> None:
    # When
    rendered = render({"runtime": {"type": kind, "inferenceApi": {"startupTimeout": 120}}})

    # Then
    startup = rendered.runtime["startupProbe"]
    assert startup["periodSeconds"] * startup["failureThreshold"] == 120
    assert rendered.deployment["spec"]["progressDeadlineSeconds"] > 120


def test_while_the_model_bucket_cannot_be_mounted_no_task_is_taken() -> None:
    """The pod waits in ContainerCreating: the runtime needs the volume, and the agent starts after the runtime."""
    # When
    rendered = render()

    # Then
    assert rendered.volume("models")["persistentVolumeClaim"]["claimName"]
    assert "models" in {mount["name"] for mount in rendered.runtime["volumeMounts"]}
    assert "startupProbe" in rendered.runtime
    assert [container["name"] for container in rendered.pod["spec"]["containers"]] == ["queue-agent"]


def test_without_a_model_bucket_nothing_is_rendered() -> None:
    with pytest.raises(Refused, match=r"runtime\.persistence\.bucketName: is required"):
        render({"runtime": {"persistence": {"bucketName": ""}}})


def test_an_upgrade_of_the_chart_alone_restarts_no_pod() -> None:
    template: dict[str, Any] = render().pod

    assert "helm.sh/chart" not in template["metadata"]["labels"]
    assert "app.kubernetes.io/version" not in template["metadata"]["labels"]


def test_scaling_owns_the_number_of_pods_and_without_it_the_values_do() -> None:
    """With `replicas` in the Deployment every upgrade would set the number back."""
    scaled = render().deployment["spec"]
    fixed = render({"runtime": {"scaling": {"enabled": False}, "replicas": 3}}).deployment["spec"]

    assert "replicas" not in scaled
    assert fixed["replicas"] == 3
