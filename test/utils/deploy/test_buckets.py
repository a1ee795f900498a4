"""The model bucket: made, found again, or somebody else's."""

import boto3
import pytest
from botocore.stub import Stubber

from test.support.aws import ACCOUNT, Aws
from utils.deploy import buckets
from utils.deploy.account import Account
from utils.deploy.console import DeployError

NAME = "sdoneks-models-123456789012-us-west-2"


@pytest.mark.parametrize("region", ["us-east-1", "us-west-2", "cn-northwest-1"])
def test_a_bucket_is_made_private_in_its_region_once(aws: Aws, region: str) -> None:
    # Given
    account = Account(boto3.Session(region_name=region), ACCOUNT, "aws", region)
    s3 = aws.client("s3", region)
    # When
    buckets.make(account, NAME)
    buckets.make(account, NAME)
    # Then
    assert s3.head_bucket(Bucket=NAME)["BucketRegion"] == region
    assert set(s3.get_public_access_block(Bucket=NAME)["PublicAccessBlockConfiguration"].values()) == {True}
    (rule,) = s3.get_bucket_lifecycle_configuration(Bucket=NAME)["Rules"]
    assert rule["AbortIncompleteMultipartUpload"] == {"DaysAfterInitiation": 7}


def test_the_name_is_the_same_for_every_run_and_never_too_long(account: Account) -> None:
    assert buckets.default_name("sdoneks", account) == NAME
    assert len(buckets.default_name("A" * 32, account)) <= 63


@pytest.mark.parametrize(
    "answers", [{"head_bucket": "403"}, {"head_bucket": "404", "create_bucket": "BucketAlreadyExists"}]
)
def test_a_name_that_is_taken_is_said_with_what_to_do(
    answers: dict[str, str], account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given
    s3 = account.session.client("s3")
    with Stubber(s3) as stub:
        for call, code in answers.items():
            stub.add_client_error(call, code)
        monkeypatch.setattr(account.session, "client", lambda *_, **__: s3)
        # When
        with pytest.raises(DeployError, match=f"the bucket name {NAME} belongs to another account") as caught:
            buckets.make(account, NAME)
    # Then
    assert any("-b" in fix for fix in caught.value.fixes)


def test_a_bucket_in_another_region_is_refused(account: Account, aws: Aws) -> None:
    aws.client("s3", "us-east-1").create_bucket(Bucket="far")
    with pytest.raises(DeployError, match="far is in us-east-1, and the stack would be in us-west-2"):
        buckets.check(account, "far", without="Name another.")


def test_a_bucket_of_the_users_that_is_missing_is_not_made(account: Account, aws: Aws) -> None:
    with pytest.raises(DeployError, match=r"(?s)the bucket none-such does not exist.*Name another."):
        buckets.check(account, "none-such", without="Name another.")
    assert aws.client("s3").list_buckets()["Buckets"] == []
