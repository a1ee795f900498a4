"""The front door's settings. The only place that reads its environment."""

import math
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from contract.catalog import Catalog
from contract.clients import Clients
from contract.json_log import level_problems
from contract.sync_routes import TextToImageRoute

REQUIRED = ("INPUT_TOPIC_ARN", "OUTPUT_BUCKET", "QUEUE_URL_PREFIX", "RUNTIMES", "TASKS_TABLE", "TASK_RETENTION_DAYS")

DAY = 86_400

_TOPIC = re.compile(r"arn:[^:]+:sns:(?P<region>[^:]+):[^:]+:[^:]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Where tasks go. The URL of a runtime's queue is ``queue_url_prefix`` and its name. An item of the table is kept
    for ``task_retention`` seconds after its task's end. ``gpu_hour_price`` is in US dollars, None where nobody
    knows it. ``loopback_webhooks`` allows URLs of this machine.

    ``endpoint_url`` replaces AWS's own endpoints, as AWS_ENDPOINT_URL does for every AWS SDK."""

    input_topic_arn: str
    output_bucket: str
    catalog: Catalog
    tasks_table: str
    task_retention: int
    queue_url_prefix: str
    gpu_hour_price: float | None = None
    loopback_webhooks: bool = False
    clients: Clients = field(default_factory=Clients)
    log_level: str = "INFO"
    endpoint_url: str | None = None
    sagemaker_url: str | None = None
    """Replaces that of SageMaker alone, as AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME does for every AWS SDK."""
    sync_image_kit: str | None = None
    """The runtime behind the image kit's synchronous routes; there are none without it."""
    sync_text_to_image: TextToImageRoute | None = None
    """What is behind the route of images from text; there is none without it."""
    console_page: Path | None = None
    """The console's page; None: the one in the function's package."""

    @property
    def region(self) -> str:
        """The topic's region, which is the stack's."""
        arn = _TOPIC.fullmatch(self.input_topic_arn)
        assert arn, "read() lets no other in"
        return arn["region"]


def load() -> Settings:
    """The settings of this process. Raises ValueError as ``read`` does."""
    return read(os.environ)


def read(environment: Mapping[str, str]) -> Settings:
    """Settings from environment variables. Raises ValueError with everything that is missing or wrong."""
    problems = [f"{name} is not set" for name in REQUIRED if not environment.get(name)]
    topic = environment.get("INPUT_TOPIC_ARN", "")
    if topic and not _TOPIC.fullmatch(topic):
        problems.append(f"INPUT_TOPIC_ARN must be the ARN of an SNS topic, got {topic!r}")
    level = environment.get("LOGLEVEL", "INFO").upper()
    problems += level_problems(level)
    days = environment.get("TASK_RETENTION_DAYS", "")
    if days and not (days.isdecimal() and int(days) > 0):
        problems.append(f"TASK_RETENTION_DAYS must be a whole number of days, got {days!r}")
    price = environment.get("GPU_HOUR_PRICE", "")
    if price and not _is_price(price):
        problems.append(f"GPU_HOUR_PRICE must be US dollars for an hour, got {price!r}")
    if problems:
        raise ValueError("; ".join(problems))
    text_to_image = environment.get("SYNC_TEXT_TO_IMAGE")
    return Settings(
        input_topic_arn=topic,
        output_bucket=environment["OUTPUT_BUCKET"],
        catalog=Catalog.from_env(environment["RUNTIMES"]),
        tasks_table=environment["TASKS_TABLE"],
        task_retention=int(days) * DAY,
        queue_url_prefix=environment["QUEUE_URL_PREFIX"],
        gpu_hour_price=float(price) if price else None,
        loopback_webhooks=environment.get("LOOPBACK_WEBHOOKS") == "true",
        clients=Clients.from_env(environment.get("CLIENTS", "")),
        log_level=level,
        endpoint_url=environment.get("AWS_ENDPOINT_URL"),
        sagemaker_url=environment.get("AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME"),
        sync_image_kit=environment.get("SYNC_IMAGE_KIT") or None,
        sync_text_to_image=TextToImageRoute.from_env(text_to_image) if text_to_image else None,
        console_page=Path(environment["CONSOLE_PAGE"]) if environment.get("CONSOLE_PAGE") else None,
    )


def _is_price(text: str) -> bool:
    try:
        return 0 < float(text) < math.inf
    except ValueError:
        return False
