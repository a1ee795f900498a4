"""AWS clients of the commands: of the account that the AWS variables name, or of a running local platform."""

from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from utils.local.cloud import Access
from utils.local.running import read

LIMITS = Config(connect_timeout=5, read_timeout=30, retries={"mode": "standard"})


def client(service: Any, output: Path | None) -> Any:
    """``output``: the folder of a running local platform; None: AWS. Raises NotRunning."""
    if output is None:
        return boto3.client(service, config=LIMITS)
    addresses = read(output)
    access = Access(addresses.aws_endpoint_url, addresses.region)
    own = access.environment()
    return boto3.Session(own["AWS_ACCESS_KEY_ID"], own["AWS_SECRET_ACCESS_KEY"]).client(
        service, region_name=access.region, endpoint_url=access.endpoint_url, config=LIMITS
    )
