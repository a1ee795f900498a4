"""Copying a model from the web into a bucket."""

import hashlib
import random
from collections.abc import Iterator

import pytest

from test.support.aws import Aws
from test.support.files import Hub, hub
from utils.deploy import models
from utils.deploy.account import Account
from utils.deploy.console import DeployError
from utils.deploy.models import Model, Web

PART = 5 * 2**20
"""The smallest that S3 takes."""

CONTENT = random.Random(0).randbytes(2 * PART + 12_345)
SHA256 = hashlib.sha256(CONTENT).hexdigest()
KEY = "Stable-diffusion/m.safetensors"


@pytest.fixture
def source() -> Iterator[Hub]:
    with hub(CONTENT) as served:
        yield served


@pytest.fixture(autouse=True)
def bucket(aws: Aws) -> str:
    aws.client("s3").create_bucket(Bucket="models", CreateBucketConfiguration={"LocationConstraint": "us-west-2"})
    return "models"


def copy(account: Account, source: Hub, sha256: str | None = SHA256) -> None:
    models.copy(account, "models", Model(f"{source.url}/m.safetensors", KEY, sha256), part_bytes=PART)


def stored(aws: Aws) -> bytes:
    return bytes(aws.client("s3").get_object(Bucket="models", Key=KEY)["Body"].read())


def uploads(aws: Aws) -> list[object]:
    return list(aws.client("s3").list_multipart_uploads(Bucket="models").get("Uploads", ()))


def test_a_model_is_copied_in_parts_and_checked(
    account: Account, aws: Aws, source: Hub, capsys: pytest.CaptureFixture[str]
) -> None:
    copy(account, source)
    assert stored(aws) == CONTENT
    assert aws.client("s3").head_object(Bucket="models", Key=KEY)["Metadata"] == {"sha256": SHA256}
    assert "100 %" in capsys.readouterr().out
    assert not uploads(aws)


def test_one_that_is_there_is_not_copied_again(account: Account, aws: Aws, source: Hub) -> None:
    # Given
    copy(account, source)
    source.ranges.clear()
    # When
    copy(account, source)
    copy(account, source, sha256=None)
    # Then
    assert source.ranges == []


def test_another_file_of_that_name_is_replaced(account: Account, aws: Aws, source: Hub) -> None:
    aws.client("s3").put_object(Bucket="models", Key=KEY, Body=b"an older one")
    copy(account, source)
    assert stored(aws) == CONTENT


def test_a_connection_that_breaks_is_made_again_where_it_broke(account: Account, aws: Aws, source: Hub) -> None:
    # Given
    source.breaks = [3_000_000, 4_000_000]
    # When
    copy(account, source)
    # Then
    assert stored(aws) == CONTENT
    assert source.ranges == [0, 2 * 2**20, 5 * 2**20]


def test_an_upload_that_was_cut_off_goes_on_without_sending_again(
    account: Account, aws: Aws, source: Hub, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a source that falls silent after the first part
    monkeypatch.setattr(models, "TRIES", 1)
    source.breaks = [PART + 100, 0]
    with pytest.raises(DeployError, match="cannot be read further than") as caught:
        copy(account, source)
    assert "it continues from here" in str(caught.value)
    assert len(uploads(aws)) == 1
    source.breaks = []
    # When
    sent: list[int] = []
    send = models._Upload._send_part

    def spied(self: models._Upload, number: int, part: bytes) -> None:
        before = self._held.get(number)
        send(self, number, part)
        if self._parts[number] != before:
            sent.append(number)

    monkeypatch.setattr(models._Upload, "_send_part", spied)
    copy(account, source)
    # Then
    assert stored(aws) == CONTENT
    assert "resuming an interrupted upload, 1 parts are there" in capsys.readouterr().out
    assert sorted(sent) == [2, 3]
    assert not uploads(aws)


@pytest.mark.parametrize("by_hub", [False, True])
def test_a_wrong_checksum_leaves_nothing_behind(account: Account, aws: Aws, source: Hub, by_hub: bool) -> None:
    # Given
    source.checksum = "0" * 64 if by_hub else ""
    # When
    with pytest.raises(DeployError, match="is not what it should be") as caught:
        copy(account, source, sha256=None if by_hub else "0" * 64)
    # Then
    assert SHA256 in str(caught.value)
    assert "Contents" not in aws.client("s3").list_objects_v2(Bucket="models")
    assert not uploads(aws)


def test_the_hubs_checksum_is_held_to(account: Account, aws: Aws, source: Hub) -> None:
    source.checksum = SHA256
    copy(account, source, sha256=None)
    assert aws.client("s3").head_object(Bucket="models", Key=KEY)["Metadata"] == {"sha256": SHA256}


def test_a_file_that_is_not_there_says_how_to_get_another(account: Account, source: Hub) -> None:
    with pytest.raises(DeployError, match="missing answers 404") as caught:
        models.copy(account, "models", Model(f"{source.url}/missing", KEY))
    assert "deploy/upload-model.sh -b BUCKET --url" in str(caught.value)


def test_a_host_that_is_not_there_is_named() -> None:
    with pytest.raises(DeployError, match=r"^http://127\.0\.0\.1:9/m cannot be reached"):
        Web().probe("http://127.0.0.1:9/m")
