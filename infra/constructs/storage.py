"""The output bucket: results, and for a while the platform's own objects."""

from collections.abc import Sequence

import aws_cdk as cdk
from aws_cdk import aws_s3 as s3
from constructs import Construct

from infra.constructs.acceptance import accept
from infra.topology import Expiry

STALE_UPLOAD_DAYS = 7
"""Parts of uploads that never ended are paid for until they are removed."""


OLD_VERSION_DAYS = 30
"""With versioning, what was deleted or overwritten can be restored for so long."""


FROM_BROWSERS = s3.CorsRule(
    allowed_methods=[s3.HttpMethods.GET, s3.HttpMethods.PUT],
    allowed_origins=["*"],
    allowed_headers=["content-type"],
    max_age=3600,
)
"""The console opens presigned links. It allows nothing by itself: a link is what opens an object, from anywhere."""


class OutputBucket(Construct):
    """Private, encrypted, TLS only, and kept when the stack is deleted: the images are the users'.

    Its name is made by CloudFormation, because bucket names are unique in the world.
    """

    def __init__(self, scope: Construct, construct_id: str, *, expiries: Sequence[Expiry], versioned: bool) -> None:
        super().__init__(scope, construct_id)
        self.bucket = s3.Bucket(
            self,
            "Bucket",
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            encryption=s3.BucketEncryption.S3_MANAGED,
            enforce_ssl=True,
            object_ownership=s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
            versioned=versioned,
            cors=[FROM_BROWSERS],
            removal_policy=cdk.RemovalPolicy.RETAIN,
            lifecycle_rules=[
                *(
                    s3.LifecycleRule(prefix=expiry.prefix or None, expiration=cdk.Duration.days(expiry.days))
                    for expiry in expiries
                ),
                s3.LifecycleRule(abort_incomplete_multipart_upload_after=cdk.Duration.days(STALE_UPLOAD_DAYS)),
                *([_old_versions()] if versioned else []),
            ],
        )
        accept(
            self.bucket,
            "Access logs would double the number of objects; CloudTrail data events report the same if needed.",
            "AwsSolutions-S1",
        )


def _old_versions() -> s3.LifecycleRule:
    return s3.LifecycleRule(
        noncurrent_version_expiration=cdk.Duration.days(OLD_VERSION_DAYS), expired_object_delete_marker=True
    )
