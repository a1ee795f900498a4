"""A task's content, from its message or from where the message says that it lies."""

import json
from typing import Any

from contract.metrics import FETCHED_BYTES
from contract.object_keys import REQUESTS_PREFIX
from contract.wire import Order
from queue_agent.errors import PermanentError
from queue_agent.inputs.fetcher import Fetcher
from queue_agent.telemetry.tracing import Trace


async def read_content(order: Order, fetcher: Fetcher, bucket: str, trace: Trace) -> dict[str, Any]:
    """The content; a large one is an object in the platform's own folder of the output bucket.

    Raises PermanentError when it is elsewhere or no JSON object, AwsError when S3 does not answer.
    """
    if order.content is not None:
        return order.content
    url = order.content_url or ""
    location = f"s3://{bucket}/"
    key = url.removeprefix(location)
    if not url.startswith(location) or not key.startswith(f"{REQUESTS_PREFIX}/"):
        raise PermanentError("content", "the message names a content outside the platform's own folder")
    try:
        with trace.span("fetch", link=url) as span:
            body = await fetcher.read_object(bucket, key)
            span.carry(FETCHED_BYTES, len(body))
        content = json.loads(body)
    except ValueError as error:
        raise PermanentError("content", "the stored content of the task is not JSON") from error
    if not isinstance(content, dict):
        raise PermanentError("content", "the stored content of the task is not a JSON object")
    return content
