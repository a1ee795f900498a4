"""The model bucket: made where the stack will be, or checked when it is the user's own."""

from typing import TYPE_CHECKING, cast

from botocore.exceptions import ClientError

from utils.deploy.account import CLIENT, Account
from utils.deploy.console import DeployError, say

if TYPE_CHECKING:
    from types_boto3_s3.literals import BucketLocationConstraintType

FIRST_REGION = "us-east-1"
"""S3 wants no location constraint there."""

STALE_UPLOAD_DAYS = 7
"""An upload that was not resumed by then is given up, so that its parts are not paid for."""

MAX_NAME = 63
"""Characters in a bucket's name."""

NOT_FOUND, FORBIDDEN, ELSEWHERE = "404", "403", "301"


def default_name(stack_name: str, account: Account) -> str:
    """The same for every run, so that a later run finds what an earlier one made."""
    rest = f"-models-{account.id}-{account.region}"
    return f"{stack_name.lower()[: MAX_NAME - len(rest)].rstrip('-')}{rest}"


def make(account: Account, name: str) -> None:
    """Make the bucket unless it is there, private in every way. Raises DeployError when the name is not ours to use."""
    s3 = account.session.client("s3", config=CLIENT)
    if _region(account, name, own=True) is None:
        say(f"    making s3://{name} in {account.region}")
        try:
            if account.region == FIRST_REGION:
                s3.create_bucket(Bucket=name)
            else:
                s3.create_bucket(
                    Bucket=name,
                    CreateBucketConfiguration={
                        "LocationConstraint": cast("BucketLocationConstraintType", account.region)
                    },
                )
        except s3.exceptions.BucketAlreadyOwnedByYou:
            pass
        except s3.exceptions.BucketAlreadyExists:
            raise _taken(name) from None
    else:
        say(f"    s3://{name} exists")
    s3.put_public_access_block(
        Bucket=name,
        ExpectedBucketOwner=account.id,
        PublicAccessBlockConfiguration={
            "BlockPublicAcls": True,
            "IgnorePublicAcls": True,
            "BlockPublicPolicy": True,
            "RestrictPublicBuckets": True,
        },
    )
    s3.put_bucket_lifecycle_configuration(
        Bucket=name,
        ExpectedBucketOwner=account.id,
        LifecycleConfiguration={
            "Rules": [
                {
                    "ID": "stale-uploads",
                    "Status": "Enabled",
                    "Filter": {"Prefix": ""},
                    "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": STALE_UPLOAD_DAYS},
                }
            ]
        },
    )


def check(account: Account, name: str, *, without: str) -> None:
    """Look at the user's own bucket. Raises DeployError when the stack could not read it.

    ``without`` says how to do without the bucket.
    """
    if _region(account, name, own=False) is None:
        raise DeployError(
            f"the bucket {name} does not exist",
            f"Make it: aws s3 mb s3://{name} --region {account.region}",
            without,
        )


def is_ours(account: Account, name: str) -> bool:
    """Whether the bucket is there. Raises DeployError when it is of another account, or in another region."""
    return _region(account, name, own=True) is not None


def holds(account: Account, bucket: str, key: str) -> bool:
    """Whether the object exists."""
    try:
        account.session.client("s3", config=CLIENT).head_object(Bucket=bucket, Key=key)
    except ClientError as error:
        if error.response["Error"]["Code"] == NOT_FOUND:
            return False
        raise
    return True


def _region(account: Account, name: str, *, own: bool) -> str | None:
    """Where the bucket is; None when there is none. Raises DeployError when it is not in the account's region."""
    s3 = account.session.client("s3", config=CLIENT)
    try:
        response = s3.head_bucket(Bucket=name, ExpectedBucketOwner=account.id) if own else s3.head_bucket(Bucket=name)
    except ClientError as error:
        code = error.response["Error"]["Code"]
        if code == NOT_FOUND:
            return None
        if code == FORBIDDEN:
            raise _taken(name) from None
        if code == ELSEWHERE:
            raise _elsewhere(account, name, "another region") from None
        raise
    region = response.get("BucketRegion") or account.region
    if region != account.region:
        raise _elsewhere(account, name, region)
    return region


def _taken(name: str) -> DeployError:
    return DeployError(
        f"the bucket name {name} belongs to another account, or you may not use the bucket",
        "Name your bucket with -b, or choose another stack name with -n.",
    )


def _elsewhere(account: Account, name: str, region: str) -> DeployError:
    return DeployError(
        f"the bucket {name} is in {region}, and the stack would be in {account.region}",
        "Name a bucket in the stack's region with -b, or another region with -R.",
    )
