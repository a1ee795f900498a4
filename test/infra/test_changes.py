"""What a change of config.yaml changes in the cloud, and that two stacks keep out of each other's way."""

from typing import Any

import pytest

from test.infra.reading import of_type, the_one

NAMING = {
    "AWS::SQS::Queue": "QueueName",
    "AWS::SNS::Topic": "TopicName",
    "AWS::EKS::Cluster": "Name",
    "AWS::Logs::LogGroup": "LogGroupName",
    "AWS::S3::Bucket": "BucketName",
    "AWS::IAM::Role": "RoleName",
    "AWS::IAM::ManagedPolicy": "ManagedPolicyName",
    "AWS::Lambda::Function": "FunctionName",
    "AWS::Events::Rule": "Name",
    "AWS::StepFunctions::StateMachine": "StateMachineName",
    "AWS::EC2::LaunchTemplate": "LaunchTemplateName",
    "AWS::EKS::Nodegroup": "NodegroupName",
    "AWS::KMS::Alias": "AliasName",
    "AWS::SSM::Parameter": "Name",
    "AWS::CloudWatch::Alarm": "AlarmName",
    "AWS::CloudWatch::Dashboard": "DashboardName",
    "AWS::ApiGateway::ApiKey": "Name",
    "AWS::ApiGateway::UsagePlan": "UsagePlanName",
    "AWS::CodeBuild::Project": "Name",
    "AWS::ECR::Repository": "RepositoryName",
    "AWS::XRay::ResourcePolicy": "PolicyName",
}
"""The properties that fix a name, where CloudFormation would else make one up."""


def names(template: dict[str, Any]) -> set[tuple[str, str]]:
    return {
        (kind, resource[key])
        for kind, key in NAMING.items()
        for resource in of_type(template, kind).values()
        if key in resource
    }


def test_two_stacks_in_one_account_share_no_name(three: dict[str, Any], everything: dict[str, Any]) -> None:
    # Given both have a runtime of the same name
    first, second = names(three), names(everything)
    assert ("AWS::SQS::Queue", "sdoneks_sdruntime") in first
    assert ("AWS::SQS::Queue", "other_sdruntime") in second
    assert ("AWS::CloudWatch::Alarm", "otherStack_no_pods_1") in second

    # Then
    assert not first & second


def test_no_name_is_fixed_that_is_one_for_all_regions(three: dict[str, Any]) -> None:
    worldwide = {"AWS::IAM::Role", "AWS::IAM::ManagedPolicy", "AWS::S3::Bucket"}

    assert not {name for name in names(three) if name[0] in worldwide}


def test_charts_install_nothing_that_two_stacks_share(three: dict[str, Any], everything: dict[str, Any]) -> None:
    """Kubernetes' own names are a cluster's; a chart's AWS resources are found by the cluster's name."""
    clusters = {the_one(template, "AWS::EKS::Cluster")["Name"] for template in (three, everything)}

    assert len(clusters) == 2


def test_deleting_a_stack_leaves_the_accounts_api_logging_alone(default: dict[str, Any]) -> None:
    """API Gateway has one role for its logs in an account and region; another stack may need it still."""
    roles = [name for name in of_type(default, "AWS::IAM::Role") if name.startswith("FrontDoorApiCloudWatchRole")]
    accounts = list(of_type(default, "AWS::ApiGateway::Account"))

    for name in (*roles, *accounts):
        assert default["Resources"][name]["DeletionPolicy"] == "Retain"
    assert len(roles) == len(accounts) == 1


SHARED = {
    *("FrontDoorHandlerFunction", "QueueGuardQuestion", "DashboardPage"),
    *("ImagesRoleDefaultPolicy", "ImageStartHandlerRoleDefaultPolicy", "ImageStartQuestion"),
}
"""What lists all runtimes (the front door's catalogue, the guard's queues, the dashboard's), or all images."""

NUMBERED = ("AlarmsOldestMessage{}", "AlarmsNoPods{}", "AlarmsDeadLetters{}", "AlarmsRunSeconds{}")
"""What a runtime has by its place in the list, as long as these are few."""


OWN = (
    *("Routing{}Queue", "Routing{}DeadLetters", "Routing{}Policy", "Routing{}Subscription"),
    *("Runtime{}Identity", "Runtime{}Chart", "Runtime{}ServiceAccount"),
)
"""What a runtime has for itself."""

IMAGE = ("ImagesRepository{}", "ImagesProject{}")
"""What the first runtime of a type brings."""


@pytest.mark.parametrize("direction", ["added", "removed"])
def test_a_runtime_changes_only_its_own_resources(
    direction: str, default: dict[str, Any], three: dict[str, Any]
) -> None:
    # Given the one config has two runtimes more
    fewer, more = default["Resources"], three["Resources"]
    before, after = (fewer, more) if direction == "added" else (more, fewer)

    # When
    changed = {
        name for name in before.keys() & after.keys() if without_order(before[name]) != without_order(after[name])
    }
    come_or_gone = before.keys() ^ after.keys()

    # Then
    assert {name[:-8] for name in changed} == SHARED
    assert {name[:-8] for name in come_or_gone} == {
        *(own.format(runtime) for own in OWN for runtime in ("comfy", "invoke")),
        *(own.format(number) for own in NUMBERED for number in (2, 3)),
        *(own.format(kind) for own in IMAGE for kind in ("comfyui", "invokeai")),
    }


def without_order(resource: dict[str, Any]) -> dict[str, Any]:
    """What comes first is no part of a resource: CloudFormation updates none because of it."""
    return {key: value for key, value in resource.items() if key != "DependsOn"}


def test_of_what_all_runtimes_share_only_the_lists_change(default: dict[str, Any], three: dict[str, Any]) -> None:
    # Given
    functions = [the_one(template, "AWS::Lambda::Function", "FrontDoor") for template in (default, three)]
    guards = [the_one(template, "Custom::QueueGuard") for template in (default, three)]

    # When
    catalogues = [function["Environment"]["Variables"].pop("RUNTIMES") for function in functions]
    queues = [guard.pop("Queues") for guard in guards]

    # Then
    assert functions[0] == functions[1]
    assert guards[0] == guards[1]
    assert catalogues[1].startswith(catalogues[0][:-1])
    assert queues[1][:1] == queues[0]


def test_a_renamed_runtime_is_a_new_queue_and_the_guard_is_told_of_both(
    default: dict[str, Any], three: dict[str, Any]
) -> None:
    """CloudFormation keeps what has the same logical id; another name is another id, so the old queue would go."""
    # Given
    before, after = (
        {name for name in of_type(template, "AWS::SQS::Queue") if name.startswith("Routingcomfy")}
        for template in (default, three)
    )

    # Then
    assert not before
    assert after
    assert len(the_one(three, "Custom::QueueGuard")["Queues"]) == 3
