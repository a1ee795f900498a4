"""Runs of a local platform, by what they left in its bucket."""

import boto3

from test.support.platform import Running
from utils.local.cloud import REGION

RECORD = ".out"


def runs(platform: Running, beginning: str) -> list[str]:
    """The ids of the tasks that begin so, sorted, once for each of their runs: each writes a record, at its end and
    before the task is completed."""
    session = boto3.Session("x", "x")
    s3 = session.client("s3", region_name=REGION, endpoint_url=platform.addresses.aws_endpoint_url)
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=platform.addresses.bucket, Prefix=f"output/{beginning}")
    keys = [item["Key"] for page in pages for item in page.get("Contents", [])]
    return sorted(key.split("/")[1] for key in keys if key.endswith(RECORD))
