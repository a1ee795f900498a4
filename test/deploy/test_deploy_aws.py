"""deploy.sh against an embedded AWS, with a cdk that keeps a list of its calls."""

import os
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from infra.images import image_build
from test.support.aws import ACCOUNT, REGION, REGISTRY, Aws
from test.support.clone import LIMIT, fake, run
from test.support.ready import BOOTSTRAP, BUCKET, OUTPUTS
from utils.deploy.images import agent_tag
from utils.deploy.models import SD_1_5

from .conftest import deploy, snapshots, written


def test_one_command_prepares_deploys_and_says_what_to_do_next(installed: Path, bin_: Path, account: Aws) -> None:
    # Given
    cdk = fake(bin_, "cdk", 'echo "$CDK_CONFIG_PATH $AWS_REGION" >>"$0.env"')
    # When
    ended = deploy(installed, bin_, account)
    # Then
    assert ended.returncode == 0, ended.stdout
    assert cdk.read_text() == "deploy --no-rollback --require-approval never sdoneksStack\n"
    assert (bin_ / "cdk.env").read_text() == f"{installed}/config.yaml {REGION}\n"
    assert snapshots(account) == []
    runtime = {
        "name": "sdruntime",
        "namespace": "default",
        "type": "sdwebui",
        "modelFilename": "v1-5-pruned-emaonly.safetensors",
        "dynamicModel": False,
    }
    assert written(installed)["modelBucketArn"] == f"arn:aws:s3:::{BUCKET}"
    assert written(installed)["modelsRuntime"] == [runtime]
    for value in OUTPUTS.values():
        assert value in ended.stdout
    assert (
        'curl -sS https://abc.execute-api.us-west-2.amazonaws.com/dev/v1alpha2 -H "x-api-key: $API_KEY"' in ended.stdout
    )


def test_the_scripts_code_is_run_wherever_they_are_called_from(
    installed: Path, bin_: Path, account: Aws, tmp_path: Path
) -> None:
    # Given a folder with other code under the same name
    elsewhere = tmp_path / "elsewhere"
    (elsewhere / "utils" / "deploy").mkdir(parents=True)
    (elsewhere / "utils" / "deploy" / "__main__.py").write_text("print('not ours')")
    fake(bin_, "cdk")
    # When
    ended = run(installed, bin_, "-T", cwd=elsewhere, environment=account.environment)
    # Then
    assert ended.returncode == 0, ended.stdout
    assert "not ours" not in ended.stdout


def test_a_second_run_makes_nothing_twice(installed: Path, bin_: Path, account: Aws) -> None:
    # Given a deployment that failed
    fake(bin_, "cdk", "exit 1")
    failed = deploy(installed, bin_, account)
    config = (installed / "config.yaml").read_text()
    # When
    fake(bin_, "cdk")
    ended = deploy(installed, bin_, account)
    # Then
    assert failed.returncode == 1
    assert "error: cdk deploy failed with exit code 1" in failed.stdout
    assert "continues from there" in failed.stdout
    assert ended.returncode == 0, ended.stdout
    assert (installed / "config.yaml").read_text() == config


def test_a_region_is_prepared_for_the_cdk_once(installed: Path, bin_: Path, account: Aws) -> None:
    # Given
    del account.ssm.parameters[BOOTSTRAP]
    cdk = fake(bin_, "cdk")
    # When
    ended = deploy(installed, bin_, account, "--no-snapshot")
    # Then
    assert ended.returncode == 0, ended.stdout
    assert cdk.read_text().splitlines()[0] == f"bootstrap aws://{ACCOUNT}/{REGION}"


def test_the_role_for_spot_is_made_where_it_is_missing(installed: Path, bin_: Path, account: Aws) -> None:
    # Given
    fake(bin_, "cdk")
    options = ["--no-snapshot", "-b", BUCKET]
    # When
    before = spot_roles(account)
    first, second = (deploy(installed, bin_, account, *options) for _ in range(2))
    # Then
    assert [one.returncode for one in (first, second)] == [0, 0], first.stdout
    assert before == []
    assert "made AWSServiceRoleForEC2Spot" in first.stdout
    assert len(spot_roles(account)) == 1
    assert "AWSServiceRoleForEC2Spot" not in second.stdout


def test_a_role_for_spot_that_is_refused_is_only_warned_of(installed: Path, bin_: Path, account: Aws) -> None:
    # Given a name that is taken; the embedded AWS leaves out EC2 in it
    account.client("iam").create_role(RoleName="AWSServiceRoleForspot", AssumeRolePolicyDocument="{}")
    cdk = fake(bin_, "cdk")
    # When
    ended = deploy(installed, bin_, account, "--no-snapshot")
    # Then
    assert ended.returncode == 0, ended.stdout
    assert "warning: the role AWSServiceRoleForEC2Spot cannot be looked up or made" in ended.stdout
    assert "aws iam create-service-linked-role --aws-service-name spot.amazonaws.com" in ended.stdout
    assert cdk.exists()


def test_docker_builds_what_is_missing_when_it_is_preferred(installed: Path, bin_: Path, account: Aws) -> None:
    # Given
    fake(bin_, "cdk")
    docker = fake(bin_, "docker")
    options = ["--docker", "-i", "example.com/webui:1"]
    # When
    alone, agreed = deploy(installed, bin_, account, *options), deploy(installed, bin_, account, *options, "-y")
    # Then
    image = f"{REGISTRY}/sd-on-eks/queue-agent:{agent_tag()}"
    assert alone.returncode == 1
    assert f"{image} is not in ECR. Build it with Docker now?" in alone.stdout
    assert agreed.returncode == 0, agreed.stdout
    assert f"--tag {image} --push" in docker.read_text()
    assert written(installed)["images"] == {"build": False}
    assert account.stand_ins.codebuild.started == []


@pytest.mark.parametrize(
    ("words", "environment", "said", "fix"),
    [
        ([], {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}, "there are no AWS credentials", "aws configure"),
        ([], {"AWS_DEFAULT_REGION": ""}, "no AWS region is set", "-R"),
        (["-R", "moon-1"], {}, "'moon-1' is not an AWS region", "us-west-2"),
        (["-b", "none-such"], {}, "the bucket none-such does not exist", "aws s3 mb s3://none-such --region us-west-2"),
        (["-s", "snap-00000000000000000"], {}, "the snapshot snap-00000000000000000 is missing", "leave it out"),
        (["-t", "flux"], {}, "invalid runtime type value: 'flux'", "usage: deploy.sh"),
        ([], {"ALLOW_AWS_ENDPOINT_URL": ""}, "AWS_ENDPOINT_URL is set to http", "unset AWS_ENDPOINT_URL"),
        (["--docker"], {}, "is not in ECR, and Docker is not on PATH", "Leave out --docker"),
        (["-n", "under_score"], {}, "stackName: must be a letter", "deploy/deploy.sh --help"),
        (["-R", "cn-north-1"], {}, "the model hub is not reached from China", "deploy/upload-model.sh -b BUCKET --url"),
        (["-s", "a", "--no-snapshot"], {}, "not allowed with argument", "usage: deploy.sh"),
        (["--no-snapshot"], {}, "cdk is not on PATH", "npm install -g aws-cdk"),
        (["stray"], {}, "unrecognized arguments: stray", "usage: deploy.sh"),
    ],
)
def test_what_is_missing_is_named_with_the_way_to_fix_it(  # noqa: PLR0917 (four of them are the table's)
    words: list[str], environment: Mapping[str, str], said: str, fix: str, installed: Path, bin_: Path, account: Aws
) -> None:
    # When
    ended = deploy(installed, bin_, account, *words, **environment)
    # Then
    assert ended.returncode in {1, 2}
    assert said in ended.stdout
    assert fix in ended.stdout
    assert snapshots(account) == []
    assert "Traceback" not in ended.stdout


def test_a_hub_that_cannot_be_reached_is_named(installed: Path, bin_: Path, account: Aws) -> None:
    # Given
    account.client("s3").delete_object(Bucket=BUCKET, Key=SD_1_5.key)
    # When
    ended = deploy(installed, bin_, account, HTTPS_PROXY="http://127.0.0.1:9", NO_PROXY="127.0.0.1")
    # Then
    assert ended.returncode == 1
    assert "huggingface.co" in ended.stdout
    assert "deploy/upload-model.sh -b BUCKET --url" in ended.stdout


def test_a_failed_snapshot_leaves_nothing_behind(installed: Path, bin_: Path, account: Aws) -> None:
    # Given
    account.ssm.broken = "queue-agent"
    fake(bin_, "cdk")
    # When
    ended = deploy(installed, bin_, account, "--image-cache")
    # Then
    assert ended.returncode == 1
    assert f"{REGISTRY}/{image_build('sdoneks', 'queue-agent').reference} cannot be pulled" in ended.stdout
    assert "snapshotID" not in (installed / "config.yaml").read_text()
    assert snapshots(account) == []
    assert states(account) <= {"terminated"}
    assert [one["RoleName"] for one in account.client("iam").list_roles(PathPrefix="/")["Roles"]] == [
        "AWSServiceRoleForspot"
    ]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_cleans_up_and_says_how_to_go_on(
    number: signal.Signals, installed: Path, bin_: Path, account: Aws
) -> None:
    # Given a snapshot that waits for its instance
    account.ssm.online = False
    fake(bin_, "cdk")
    process = subprocess.Popen(
        [str(installed / "deploy" / "deploy.sh"), "-T", "--image-cache"],
        env={**account.environment, "PATH": str(bin_), "HOME": str(installed)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    for line in process.stdout:
        if "starts" in line:
            break
    # When
    os.killpg(process.pid, number)
    printed, _ = process.communicate(timeout=LIMIT)
    # Then
    assert process.returncode == 130, printed
    assert "stopped. Run the same command again; it continues from here." in printed
    assert states(account) <= {"terminated"}
    assert account.client("iam").list_instance_profiles()["InstanceProfiles"] == []


def test_without_the_packages_it_says_how_to_install_them(clone: Path, bin_: Path, aws: Aws) -> None:
    ended = deploy(clone, bin_, aws)
    assert ended.returncode == 1
    assert "deploy/install-tools.sh" in ended.stdout


def spot_roles(aws: Aws) -> list[str]:
    roles = aws.client("iam").list_roles(PathPrefix="/aws-service-role/spot.amazonaws.com/")["Roles"]
    return [one["Arn"] for one in roles]


def states(aws: Aws) -> set[str]:
    reservations = aws.client("ec2").describe_instances()["Reservations"]
    return {one["State"]["Name"] for reservation in reservations for one in reservation["Instances"]}
