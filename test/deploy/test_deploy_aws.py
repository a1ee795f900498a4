"""deploy.sh against an embedded AWS, with a cdk that keeps a list of its calls."""

import os
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest
import yaml

from infra.images import image_build
from test.support.aws import ACCOUNT, REGION, REGISTRY, Aws
from test.support.clone import LIMIT, fake, run
from test.support.ready import BOOTSTRAP, BUCKET, OUTPUTS
from utils.deploy.images import agent_tag
from utils.deploy.model_folders import FOLDERS
from utils.deploy.models import SD_1_5


def deploy(clone: Path, bin_: Path, aws: Aws, *words: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    return run(clone, bin_, "-T", "--poll", "0.1", *words, environment={**aws.environment, **environment})


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


OPTIONS = ["-n", "mine", "-r", "flow", "-t", "ComfyUI", "-i", "example.com/comfy:2", "--no-snapshot", "-b", BUCKET]
"""Each in use. The type is in mixed case, as users of the AWS guidance may have it."""


def written_by_options(clone: Path, bin_: Path, aws: Aws) -> str:
    """The config.yaml of a run with OPTIONS, whose stack is not deployed."""
    fake(bin_, "cdk", "exit 1")
    assert "cdk deploy failed" in deploy(clone, bin_, aws, *OPTIONS).stdout
    return (clone / "config.yaml").read_text()


def test_every_option_reaches_the_config(installed: Path, bin_: Path, account: Aws) -> None:
    # When
    written_by_options(installed, bin_, account)
    # Then
    config = written(installed)
    assert config["stackName"] == "mine"
    assert config["modelsRuntime"] == [
        {
            "name": "flow",
            "namespace": "default",
            "type": "comfyui",
            "extraValues": {"runtime": {"inferenceApi": {"image": {"repository": "example.com/comfy", "tag": "2"}}}},
        }
    ]
    assert config["modelBucketArn"] == f"arn:aws:s3:::{BUCKET}"


def test_a_config_that_was_written_is_deployed_by_a_run_without_options(
    installed: Path, bin_: Path, account: Aws
) -> None:
    # Given
    config = written_by_options(installed, bin_, account)
    # When
    plain, same = deploy(installed, bin_, account), deploy(installed, bin_, account, *OPTIONS)
    # Then
    for ended in (plain, same):
        assert "config.yaml is used as it is" in ended.stdout
    calls = (bin_ / "cdk.calls").read_text().splitlines()
    assert calls == ["deploy --no-rollback --require-approval never mineStack"] * 3
    assert (installed / "config.yaml").read_text() == config
    assert not list(installed.glob("*.bak"))


@pytest.mark.parametrize(
    ("words", "differs"),
    [
        (["-n", "sdoneks", "-t", "sdwebui", "-r", "sdruntime"], "-n, -r, -t"),
        (["-b", "other", "--docker"], "-b, --docker"),
        (["-s", "snap-1", "-i", "example.com/comfy"], "-s, -i"),
    ],
)
def test_options_that_differ_are_asked_about(
    words: list[str], differs: str, installed: Path, bin_: Path, account: Aws
) -> None:
    # Given
    config = written_by_options(installed, bin_, account)
    # When
    ended = deploy(installed, bin_, account, *words)
    # Then
    assert ended.returncode == 1
    assert f"exists, and differs from {differs}. Replaced by one from this run's options" in ended.stdout
    assert "sdoneks with one runtime, sdruntime of type sdwebui, all else by default" in ended.stdout
    assert (installed / "config.yaml").read_text() == config


def test_everything_that_a_config_names_and_is_missing_is_named_at_once(
    installed: Path, bin_: Path, account: Aws
) -> None:
    # Given
    cdk = fake(bin_, "cdk")
    path = installed / "config.yaml"
    values = "  extraValues: {karpenter: {nodeTemplate: {dataVolume: {snapshotID: snap-1}}}}\n"
    path.write_text(path.read_text().replace("your-model-bucket", "none-such") + values)
    # When
    ended = deploy(installed, bin_, account)
    # Then
    assert ended.returncode == 1
    assert "error: the bucket none-such does not exist" in ended.stdout
    assert "error: the snapshot snap-1 is missing in us-west-2" in ended.stdout
    assert "2 errors above must be fixed first; nothing was made in the account" in ended.stdout
    assert not cdk.exists()


def test_folders_are_made_in_a_bucket_of_the_users_after_a_question(installed: Path, bin_: Path, account: Aws) -> None:
    # Given a bucket with a model, and nothing else
    fake(bin_, "cdk")
    s3 = account.client("s3")
    s3.create_bucket(Bucket="my-models", CreateBucketConfiguration={"LocationConstraint": REGION})
    s3.put_object(Bucket="my-models", Key=SD_1_5.key, Body=b"")
    # When
    alone = deploy(installed, bin_, account, "-b", "my-models")
    before = s3.list_objects_v2(Bucket="my-models")["KeyCount"]
    agreed = deploy(installed, bin_, account, "-b", "my-models", "-y")
    # Then
    assert alone.returncode == 1
    assert "Put an empty .keep object into 14 folders of s3://my-models?" in alone.stdout
    assert before == 1
    assert agreed.returncode == 0, agreed.stdout
    keys = {one["Key"] for one in s3.list_objects_v2(Bucket="my-models")["Contents"]}
    assert keys == {SD_1_5.key, *(f"{folder}/.keep" for folder in FOLDERS if folder != "Stable-diffusion")}


def test_the_old_switch_for_snapshots_is_accepted_with_a_hint(installed: Path, bin_: Path, account: Aws) -> None:
    # Given
    fake(bin_, "cdk")
    # When
    ended = deploy(installed, bin_, account, "-S")
    # Then
    assert ended.returncode == 0, ended.stdout
    assert "warning: -S is not needed: no snapshot is made unless --image-cache asks for one" in ended.stdout


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
    fake(bin_, "cdk", "exit 1")
    options = ["-n", "mine", "-i", "example.com/webui", "-b", BUCKET]
    # When
    alone = deploy(installed, bin_, account, *options)
    untouched = path.read_text()
    agreed = deploy(installed, bin_, account, *options, "-y")
    # Then
    assert alone.returncode == 1
    assert "exists, and differs from -n, -b, -i. Replaced" in alone.stdout
    assert untouched == edited
    assert "cdk deploy failed" in agreed.stdout
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
    told = aws.client("iam").list_roles(PathPrefix="/aws-service-role/spot.amazonaws.com/")["Roles"]
    return [one["Arn"] for one in told]


def states(aws: Aws) -> set[str]:
    told = aws.client("ec2").describe_instances()["Reservations"]
    return {one["State"]["Name"] for reservation in told for one in reservation["Instances"]}
