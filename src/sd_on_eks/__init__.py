"""Generate images with Stable Diffusion on EKS::

    from sd_on_eks import Client, text_to_image

    with Client() as client:
        for image in client.run(text_to_image("a lighthouse at dusk")):
            print(image.save("."))

``AsyncClient`` has the same verbs for asyncio.
"""

from sd_on_eks.async_client import AsyncClient, AsyncOutput, AsyncTask
from sd_on_eks.client import Client, Output, Task
from sd_on_eks.errors import (
    ApiError,
    ConfigError,
    Error,
    Forbidden,
    IdInUse,
    InvalidRequest,
    InvalidWebhook,
    JobError,
    NotFound,
    ProtocolError,
    RateLimited,
    TaskCanceled,
    TaskExpired,
    TaskFailed,
    TaskNotCompleted,
    TooLarge,
    Unavailable,
    Unreachable,
    WaitTimeout,
)
from sd_on_eks.jobs import (
    Job,
    Webhook,
    graph,
    human_segmentation,
    image_to_image,
    ocr,
    super_resolution,
    text_to_image,
    upscale,
)
from sd_on_eks.models import Runtime, Status
from sd_on_eks.timings import Timings
from sd_on_eks.webhooks import WebhookEvent, verify_webhook
from sd_on_eks.workflow import workflow

__all__ = [
    "ApiError",
    "AsyncClient",
    "AsyncOutput",
    "AsyncTask",
    "Client",
    "ConfigError",
    "Error",
    "Forbidden",
    "IdInUse",
    "InvalidRequest",
    "InvalidWebhook",
    "Job",
    "JobError",
    "NotFound",
    "Output",
    "ProtocolError",
    "RateLimited",
    "Runtime",
    "Status",
    "Task",
    "TaskCanceled",
    "TaskExpired",
    "TaskFailed",
    "TaskNotCompleted",
    "Timings",
    "TooLarge",
    "Unavailable",
    "Unreachable",
    "WaitTimeout",
    "Webhook",
    "WebhookEvent",
    "graph",
    "human_segmentation",
    "image_to_image",
    "ocr",
    "super_resolution",
    "text_to_image",
    "upscale",
    "verify_webhook",
    "workflow",
]
