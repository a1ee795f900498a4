"""Idle pods go before busy ones: the agent may say of its own pod which it is, and nothing else to nobody."""

import copy
from pathlib import Path
from typing import Any

import pytest

from queue_agent.lifecycle.pod_deletion_cost import ANNOTATION
from queue_agent.settings import Settings
from test.charts.admission import Change, allowed, refusals
from test.charts.chart import Manifest, Rendered, env, render
from test.charts.cluster import mistakes

AGENT = "system:serviceaccount:art:sdruntime"
ITS_TOKEN = {
    "authentication.kubernetes.io/credential-id": ["JTI=7"],
    "authentication.kubernetes.io/pod-name": ["sdruntime-5d8f-x7k2p"],
    "authentication.kubernetes.io/pod-uid": ["uid-1"],
}
OWN_PART = ("Role", "RoleBinding", "ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding")
OFF: dict[str, Any] = {"runtime": {"scaling": {"idlePodsFirst": False}}}
FIXED: dict[str, Any] = {"runtime": {"scaling": {"enabled": False}}}


def a_release(values: dict[str, Any] | None = None) -> Rendered:
    return render(values, namespace="art")


def a_pod(**annotations: str) -> Manifest:
    """One of the release, as the API server has it."""
    template = copy.deepcopy(a_release().pod)
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": "sdruntime-5d8f-x7k2p",
            "namespace": "art",
            "uid": "uid-1",
            "resourceVersion": "1",
            "labels": template["metadata"]["labels"],
            "annotations": {**template["metadata"]["annotations"], **annotations},
            "ownerReferences": [{"kind": "ReplicaSet", "name": "sdruntime-5d8f", "controller": True}],
        },
        "spec": template["spec"],
    }


def after_write(pod: Manifest, cost: str) -> Manifest:
    """The pod after the agent's write."""
    after = copy.deepcopy(pod)
    after["metadata"]["resourceVersion"] = "2"
    after["metadata"].setdefault("annotations", {})[ANNOTATION] = cost
    return after


def altered(path: tuple[str, ...], value: Any) -> Manifest:
    """The pod after a write of something else together with the cost; None takes it away."""
    after = after_write(a_pod(), "100")
    below = after
    for step in path[:-1]:
        below = below.setdefault(step, {})
    if value is None:
        del below[path[-1]]
    else:
        below[path[-1]] = value
    return after


@pytest.mark.parametrize("known", [{}, {ANNOTATION: "0"}, {ANNOTATION: "100"}], ids=["never", "idle", "busy"])
def test_the_agent_may_tell_the_cost_of_its_own_pod(known: dict[str, str]) -> None:
    before = a_pod(**known)

    assert refusals(a_release(), Change(before, after_write(before, "100"), AGENT, ITS_TOKEN)) == []


def test_a_pod_without_any_annotation_or_label_may_be_told_of_too() -> None:
    before = a_pod()
    for key in ("annotations", "labels", "ownerReferences"):
        del before["metadata"][key]

    assert refusals(a_release(), Change(before, after_write(before, "0"), AGENT, ITS_TOKEN)) == []


@pytest.mark.parametrize(
    "extra",
    [
        {**ITS_TOKEN, "authentication.kubernetes.io/pod-name": ["sdruntime-5d8f-other"]},
        {**ITS_TOKEN, "authentication.kubernetes.io/pod-uid": ["uid-of-its-predecessor"]},
        {"authentication.kubernetes.io/credential-id": ["JTI=7"]},
        {},
        None,
    ],
    ids=["another pod", "another life", "no pod", "empty", "absent"],
)
def test_a_token_that_is_not_this_pods_is_refused(extra: dict[str, list[str]] | None) -> None:
    before = a_pod()

    found = refusals(a_release(), Change(before, after_write(before, "100"), AGENT, extra))

    assert found == ["the queue agent may change its own pod only"]


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("metadata", "annotations", "karpenter.sh/do-not-disrupt"), "false"),
        (("metadata", "annotations", "karpenter.sh/do-not-disrupt"), None),
        (("metadata", "annotations", "new"), "x"),
        (("metadata", "labels", "app.kubernetes.io/instance"), "other"),
        (("metadata", "labels"), None),
        (("metadata", "finalizers"), ["never/gone"]),
        (("metadata", "ownerReferences"), []),
        (("metadata", "ownerReferences"), None),
        (("spec", "activeDeadlineSeconds"), 1),
        (("spec", "containers"), [{"name": "queue-agent", "image": "stranger"}]),
        (("spec", "tolerations"), []),
    ],
)
def test_whatever_else_the_agent_would_change_is_refused(path: tuple[str, ...], value: Any) -> None:
    (message,) = refusals(a_release(), Change(a_pod(), altered(path, value), AGENT, ITS_TOKEN))

    assert message.startswith("the queue agent may change")


def test_others_and_other_namespaces_are_left_alone() -> None:
    # Given changes that the policy would deny to the agent
    elsewhere = a_pod()
    elsewhere["metadata"]["namespace"] = "music"

    # Then it has no say in them
    rest = altered(("metadata", "labels", "team"), "art")
    assert refusals(a_release(), Change(a_pod(), rest, "system:kube-controller-manager")) == []
    assert refusals(a_release(), Change(elsewhere, rest, AGENT)) == []


def test_the_policy_denies_and_holds_when_it_cannot_tell() -> None:
    # When
    rendered = a_release()

    # Then
    policy, binding = (rendered.one(kind) for kind in OWN_PART[2:])
    assert policy["spec"]["failurePolicy"] == "Fail"
    assert binding["spec"] == {"policyName": policy["metadata"]["name"], "validationActions": ["Deny"]}
    (rule,) = policy["spec"]["matchConstraints"]["resourceRules"]
    assert rule == {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["UPDATE"], "resources": ["pods"]}
    # and nothing is allowed that the policy does not see.
    assert allowed(rendered, ("art", "sdruntime")) == {("art", "", "pods", "patch")}
    assert rendered.all("ClusterRole") == rendered.all("ClusterRoleBinding") == []


def test_only_the_agent_gets_a_token_and_it_is_where_the_agent_looks() -> None:
    # When
    rendered = a_release()

    # Then
    folder = Settings.model_fields["service_account"].default
    mounts = {
        container["name"]: [Path(mount["mountPath"]) for mount in container["volumeMounts"]]
        for container in rendered.pod["spec"]["initContainers"] + rendered.pod["spec"]["containers"]
    }
    assert [name for name, paths in mounts.items() if folder in paths] == ["queue-agent"]
    assert rendered.pod["spec"]["automountServiceAccountToken"] is False
    token, authority = rendered.volume("kubernetes-api")["projected"]["sources"]
    assert token == {"serviceAccountToken": {"path": "token", "expirationSeconds": 3600}}
    assert authority["configMap"] == {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}


def test_the_agent_knows_the_name_of_its_pod() -> None:
    fields = {
        entry["name"]: entry["valueFrom"]["fieldRef"]["fieldPath"]
        for entry in a_release().agent["env"]
        if "valueFrom" in entry
    }

    assert fields["POD_NAME"] == "metadata.name"
    assert fields["POD_NAMESPACE"] == "metadata.namespace"


@pytest.mark.parametrize("values", [OFF, FIXED], ids=["off", "a fixed number of pods"])
def test_where_there_is_nothing_to_tell_nothing_is_allowed(values: dict[str, Any]) -> None:
    # When
    rendered = a_release(values)

    # Then
    assert not [manifest for kind in OWN_PART for manifest in rendered.all(kind)]
    assert "kubernetes-api" not in {volume["name"] for volume in rendered.pod["spec"]["volumes"]}
    assert "POD_NAME" not in {entry["name"] for entry in rendered.agent["env"]}
    assert [mistake for manifest in rendered.manifests for mistake in mistakes(manifest)] == []


def test_the_parts_belong_to_one_release() -> None:
    # Given releases and namespaces whose names run together
    places = [("a", "b-c"), ("a-b", "c"), ("a", "b.c"), ("a-b-c", "d")]

    # When
    rendered = [render(release=release, namespace=space) for space, release in places]

    # Then what belongs to the whole cluster has a name of its own
    names = {each.one("ValidatingAdmissionPolicy")["metadata"]["name"] for each in rendered}
    assert len(names) == len(places)


def test_a_closed_network_can_be_opened_to_the_api_server() -> None:
    # Given
    closed = {
        "restrictEgress": True,
        "egressCidrs": ["10.0.0.0/28"],
        "apiServerCidrs": ["172.20.0.1/32", "10.0.1.0/24"],
    }

    # When
    policies = {
        wanted: render({"networkPolicy": closed, "runtime": {"scaling": {"idlePodsFirst": wanted}}}).one(
            "NetworkPolicy"
        )
        for wanted in (True, False)
    }

    # Then
    rule = {
        "to": [{"ipBlock": {"cidr": "172.20.0.1/32"}}, {"ipBlock": {"cidr": "10.0.1.0/24"}}],
        "ports": [{"protocol": "TCP", "port": 443}],
    }
    assert rule in policies[True]["spec"]["egress"]
    assert rule not in policies[False]["spec"]["egress"]
    assert mistakes(policies[True]) == []


def test_the_runtime_hears_nothing_of_it() -> None:
    assert not [name for name in env(a_release().runtime) if name.startswith(("POD_", "KUBERNETES"))]
