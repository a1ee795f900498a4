"""Which runtimes there are and which task types each serves. This is the only place that says so."""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType


class RuntimeType(StrEnum):
    """A kind of image server that the platform can feed."""

    SDWEBUI = "sdwebui"
    COMFYUI = "comfyui"
    INVOKEAI = "invokeai"
    IMAGEKIT = "imagekit"


class TaskType(StrEnum):
    """What a task asks of its runtime."""

    TEXT_TO_IMAGE = "text-to-image"
    IMAGE_TO_IMAGE = "image-to-image"
    EXTRA_SINGLE_IMAGE = "extra-single-image"
    EXTRA_BATCH_IMAGES = "extra-batch-images"
    PIPELINE = "pipeline"
    GRAPH = "graph"
    SUPER_RESOLUTION = "super-resolution"
    HUMAN_SEGMENTATION = "human-segmentation"
    OCR = "ocr"


TASK_TYPES: Mapping[RuntimeType, tuple[TaskType, ...]] = MappingProxyType(
    {
        RuntimeType.SDWEBUI: (
            TaskType.TEXT_TO_IMAGE,
            TaskType.IMAGE_TO_IMAGE,
            TaskType.EXTRA_SINGLE_IMAGE,
            TaskType.EXTRA_BATCH_IMAGES,
        ),
        RuntimeType.COMFYUI: (TaskType.PIPELINE,),
        RuntimeType.INVOKEAI: (TaskType.GRAPH,),
        RuntimeType.IMAGEKIT: (TaskType.SUPER_RESOLUTION, TaskType.HUMAN_SEGMENTATION, TaskType.OCR),
    }
)
