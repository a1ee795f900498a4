"""The checks for what a deployment takes from elsewhere: models, folders, snapshots, images."""

from collections.abc import Mapping
from typing import Any

import pytest

from test.support.aws import ACCOUNT, REGION, REGISTRY, Aws
from utils.deploy.account import Account

from .conftest import BUCKET, MODEL, findings, raw_config, with_values

pytestmark = pytest.mark.usefixtures("model_bucket")


def test_a_model_that_is_missing_is_named_with_the_command_that_copies_it(account: Account, aws: Aws) -> None:
    aws.client("s3").delete_object(Bucket=BUCKET, Key=f"Stable-diffusion/{MODEL}")
    (found,) = findings(account)
    assert found.startswith(f"error: s3://{BUCKET}/Stable-diffusion/{MODEL} does not exist")
    assert f"aws s3 cp {MODEL} s3://{BUCKET}/Stable-diffusion/" in found


def test_folders_that_webui_cannot_make_are_named(account: Account, aws: Aws) -> None:
    # Given
    for folder in ("hypernetworks", "VAE"):
        aws.client("s3").delete_object(Bucket=BUCKET, Key=f"{folder}/.keep")
    # When
    (found,) = findings(account)
    # Then
    assert found.startswith(f"warning: s3://{BUCKET} lacks the folders VAE, hypernetworks")
    assert f"deploy/upload-model.sh -b {BUCKET} --folders-only" in found
    # And ComfyUI makes none
    comfyui = {"name": "comfy", "namespace": "comfy", "type": "comfyui"}
    assert findings(account, raw_config(modelsRuntime=[comfyui])) == []


def test_our_own_bucket_is_filled_with_the_one_model_only(account: Account) -> None:
    # Given
    arn = f"arn:aws:s3:::sdoneks-models-{ACCOUNT}-{REGION}"
    raw = raw_config(modelBucketArn=arn)
    # When
    other = findings(account, raw)
    raw["modelsRuntime"][0]["modelFilename"] = "v1-5-pruned-emaonly.safetensors"
    # Then
    assert len(other) == 1
    assert "a runtime loads it when it starts" in other[0]
    assert findings(account, raw) == []


def test_a_snapshot_that_is_missing_is_an_error(account: Account) -> None:
    snapshot = {"karpenter": {"nodeTemplate": {"dataVolume": {"snapshotID": "snap-00000000000000000"}}}}
    (found,) = findings(account, with_values(snapshot))
    assert found.startswith("error: the snapshot snap-00000000000000000 is missing in us-west-2")


@pytest.mark.parametrize(
    ("images", "docker", "said"),
    [
        ({"build": False}, False, "the stack does not build it (images.build in config.yaml)"),
        ({"build": False}, True, "Docker is not on PATH to build it"),
    ],
)
def test_images_that_nobody_builds_are_errors(
    images: Mapping[str, Any], docker: bool, said: str, account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given
    monkeypatch.setattr("shutil.which", lambda _: None)
    # When
    found = findings(account, raw_config(images=images), docker=docker)
    # Then
    assert any(said in one and "queue-agent" in one for one in found)
    assert all(one.startswith("error: ") for one in found)


def test_an_image_of_the_users_must_be_where_the_config_says(account: Account, aws: Aws) -> None:
    # Given
    def image(repository: str) -> dict[str, Any]:
        return with_values({"runtime": {"inferenceApi": {"image": {"repository": repository, "tag": "1"}}}})

    # Then
    (found,) = findings(account, image(f"{REGISTRY}/mine"))
    assert found.startswith(f"error: {REGISTRY}/mine:1 is not in ECR")
    assert "deploy/build-and-push.sh --copy IMAGE mine:1" in found
    assert findings(account, image("example.com/mine")) == []
    aws.push("mine", "1")
    assert findings(account, image(f"{REGISTRY}/mine")) == []


def test_an_account_that_may_not_build_is_named(account: Account, aws: Aws) -> None:
    aws.stand_ins.quotas.builds["Concurrently running builds for Linux/Small environment"] = 0
    (found,) = findings(account)
    assert "CodeBuild quota 'Concurrently running builds for Linux/Small environment' is 0" in found
