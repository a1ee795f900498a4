"""deploy.sh and config.yaml: written from the options, deployed as it is when edited, replaced after a question."""

from pathlib import Path

import pytest

from test.support.aws import REGION, Aws
from test.support.clone import fake
from test.support.ready import BUCKET
from utils.deploy.model_folders import FOLDERS
from utils.deploy.models import SD_1_5

from .conftest import deploy, snapshots, written

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
