"""The checks of account, stack and quotas before a deployment: each finding with what to do, none where all is well."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from infra.config.model import parse_config
from infra.topology import STACK_DESCRIPTION
from test.support.aws import Aws
from utils.deploy import preflight
from utils.deploy.account import Account
from utils.deploy.console import DeployError
from utils.deploy.finding import Level, Subject

from .conftest import MODEL, findings, raw_config, with_values

pytestmark = pytest.mark.usefixtures("model_bucket")


def stack(aws: Aws, description: str) -> None:
    template = {"Description": description, "Resources": {"Topic": {"Type": "AWS::SNS::Topic"}}}
    aws.client("cloudformation").create_stack(StackName="sdoneksStack", TemplateBody=json.dumps(template))


def test_an_account_that_can_be_deployed_to_has_no_findings(account: Account) -> None:
    assert findings(account) == []


def test_a_stack_of_ours_is_updated(account: Account, aws: Aws) -> None:
    stack(aws, STACK_DESCRIPTION)
    assert findings(account) == []


def test_a_stack_of_another_project_is_refused_with_the_way_to_move(account: Account, aws: Aws) -> None:
    # Given a stack as the AWS guidance names it
    stack(aws, "")
    # When
    (found,) = findings(account)
    # Then
    assert found.startswith("error: the stack sdoneksStack in us-west-2 was not made by this project")
    assert "deploy/deploy.sh -n NAME" in found
    assert "docs/en/how-to/migrate.md" in found


@pytest.mark.parametrize(
    ("status", "fix"),
    [
        ("ROLLBACK_COMPLETE", "deploy/destroy.sh -n sdoneks -R us-west-2"),
        ("ROLLBACK_FAILED", "deploy/destroy.sh"),
        ("DELETE_FAILED", "deploy/destroy.sh"),
        ("DELETE_IN_PROGRESS", "Wait until it is gone"),
        ("UPDATE_ROLLBACK_FAILED", "aws cloudformation continue-update-rollback --stack-name sdoneksStack"),
    ],
)
def test_a_stack_that_cannot_be_updated_is_an_error(
    status: str, fix: str, account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a state that the embedded AWS never has
    described = {"StackStatus": status, "Description": STACK_DESCRIPTION}
    monkeypatch.setattr("utils.deploy.stack.find", lambda *_: described)
    # When
    (found,) = findings(account)
    # Then
    assert found.startswith("error: the stack sdoneksStack is")
    assert fix in found


@pytest.mark.parametrize("name", ["/aws/eks/sdoneksStack/cluster", "/aws/codebuild/sdoneks-images"])
def test_a_log_group_of_an_earlier_stack_is_named(name: str, account: Account, aws: Aws) -> None:
    # Given another stack's, too
    for one in (name, "/aws/eks/sdoneksStack/cluster2"):
        aws.client("logs").create_log_group(logGroupName=one)
    # When
    (found,) = findings(account)
    # Then
    assert f"warning: the log group {name} of an earlier stack is in the way" in found
    # And not when the stack is there, whose group it is
    stack(aws, STACK_DESCRIPTION)
    assert findings(account) == []


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"eks": {"version": "1.29"}}, "error: EKS does not offer Kubernetes 1.29 in us-west-2"),
        ({"eks": {"version": "1.31"}}, "error: Kubernetes 1.31 is no longer in standard support of EKS"),
        ({"eks": {"version": "1.36"}}, "warning: KEDA 2.20.2 is tested with Kubernetes up to 1.35"),
        (
            {"addOns": {"eksVersions": {"coredns": "v9"}}},
            "error: EKS has no version v9 of the add-on coredns for Kubernetes 1.35",
        ),
        ({"taskTimeout": 541}, "warning: taskTimeout: is 541, and the mount of the models ends 600 s after"),
        (
            {"clusterComponents": {"instanceType": "m99.large"}},
            "error: us-west-2 has no instances of type m99.large, which the controllers are to run on",
        ),
        ({"modelBucketArn": "arn:aws:s3:::none-such"}, "error: the bucket none-such does not exist"),
    ],
)
def test_a_config_that_the_region_cannot_run_is_named(changes: Mapping[str, Any], said: str, account: Account) -> None:
    (found,) = findings(account, raw_config(**changes))
    assert found.startswith(said)


def test_a_kubernetes_version_without_an_addon_is_an_error(account: Account, aws: Aws) -> None:
    aws.stand_ins.eks.addons["amazon-cloudwatch-observability"] = []
    assert findings(account)[0].startswith("error: EKS has no version of the add-on amazon-cloudwatch-observability")
    assert findings(account, raw_config(addOns={"observability": False})) == []


def test_instance_types_are_an_error_when_a_runtime_has_no_other(account: Account) -> None:
    # Given
    def types(*names: str) -> dict[str, Any]:
        return with_values({"karpenter": {"provisioner": {"instanceType": list(names)}}})

    # Then
    (none,) = findings(account, types("g99.xlarge", "g98.xlarge"))
    (some,) = findings(account, types("g5.xlarge", "g99.xlarge"))
    assert none.startswith("error: us-west-2 has no instances of type g99.xlarge, g98.xlarge, so sd could not run")
    assert some.startswith("warning: us-west-2 has no instances of type g99.xlarge; sd runs on its others only")


def test_a_gpu_quota_of_zero_is_named_with_the_command_that_raises_it(account: Account, aws: Aws) -> None:
    # Given a new account
    aws.stand_ins.quotas.values |= {"L-3819A6DF": 0, "L-DB2E81BA": 0}
    # When
    (found,) = findings(account)
    # Then
    assert found.startswith("warning: no GPU node can start")
    assert "0 vCPUs of spot and 0 vCPUs of on-demand" in found
    for code in ("L-3819A6DF", "L-DB2E81BA"):
        assert f"--service-code ec2 --quota-code {code} --desired-value 80" in found


@pytest.mark.parametrize(
    ("spot", "on_demand", "values", "said"),
    [
        (0, 768, {}, ["warning: the quota for spot G instances is 0 vCPUs"]),
        (16, 16, {}, ["warning: the account's quota for G instances (16 vCPUs of spot and 16 vCPUs of on-demand) "]),
        (16, 16, {"runtime": {"scaling": {"maxReplicaCount": 8}}}, []),
        (768, 0, {"karpenter": {"provisioner": {"capacityType": {"onDemand": False}}}}, []),
        (0, 768, {"karpenter": {"provisioner": {"capacityType": {"onDemand": False}}}}, ["warning: no GPU node can"]),
        (
            0,
            0,
            {"karpenter": {"provisioner": {"instanceType": ["p4d.24xlarge"]}}},
            ["warning: the quotas for p4d.24xlarge"],
        ),
    ],
)
def test_the_gpu_quota_is_held_against_the_config(  # noqa: PLR0917 (four of them are the table's)
    spot: float, on_demand: float, values: Mapping[str, Any], said: list[str], account: Account, aws: Aws
) -> None:
    # Given
    aws.stand_ins.quotas.values |= {"L-3819A6DF": spot, "L-DB2E81BA": on_demand}
    # When
    found = findings(account, with_values(values))
    # Then
    assert len(found) == len(said)
    for one, beginning in zip(found, said, strict=True):
        assert one.startswith(beginning)


def test_the_quota_that_is_zero_is_the_one_to_raise(account: Account, aws: Aws) -> None:
    aws.stand_ins.quotas.values["L-DB2E81BA"] = 0
    (found,) = findings(account)
    assert found.startswith("warning: the quota for on-demand G instances is 0 vCPUs")
    assert "--quota-code L-DB2E81BA" in found
    assert "L-3819A6DF" not in found


def test_a_network_too_many_is_named(account: Account, aws: Aws) -> None:
    # Given the default VPC, and four more
    ec2 = aws.client("ec2")
    for number in range(4):
        ec2.create_vpc(CidrBlock=f"10.{number}.0.0/16")
    aws.stand_ins.quotas.values["L-0263D0A3"] = 2
    # When
    vpcs, addresses = findings(account, raw_config(vpc={"natGateways": 3}))
    # Then
    assert vpcs.startswith("warning: us-west-2 has 5 of the 5 VPCs")
    assert addresses.startswith("warning: us-west-2 has 0 of the 2 public addresses")
    assert "--service-code vpc --quota-code L-F678F1CE --desired-value 6" in vpcs


def test_what_the_config_takes_over_from_the_guidance_is_named(account: Account) -> None:
    runtime = {"name": "flow", "namespace": "flow", "type": "ComfyUI", "modelFilename": MODEL}
    found = findings(account, raw_config(modelsRuntime=[runtime]))
    assert [one.partition(": is ")[0].partition(": has ")[0] for one in found] == [
        "warning: modelsRuntime[0].type",
        "warning: modelsRuntime[0].modelFilename",
    ]


def test_a_question_that_aws_refuses_is_a_warning_and_stops_no_other(account: Account, aws: Aws) -> None:
    # Given
    aws.stand_ins.quotas.refused = True
    # When
    found = findings(account, raw_config(taskTimeout=900))
    # Then
    assert [one for one in found if one.startswith("warning: GPU quotas could not be checked: ")]
    assert found[-1].startswith("warning: taskTimeout: is 900, ")


def test_all_findings_are_printed_errors_first_and_only_errors_stop(
    account: Account, capsys: pytest.CaptureFixture[str]
) -> None:
    # Given
    raw = raw_config(taskTimeout=900, modelBucketArn="arn:aws:s3:::none-such", eks={"version": "1.29"})
    config = parse_config(raw)
    found = preflight.inspect(Subject(account=account, config=config))
    # When
    preflight.show(found)
    # Then
    printed = capsys.readouterr().out
    assert (
        printed.index("EKS does not offer") < printed.index("none-such does not exist") < printed.index("taskTimeout")
    )
    with pytest.raises(DeployError, match="2 errors above must be fixed first; nothing was made"):
        preflight.stop_on_errors(found)
    preflight.stop_on_errors([one for one in found if one.level is Level.WARNING])
