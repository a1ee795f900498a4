"""ComfyUI's workflows for the suite; conftest.py says what each name means."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from contract.runtimes import TaskType
from queue_agent.errors import PermanentError
from queue_agent.runtimes.base import Job


def _job(
    *,
    steps: int = 4,
    batch_size: int = 1,
    sampler_name: str = "euler",
    more: Mapping[str, Any] = MappingProxyType({}),
) -> Job:
    sampling = {"seed": 7, "steps": steps, "cfg": 7, "sampler_name": sampler_name, "scheduler": "normal", "denoise": 1}
    sources = {"model": ["1", 0], "positive": ["2", 0], "negative": ["3", 0], "latent_image": ["4", 0]}
    workflow = {
        "1": _node("CheckpointLoaderSimple", ckpt_name="v1-5-pruned-emaonly.safetensors"),
        "2": _node("CLIPTextEncode", text="a lighthouse", clip=["1", 1]),
        "3": _node("CLIPTextEncode", text="fog", clip=["1", 1]),
        "4": _node("EmptyLatentImage", width=64, height=64, batch_size=batch_size),
        "5": _node("KSampler", **sampling, **sources),
        "6": _node("VAEDecode", samples=["5", 0], vae=["1", 2]),
        "7": _node("SaveImage", images=["6", 0], filename_prefix="suite/picture"),
    }
    return Job(id="task", tasktype=TaskType.PIPELINE, content=workflow | dict(more))


def _node(class_type: str, **inputs: Any) -> dict[str, Any]:
    return {"class_type": class_type, "inputs": inputs}


SUCCESS = _job()

MANY = _job(batch_size=4)
MANY_OUTPUTS = 4

CALLERS_ERROR = _job(sampler_name="nope")
CALLERS_ERROR_SAYS = "node 5 (KSampler), field sampler_name: Value not in list ('nope' not in"

RUNNING_ERROR = _job(
    more={
        "7": _node("SimulatedFailure", images=["6", 0], exception_type="ValueError", exception_message="a bad value"),
        "8": _node("SaveImage", images=["7", 0], filename_prefix="suite/never"),
    }
)
RUNNING_ERROR_FAULT = PermanentError
RUNNING_ERROR_SAYS = "node 7 (SimulatedFailure) failed: ValueError: a bad value"

SLOW = _job(steps=3500)
