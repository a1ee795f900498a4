"""Links to objects of S3 that open without credentials."""

import time
from collections.abc import Callable
from typing import Any

from contract.task_table.view import Link

LINK_SECONDS = 3600
"""Life of a link: long enough to fetch at leisure, and shorter than the credentials of a function last, with which its
links end. The task's URL gives new ones."""


def signer(
    s3: Any, bucket: str, seconds: int = LINK_SECONDS, clock: Callable[[], float] = time.time
) -> Callable[[str], Link]:
    """Makes links to objects of ``bucket`` by their keys, each good for ``seconds`` from then on.

    ``s3`` is boto3's client. A link ends with the credentials that signed it, if these end sooner.
    """

    def sign(key: str) -> Link:
        url = s3.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": key}, ExpiresIn=seconds)
        return Link(url, clock() + seconds)

    return sign
