"""destroy.sh and update.sh against an embedded AWS."""

import json
from pathlib import Path

import pytest

from test.support.aws import REGION, Aws
from test.support.clone import fake, run
from test.support.ready import BUCKET, OUTPUTS


def destroy(clone: Path, bin_: Path, aws: Aws, *words: str) -> tuple[int, str]:
    ended = run(clone, bin_, "--poll", "0.1", *words, script="deploy/destroy.sh", environment=aws.environment)
    return ended.returncode, ended.stdout


def update(clone: Path, bin_: Path, aws: Aws, *words: str) -> tuple[int, str]:
    ended = run(clone, bin_, "-T", *words, script="deploy/update.sh", environment=aws.environment)
    return ended.returncode, ended.stdout


def stacks(aws: Aws) -> list[str]:
    return [one["StackName"] for one in aws.client("cloudformation").describe_stacks()["Stacks"]]


def test_a_stack_is_removed_and_what_stays_is_named(installed: Path, bin_: Path, account: Aws) -> None:
    # Given a queue with a task, which the person agrees to lose
    queue = account.client("sqs").create_queue(QueueName="sdoneks_sdruntime")["QueueUrl"]
    account.client("sqs").send_message(QueueUrl=queue, MessageBody="a task")
    # When
    code, printed = destroy(installed, bin_, account, "-y")
    # Then
    assert code == 0, printed
    assert stacks(account) == []
    assert "sdoneks_sdruntime holds 1 tasks, which would be lost" in printed
    assert "aws s3 rb --force s3://pictures" in printed
    assert f"aws s3 rb --force s3://{BUCKET}" in printed
    assert account.client("s3").head_bucket(Bucket=BUCKET)["BucketRegion"] == REGION


def test_logs_and_a_role_that_outlive_the_stack_are_named(installed: Path, bin_: Path, aws: Aws) -> None:
    # Given
    role = {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": {}}}
    template = {
        "Resources": {"Ours": role, "Logging": role | {"DeletionPolicy": "Retain"}},
        "Outputs": {"FrontApiEndpoint": {"Value": OUTPUTS["FrontApiEndpoint"]}},
    }
    aws.client("cloudformation").create_stack(StackName="mineStack", TemplateBody=json.dumps(template))
    stay = [
        "/aws/containerinsights/mineStack/prometheus",
        "/aws/lambda/mineStack-Drain",
        "API-Gateway-Execution-Logs_abc/dev",
    ]
    again = [
        "/aws/eks/mineStack/cluster",
        "/aws/containerinsights/mineStack/application",
        "/aws/lambda/mineStack-kubectl",
    ]
    others = ["/aws/containerinsights/mineStack2/application", "/aws/eks/mineStack2/cluster"]
    for name in [*stay, *again, *others]:
        aws.client("logs").create_log_group(logGroupName=name)
    # When
    code, printed = destroy(installed, bin_, aws, "-n", "mine", "-y")
    # Then
    assert code == 0, printed
    (kept,) = aws.client("iam").list_roles()["Roles"]
    assert f"  role       {kept['RoleName']}, at no charge" in printed
    named = [line for line in printed.splitlines() if line.startswith("  logs")]
    assert named == [
        f"  logs       aws logs delete-log-group --region {REGION} --log-group-name {name}" for name in stay
    ]
    # And what AWS made again, under the names of the next stack, is deleted
    left = [one["logGroupName"] for one in aws.client("logs").describe_log_groups()["logGroups"]]
    assert sorted(left) == sorted([*stay, *others])


def test_without_an_answer_nothing_is_removed(installed: Path, bin_: Path, account: Aws) -> None:
    code, printed = destroy(installed, bin_, account)
    assert code == 1
    assert "Delete sdoneksStack?" in printed
    assert stacks(account) == ["sdoneksStack"]


def test_a_stack_that_is_gone_is_fine(installed: Path, bin_: Path, aws: Aws) -> None:
    code, printed = destroy(installed, bin_, aws, "-n", "other")
    assert code == 0
    assert "There is no stack otherStack in us-west-2; nothing to delete." in printed


def test_an_update_shows_the_changes_and_deploys_them(installed: Path, bin_: Path, account: Aws) -> None:
    # Given
    cdk = fake(bin_, "cdk")
    path = installed / "config.yaml"
    path.write_text(path.read_text().replace("your-model-bucket", BUCKET))
    # When
    asked, (code, printed) = update(installed, bin_, account), update(installed, bin_, account, "-y")
    # Then
    deployed = "deploy --no-rollback --require-approval never sdoneksStack"
    assert asked[0] == 1
    assert "Deploy these changes?" in asked[1]
    assert code == 0, printed
    assert cdk.read_text().splitlines() == ["diff sdoneksStack", "diff sdoneksStack", deployed]
    assert OUTPUTS["FrontApiEndpoint"] in printed


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ("stackName: other", "there is no stack otherStack in us-west-2"),
        ("stackNam: typo", "did you mean stackName?"),
        ("modelBucketArn: arn:aws-cn:s3:::models", "is of the partition aws-cn, and us-west-2 of aws"),
    ],
)
def test_an_update_of_what_is_not_there_is_refused(
    config: str, said: str, installed: Path, bin_: Path, aws: Aws
) -> None:
    # Given
    key = config.partition(":")[0]
    path = installed / "config.yaml"
    lines = [line for line in path.read_text().splitlines() if not line.startswith(f"{key}:")]
    path.write_text("\n".join([*lines, config]))
    # When
    code, printed = update(installed, bin_, aws, "-y")
    # Then
    assert code == 1
    assert said in printed
