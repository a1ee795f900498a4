"""What Karpenter may do: with machines, their role and its own queue."""

from typing import Any

from test.infra.reading import of_role, permissions, short


def test_karpenter_makes_and_changes_only_what_is_tagged_as_this_clusters(default: dict[str, Any]) -> None:
    # Given
    tag = "kubernetes.io/cluster/sdoneksStack"
    unowned = {"image", "snapshot", "security-group", "subnet", "capacity-reservation", "placement-group"}

    # When
    writing = [
        one
        for one in permissions(default)
        if one.role == "KarpenterRole"
        and any(
            action.split(":")[1].startswith(("Run", "Create", "Terminate", "Delete", "Tag")) for action in one.actions
        )
        and not one.actions[0].startswith("sqs:")
    ]

    # Then
    assert len(writing) == 9
    for one in writing:
        kinds = {resource.rsplit(":", 1)[1].split("/")[0] for resource in one.resources}
        equal = one.conditions.get("StringEquals", {})
        owned = {f"aws:ResourceTag/{tag}", f"aws:RequestTag/{tag}"} & equal.keys()
        assert owned or kinds == unowned
        assert {equal[key] for key in owned} <= {"owned"}


def test_karpenter_passes_the_gpu_nodes_role_and_no_other(default: dict[str, Any]) -> None:
    (passing,) = [one for one in permissions(default) if "iam:PassRole" in one.actions]

    assert [short(role.replace(".Arn", "")) for role in passing.resources] == ["GpuNodeRole"]
    assert passing.conditions == {
        "StringEquals": {"iam:PassedToService": ["ec2.amazonaws.com", "ec2.amazonaws.com.cn"]}
    }


def test_karpenter_reads_and_clears_its_ownqueue_arn(default: dict[str, Any]) -> None:
    (queue,) = of_role(default, "KarpenterRole")[("sqs:DeleteMessage", "sqs:GetQueueUrl", "sqs:ReceiveMessage")]

    assert queue.startswith("<KarpenterInterruptions")
