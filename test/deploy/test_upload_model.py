"""upload-model.sh from a hub on this machine into an embedded AWS."""

import hashlib
from pathlib import Path

import pytest

from test.support.aws import REGION, Aws
from test.support.clone import run
from test.support.files import hub
from utils.deploy.model_folders import FOLDERS

SCRIPT = "deploy/upload-model.sh"
CONTENT = b"a small model" * 1000
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture(autouse=True)
def bucket(aws: Aws) -> None:
    aws.client("s3").create_bucket(Bucket="models", CreateBucketConfiguration={"LocationConstraint": REGION})


def test_a_model_is_copied_to_its_folder(installed: Path, bin_: Path, aws: Aws) -> None:
    # Given
    with hub(CONTENT) as source:
        words = ["-b", "models", "--url", f"{source.url}/my%20style.safetensors?download=true", "--folder", "Lora"]
        # When
        ended = run(installed, bin_, *words, "--sha256", SHA256.upper(), script=SCRIPT, environment=aws.environment)
    # Then
    assert ended.returncode == 0, ended.stdout
    stored = aws.client("s3").get_object(Bucket="models", Key="Lora/my style.safetensors")
    assert stored["Body"].read() == CONTENT
    assert f"SHA-256 {SHA256}" in ended.stdout


def test_every_folder_gets_an_object_so_that_webui_finds_it(installed: Path, bin_: Path, aws: Aws) -> None:
    # Given one that has a model
    s3 = aws.client("s3")
    s3.put_object(Bucket="models", Key="Lora/style.safetensors", Body=b"")
    # When
    ended = run(installed, bin_, "-b", "models", "--folders-only", script=SCRIPT, environment=aws.environment)
    # Then
    assert ended.returncode == 0, ended.stdout
    keys = {one["Key"] for one in s3.list_objects_v2(Bucket="models")["Contents"]}
    assert keys == {"Lora/style.safetensors", *(f"{folder}/.keep" for folder in FOLDERS if folder != "Lora")}


def test_the_bucket_without_its_option_is_accepted_with_a_hint(installed: Path, bin_: Path, aws: Aws) -> None:
    # When it is named as the AWS guidance does
    ended = run(installed, bin_, "models", "--folders-only", script=SCRIPT, environment=aws.environment)
    # Then
    assert ended.returncode == 0, ended.stdout
    assert "warning: the bucket is named with -b here: upload-model.sh -b models" in ended.stdout
    assert aws.client("s3").list_objects_v2(Bucket="models")["KeyCount"] == len(FOLDERS)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["-b", "none-such"], "the bucket none-such does not exist"),
        ([], "the bucket is missing; name it with -b"),
        (["-b", "models", "other"], "two buckets are named, models and other"),
        (["-b", "models", "--url", "http://127.0.0.1:9/readme.txt"], "'readme.txt' is not the name of a model"),
        (["-b", "models", "--url", "ftp://host/m.ckpt"], "must begin with https:// or http://"),
        (["-b", "models", "--sha256", "5f1c"], "must be 64 hexadecimal digits"),
    ],
)
def test_what_is_wrong_is_said(words: list[str], said: str, installed: Path, bin_: Path, aws: Aws) -> None:
    ended = run(installed, bin_, *words, script=SCRIPT, environment=aws.environment)
    assert ended.returncode in {1, 2}
    assert said in ended.stdout
