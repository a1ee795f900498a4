"""The nodes: what Karpenter launches, and what they do at their start."""

import tomllib
from typing import Any

import pytest

from test.charts.chart import Refused, Rendered, render


def nodes_with(**node_template: Any) -> Rendered:
    return render({"karpenter": {"nodeTemplate": node_template}})


def provisioned_with(**provisioner: Any) -> Rendered:
    return render({"karpenter": {"provisioner": provisioner}})


def capacity_types(rendered: Rendered) -> list[str]:
    (found,) = (r["values"] for r in rendered.nodes["requirements"] if r["key"] == "karpenter.sh/capacity-type")
    return list(found)


def volumes(rendered: Rendered) -> dict[str, dict[str, Any]]:
    return {mapping["deviceName"]: mapping["ebs"] for mapping in rendered.node_class["blockDeviceMappings"]}


@pytest.mark.parametrize(
    ("spot", "on_demand", "expected"),
    [(True, True, ["spot", "on-demand"]), (True, False, ["spot"]), (False, True, ["on-demand"])],
)
def test_nodes_may_be_spot_or_on_demand_as_the_values_say(spot: bool, on_demand: bool, expected: list[str]) -> None:
    assert capacity_types(provisioned_with(capacityType={"spot": spot, "onDemand": on_demand})) == expected


def test_no_capacity_type_at_all_is_refused() -> None:
    with pytest.raises(Refused, match=r"karpenter\.provisioner\.capacityType: spot or onDemand must be true"):
        provisioned_with(capacityType={"spot": False, "onDemand": False})


def test_only_the_runtimes_own_pods_come_to_its_nodes() -> None:
    # When
    extra = [{"key": "team", "value": "art", "effect": "NoSchedule"}, {"key": "quiet", "effect": "NoExecute"}]
    rendered = provisioned_with(extraTaints=extra)

    # Then the standing taints are there in addition to the user's,
    assert rendered.nodes["taints"] == [
        {"key": "nvidia.com/gpu", "value": "true", "effect": "NoSchedule"},
        {"key": "runtime", "value": "sdruntime", "effect": "NoSchedule"},
        *extra,
    ]
    # and the pods tolerate each of them and ask for these nodes.
    tolerated = {(t["key"], t.get("value"), t["effect"]) for t in rendered.pod["spec"]["tolerations"]}
    assert tolerated == {
        ("nvidia.com/gpu", None, "NoSchedule"),
        ("runtime", "sdruntime", "NoSchedule"),
        ("team", "art", "NoSchedule"),
        ("quiet", None, "NoExecute"),
    }
    assert rendered.pod["spec"]["nodeSelector"] == {
        "karpenter.sh/nodepool": rendered.one("NodePool")["metadata"]["name"]
    }


def test_a_pod_comes_to_a_new_node_only_when_the_bucket_can_be_mounted() -> None:
    bucket = render().nodes
    claim = render({"runtime": {"persistence": {"existingClaim": "mine"}}}).nodes

    assert bucket["startupTaints"] == [{"key": "s3.csi.aws.com/agent-not-ready", "effect": "NoExecute"}]
    assert "startupTaints" not in claim


def test_types_requirements_labels_limits_and_tags_arrive() -> None:
    # When
    zone = {"key": "topology.kubernetes.io/zone", "operator": "In", "values": ["us-west-2a"]}
    rendered = render(
        {
            "karpenter": {
                "provisioner": {
                    "instanceType": ["g6.xlarge"],
                    "extraRequirements": [zone],
                    "labels": {"team": "art"},
                    "resourceLimits": {"nvidia.com/gpu": 4, "cpu": "64"},
                },
                "nodeTemplate": {"tags": {"cost-centre": "7"}},
            }
        }
    )

    # Then
    requirements = rendered.nodes["requirements"]
    assert {"key": "node.kubernetes.io/instance-type", "operator": "In", "values": ["g6.xlarge"]} in requirements
    assert zone in requirements
    pool = rendered.one("NodePool")["spec"]
    assert pool["template"]["metadata"]["labels"] == {"runtime": "sdruntime", "team": "art"}
    assert pool["limits"] == {"nvidia.com/gpu": 4, "cpu": "64"}
    assert rendered.node_class["tags"] == {"stack": "sdoneksStack", "runtime": "sdruntime", "cost-centre": "7"}


@pytest.mark.parametrize(("consolidation", "policy"), [(True, "WhenEmptyOrUnderutilized"), (False, "WhenEmpty")])
def test_empty_nodes_go_and_underused_ones_too_if_wanted(consolidation: bool, policy: str) -> None:
    # When
    disruption = {"consolidateAfter": "5m", "expireAfter": "Never", "budgets": [{"nodes": "1"}]}
    rendered = provisioned_with(consolidation=consolidation, disruption=disruption)

    # Then
    assert rendered.one("NodePool")["spec"]["disruption"] == {
        "consolidationPolicy": policy,
        "consolidateAfter": "5m",
        "budgets": [{"nodes": "1"}],
    }
    assert rendered.nodes["expireAfter"] == "Never"


def test_the_nodes_credentials_cannot_be_read_from_a_pod() -> None:
    assert render().node_class["metadataOptions"] == {
        "httpEndpoint": "enabled",
        "httpProtocolIPv6": "disabled",
        "httpPutResponseHopLimit": 1,
        "httpTokens": "required",
    }


@pytest.mark.parametrize("family", ["Bottlerocket", "AL2023"])
def test_every_volume_is_encrypted_with_the_key_of_the_values(family: str) -> None:
    # When
    rendered = nodes_with(amiFamily=family, kmsKeyID="alias/nodes")

    # Then
    assert all(volume["encrypted"] and volume["kmsKeyID"] == "alias/nodes" for volume in volumes(rendered).values())


def test_on_the_instance_store_images_are_pulled_in_parallel() -> None:
    # When
    spec = render().node_class

    # Then
    assert spec["instanceStorePolicy"] == "RAID0"
    settings = tomllib.loads(spec["userData"])["settings"]
    assert settings["container-runtime"]["snapshotter"] == "soci"
    assert settings["container-runtime-plugins"]["soci-snapshotter"]["pull-mode"] == "parallel-pull-unpack"
    # Karpenter itself moves the directories to the instance store.
    assert "bootstrap-commands" not in settings


def test_with_a_snapshot_its_images_are_used_and_not_hidden() -> None:
    """The instance store would be mounted over them, and SOCI does not know images that overlayfs unpacked."""
    # When
    rendered = nodes_with(dataVolume={"snapshotID": "snap-0123456789", "volumeInitializationRate": 300})

    # Then
    spec = rendered.node_class
    assert "instanceStorePolicy" not in spec
    assert "userData" not in spec
    data = volumes(rendered)["/dev/xvdb"]
    assert (data["snapshotID"], data["volumeInitializationRate"]) == ("snap-0123456789", 300)
    assert (data["iops"], data["throughput"]) == (4000, 1000)


def test_without_a_snapshot_nothing_is_filled_from_one() -> None:
    """Karpenter refuses the rate without a snapshot."""
    data = volumes(nodes_with(dataVolume={"volumeInitializationRate": 300}))["/dev/xvdb"]

    assert not data.keys() & {"snapshotID", "volumeInitializationRate"}


def test_parallel_pull_works_without_an_instance_store() -> None:
    # When
    rendered = nodes_with(instanceStorePolicy="")

    # Then
    assert "instanceStorePolicy" not in rendered.node_class
    assert "soci" in rendered.node_class["userData"]
    assert volumes(rendered)["/dev/xvdb"]["throughput"] == 1000


def test_a_fast_volume_is_not_paid_for_where_the_instance_store_holds_the_images() -> None:
    data = volumes(render())["/dev/xvdb"]

    assert (data["iops"], data["throughput"]) == (3000, 125)


def test_the_users_figures_for_volumes_win() -> None:
    # When
    rendered = nodes_with(
        osVolume={"volumeSize": "20Gi"},
        dataVolume={"volumeSize": "200Gi", "iops": 9000, "throughput": 250},
    )

    # Then
    assert volumes(rendered)["/dev/xvda"]["volumeSize"] == "20Gi"
    data = volumes(rendered)["/dev/xvdb"]
    assert (data["volumeSize"], data["iops"], data["throughput"]) == ("200Gi", 9000, 250)


@pytest.mark.parametrize(("kind", "figures"), [("gp3", {"iops", "throughput"}), ("io2", {"iops"}), ("gp2", set())])
def test_a_volume_is_asked_only_for_what_its_type_takes(kind: str, figures: set[str]) -> None:
    data = volumes(nodes_with(dataVolume={"volumeType": kind}))["/dev/xvdb"]

    assert data.keys() & {"iops", "throughput"} == figures


def test_the_users_user_data_is_added_and_the_whole_is_one_document() -> None:
    # When
    spec = nodes_with(userData='[settings.kernel.sysctl]\n"vm.swappiness" = "0"\n').node_class

    # Then
    settings = tomllib.loads(spec["userData"])["settings"]
    assert settings["kernel"]["sysctl"] == {"vm.swappiness": "0"}
    assert settings["container-runtime"]["snapshotter"] == "soci"


def test_the_users_own_snapshotter_takes_the_place_of_the_charts() -> None:
    # When
    text = '[settings.container-runtime]\nsnapshotter = "overlayfs"\n'

    # Then
    assert tomllib.loads(nodes_with(userData=text).node_class["userData"]) == tomllib.loads(text)


def test_the_ami_is_the_familys_in_the_version_of_the_values() -> None:
    assert render().node_class["amiSelectorTerms"] == [{"alias": "bottlerocket@latest"}]
    pinned = nodes_with(amiFamily="AL2023", amiVersion="v20261101").node_class
    assert pinned["amiSelectorTerms"] == [{"alias": "al2023@v20261101"}]
    assert "userData" not in pinned


def test_a_snapshot_for_a_family_without_a_data_volume_is_refused() -> None:
    with pytest.raises(Refused, match=r"dataVolume\.snapshotID: an image cache needs amiFamily Bottlerocket"):
        nodes_with(amiFamily="AL2023", dataVolume={"snapshotID": "snap-0123456789"})


def test_role_subnets_and_security_groups_are_those_of_the_stack() -> None:
    spec = render().node_class

    assert spec["role"] == "sdoneks-node"
    assert spec["subnetSelectorTerms"] == [{"tags": {"sd-on-eks/nodes": "sdoneksStack"}}]
    assert spec["securityGroupSelectorTerms"] == [{"tags": {"aws:eks:cluster-name": "sdoneksStack"}}]


def test_the_image_kits_nodes_and_pods_have_no_gpu() -> None:
    # When
    rendered = render({"runtime": {"type": "imagekit"}})

    # Then
    assert [taint["key"] for taint in rendered.nodes["taints"]] == ["runtime"]
    assert "limits" not in rendered.one("NodePool")["spec"]
    resources = rendered.runtime["resources"]
    assert set(resources["requests"]) == {"cpu", "memory"}
    assert set(resources["limits"]) == {"memory", "ephemeral-storage"}


def test_other_limits_of_the_image_kits_nodes_stay() -> None:
    values = {"runtime": {"type": "imagekit"}, "karpenter": {"provisioner": {"resourceLimits": {"cpu": 40}}}}

    assert render(values).one("NodePool")["spec"]["limits"] == {"cpu": 40}
