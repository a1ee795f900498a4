"""deploy.sh against an embedded AWS, with a cdk that keeps a list of its calls."""

import os
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest
import yaml

from test.support.aws import ACCOUNT, REGION, REGISTRY, Aws
from test.support.clone import LIMIT, fake, run
from test.support.ready import BOOTSTRAP, BUCKET, OUTPUTS
from utils.deploy.images import agent_tag
from utils.deploy.models import SD_1_5


def deploy(clone: Path, bin_: Path, aws: Aws, *words: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    return run(clone, bin_, "-T", *words, environment={**aws.environment, **environment})


def written(clone: Path) -> dict[str, object]:
    return dict(yaml.safe_load((clone / "config.yaml").read_text()))


def snapshots(aws: Aws) -> list[str]:
    told = aws.client("ec2").describe_snapshots(Filters=[{"Name": "tag:Name", "Values": ["sd-on-eks-image-cache"]}])
    return [one["SnapshotId"] for one in told["Snapshots"]]


def test_one_command_prepares_deploys_and_says_what_to_do_next(installed: Path, bin_: Path, account: Aws) -> None:
    # Given
    cdk = fake(bin_, "cdk", 'echo "$CDK_CONFIG_PATH $AWS_REGION" >>"$0.env"')
    # When
    ended = deploy(installed, bin_, account)
    # Then
    assert ended.returncode == 0, ended.stdout
    assert cdk.read_text() == "deploy --no-rollback --require-approval never sdoneksStack\n"
    assert (bin_ / "cdk.env").read_text() == f"{installed}/config.yaml {REGION}\n"
    (snapshot,) = snapshots(account)
    runtime = {
        "name": "sdruntime",
        "namespace": "default",
        "type": "sdwebui",
        "modelFilename": "v1-5-pruned-emaonly.safetensors",
        "dynamicModel": False,
        "extraValues": {"karpenter": {"nodeTemplate": {"dataVolume": {"snapshotID": snapshot}}}},
    }
    assert written(installed)["modelBucketArn"] == f"arn:aws:s3:::{BUCKET}"
    assert written(installed)["modelsRuntime"] == [runtime]
    for value in OUTPUTS.values():
        assert value in ended.stdout
    assert (
        'curl -sS https://abc.execute-api.us-west-2.amazonaws.com/dev/v1alpha2 -H "x-api-key: $API_KEY"' in ended.stdout
    )
    pulled = [command.split()[-1] for command in account.ssm.commands]
    assert pulled == [f"{REGISTRY}/sd-on-eks/sdwebui:latest", f"{REGISTRY}/sd-on-eks/queue-agent:{agent_tag()}"]


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
    assert "goes on from there" in failed.stdout
    assert ended.returncode == 0, ended.stdout
    assert len(snapshots(account)) == 1
    assert (installed / "config.yaml").read_text() == config


def test_a_dry_run_prepares_and_does_not_deploy(installed: Path, bin_: Path, account: Aws) -> None:
    # Given a bucket and a snapshot of the user's, in China, where nothing else is
    cn = "cn-northwest-1"
    account.client("s3", cn).create_bucket(Bucket="my-models", CreateBucketConfiguration={"LocationConstraint": cn})
    ec2 = account.client("ec2", cn)
    volume = ec2.create_volume(AvailabilityZone=f"{cn}a", Size=5)["VolumeId"]
    snapshot = ec2.create_snapshot(VolumeId=volume)["SnapshotId"]
    cdk = fake(bin_, "cdk")
    # When
    ended = deploy(installed, bin_, account, "-b", "my-models", "-s", snapshot, "-d", "-R", cn)
    # Then
    assert ended.returncode == 0, ended.stdout
    assert not cdk.exists()
    assert written(installed)["modelBucketArn"] == "arn:aws-cn:s3:::my-models"
    assert snapshot in (installed / "config.yaml").read_text()
    assert f"{ACCOUNT}.dkr.ecr.{cn}.amazonaws.com.cn/sd-on-eks/sdwebui:latest is not in ECR yet" in ended.stdout
    assert "aws s3 cp v1-5-pruned-emaonly.safetensors s3://my-models/Stable-diffusion/" in ended.stdout


def test_every_option_reaches_the_config(installed: Path, bin_: Path, account: Aws) -> None:
    # When
    options = ["-n", "mine", "-r", "flow", "-t", "comfyui", "-i", "example.com/comfy:2", "--no-snapshot", "-d"]
    ended = deploy(installed, bin_, account, *options, "-b", BUCKET)
    # Then
    assert ended.returncode == 0, ended.stdout
    config = written(installed)
    image = {"repository": "example.com/comfy", "tag": 2}
    assert config["stackName"] == "mine"
    assert config["modelsRuntime"] == [
        {
            "name": "flow",
            "namespace": "default",
            "type": "comfyui",
            "extraValues": {"runtime": {"inferenceApi": {"image": {**image, "tag": "2"}}}},
        }
    ]


def test_a_config_that_was_written_is_deployed_by_a_run_without_options(
    installed: Path, bin_: Path, account: Aws
) -> None:
    # Given
    options = ["-n", "mine", "-r", "flow", "-t", "comfyui", "-i", "example.com/comfy:2", "--no-snapshot", "-b", BUCKET]
    assert deploy(installed, bin_, account, *options, "-d").returncode == 0
    config = (installed / "config.yaml").read_text()
    cdk = fake(bin_, "cdk")
    # When
    plain, same = deploy(installed, bin_, account), deploy(installed, bin_, account, *options)
    # Then
    for ended in (plain, same):
        assert "config.yaml is there, and is used as it is" in ended.stdout
        assert "there is no stack mineStack" in ended.stdout
    assert cdk.read_text().splitlines() == ["deploy --no-rollback --require-approval never mineStack"] * 2
    assert (installed / "config.yaml").read_text() == config
    assert not list(installed.glob("*.bak"))


@pytest.mark.parametrize(
    ("words", "differs"),
    [
        (["-n", "sdoneks", "-t", "sdwebui", "-r", "sdruntime"], "-n, -r, -t"),
        (["-b", "other", "--no-snapshot"], "-b"),
        (["-s", "snap-1", "-i", "example.com/comfy"], "-s, -i"),
    ],
)
def test_options_that_say_otherwise_are_asked_about(
    words: list[str], differs: str, installed: Path, bin_: Path, account: Aws
) -> None:
    # Given
    options = ["-n", "mine", "-r", "flow", "-t", "comfyui", "-i", "example.com/comfy:2", "--no-snapshot", "-b", BUCKET]
    assert deploy(installed, bin_, account, *options, "-d").returncode == 0
    config = (installed / "config.yaml").read_text()
    # When
    ended = deploy(installed, bin_, account, *words)
    # Then
    assert ended.returncode == 1
    assert f"is there, and says otherwise than {differs}. Written anew" in ended.stdout
    assert "sdoneks with one runtime, sdruntime of type sdwebui, all else by default" in ended.stdout
    assert (installed / "config.yaml").read_text() == config


def test_what_a_config_names_must_be_there(installed: Path, bin_: Path, account: Aws) -> None:
    # Given
    fake(bin_, "cdk")
    path = installed / "config.yaml"
    assert deploy(installed, bin_, account).returncode == 0
    (snapshot,) = snapshots(account)
    account.client("ec2").delete_snapshot(SnapshotId=snapshot)
    # When
    without_snapshot = deploy(installed, bin_, account)
    path.write_text(path.read_text().replace(BUCKET, "none-such"))
    without_bucket = deploy(installed, bin_, account)
    # Then
    assert without_snapshot.returncode == without_bucket.returncode == 1
    assert f"the snapshot {snapshot} is missing" in without_snapshot.stdout
    assert "the bucket none-such does not exist" in without_bucket.stdout
    for ended in (without_snapshot, without_bucket):
        assert "Or move config.yaml away, and the next run prepares all anew." in ended.stdout


def test_a_config_that_was_edited_is_deployed_as_it_is(installed: Path, bin_: Path, account: Aws) -> None:
    # Given
    path = installed / "config.yaml"
    edited = path.read_text().replace("your-model-bucket", BUCKET).replace("rateLimit: 30", "rateLimit: 7")
    path.write_text(edited)
    cdk = fake(bin_, "cdk")
    # When
    ended = deploy(installed, bin_, account)
    # Then
    assert ended.returncode == 0, ended.stdout
    assert path.read_text() == edited
    assert cdk.exists()
    assert snapshots(account) == []


def test_options_replace_an_edited_config_only_after_a_question(installed: Path, bin_: Path, account: Aws) -> None:
    # Given
    path = installed / "config.yaml"
    edited = path.read_text() + "taskTimeout: 60\n"
    path.write_text(edited)
    options = ["-n", "mine", "--no-snapshot", "-d", "-b", BUCKET]
    # When
    alone = deploy(installed, bin_, account, *options)
    untouched = path.read_text()
    agreed = deploy(installed, bin_, account, *options, "-y")
    # Then
    assert alone.returncode == 1
    assert "is there, and says otherwise than -n, -b. Written anew" in alone.stdout
    assert untouched == edited
    assert agreed.returncode == 0, agreed.stdout
    assert written(installed)["stackName"] == "mine"
    (kept,) = installed.glob("config.yaml.*.bak")
    assert kept.read_text() == edited


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
    tried = deploy(installed, bin_, account, *options, "-d")
    before = spot_roles(account)
    first, second = (deploy(installed, bin_, account, *options) for _ in range(2))
    # Then
    assert [one.returncode for one in (tried, first, second)] == [0, 0, 0], tried.stdout
    assert "no role AWSServiceRoleForEC2Spot, which Spot instances need; a deployment would make it" in tried.stdout
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


def test_an_image_of_the_agent_that_is_missing_is_built_when_agreed(installed: Path, bin_: Path, account: Aws) -> None:
    # Given
    account.client("ecr").delete_repository(repositoryName="sd-on-eks/queue-agent", force=True)
    fake(bin_, "cdk")
    docker = fake(bin_, "docker", "exit 1")
    # When
    alone, agreed = deploy(installed, bin_, account), deploy(installed, bin_, account, "-y")
    # Then
    assert f"{REGISTRY}/sd-on-eks/queue-agent:{agent_tag()} is not in ECR. Build it now" in alone.stdout
    assert "deploy/build-and-push.sh -R us-west-2" in agreed.stdout
    assert alone.returncode == agreed.returncode == 1
    assert docker.exists()


@pytest.mark.parametrize(
    ("words", "environment", "said", "fix"),
    [
        ([], {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}, "there are no AWS credentials", "aws configure"),
        ([], {"AWS_DEFAULT_REGION": ""}, "no AWS region is set", "-R"),
        (["-R", "moon-1"], {}, "'moon-1' is not an AWS region", "us-west-2"),
        (["-b", "none-such"], {}, "the bucket none-such does not exist", "aws s3 mb s3://none-such --region us-west-2"),
        (["-s", "snap-00000000000000000"], {}, "the snapshot snap-00000000000000000 is missing", "--no-snapshot"),
        (["-t", "comfyui"], {}, "sd-on-eks/comfyui:latest is not in ECR", "-i REPOSITORY:TAG"),
        (["-n", "under_score"], {}, "stackName: must be a letter", "deploy/deploy.sh --help"),
        (
            ["-R", "cn-north-1", "-i", "x.cn/y", "--no-snapshot"],
            {},
            "is not in ECR, and Docker is not on PATH",
            "Docker",
        ),
        (["-s", "a", "--no-snapshot"], {}, "not allowed with argument", "usage: deploy.sh"),
        (["--no-snapshot"], {}, "cdk is not on PATH", "npm install -g aws-cdk"),
        (["stray"], {}, "unrecognized arguments: stray", "usage: deploy.sh"),
    ],
)
def test_what_is_missing_is_said_with_the_way_to_mend_it(  # noqa: PLR0917 (four of them are the table's)
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
    before = (installed / "config.yaml").read_text()
    # When
    ended = deploy(installed, bin_, account)
    # Then
    assert ended.returncode == 1
    assert "queue-agent:0.1.0 cannot be pulled" in ended.stdout
    assert (installed / "config.yaml").read_text() == before
    assert snapshots(account) == []
    assert states(account) <= {"terminated"}
    assert account.client("iam").list_roles()["Roles"] == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_cleans_up_and_says_how_to_go_on(
    number: signal.Signals, installed: Path, bin_: Path, account: Aws
) -> None:
    # Given a snapshot that waits for its instance
    account.ssm.online = False
    process = subprocess.Popen(
        [str(installed / "deploy" / "deploy.sh"), "-T"],
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
    assert "stopped. Run the same command again; it goes on from here." in printed
    assert states(account) <= {"terminated"}
    assert account.client("iam").list_instance_profiles()["InstanceProfiles"] == []


def test_without_the_packages_it_says_how_to_install_them(clone: Path, bin_: Path, aws: Aws) -> None:
    ended = deploy(clone, bin_, aws)
    assert ended.returncode == 1
    assert "deploy/install-tools.sh" in ended.stdout


def spot_roles(aws: Aws) -> list[str]:
    told = aws.client("iam").list_roles(PathPrefix="/aws-service-role/spot.amazonaws.com/")["Roles"]
    return [one["Arn"] for one in told]


def states(aws: Aws) -> set[str]:
    told = aws.client("ec2").describe_instances()["Reservations"]
    return {one["State"]["Name"] for reservation in told for one in reservation["Instances"]}
