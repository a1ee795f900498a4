"""InvokeAI's jobs for the suite; conftest.py says what each name means."""

from typing import Any

from contract.runtimes import TaskType
from queue_agent.errors import CallerFault
from queue_agent.runtimes.base import Job

_MODEL = {"key": "v1-5-pruned-emaonly.safetensors", "hash": "none", "name": "SD 1.5", "base": "sd-1", "type": "main"}


def _edge(source: str, destination: str) -> dict[str, Any]:
    (node, field), (to_node, to_field) = source.split("."), destination.split(".")
    return {"source": {"node_id": node, "field": field}, "destination": {"node_id": to_node, "field": to_field}}


def _graph(nodes: dict[str, dict[str, Any]], *edges: dict[str, Any]) -> dict[str, Any]:
    return {"nodes": {key: {"id": key, **node} for key, node in nodes.items()}, "edges": list(edges)}


def _text_to_image(steps: int = 4) -> dict[str, Any]:
    return _graph(
        {
            "model": {"type": "main_model_loader", "model": _MODEL},
            "positive": {"type": "compel", "prompt": "a lighthouse"},
            "negative": {"type": "compel"},
            "noise": {"type": "noise", "seed": 7, "width": 64, "height": 64},
            "denoise": {"type": "denoise_latents", "steps": steps},
            "picture": {"type": "l2i"},
        },
        _edge("model.clip", "positive.clip"),
        _edge("model.clip", "negative.clip"),
        _edge("model.unet", "denoise.unet"),
        _edge("model.vae", "picture.vae"),
        _edge("positive.conditioning", "denoise.positive_conditioning"),
        _edge("negative.conditioning", "denoise.negative_conditioning"),
        _edge("noise.noise", "denoise.noise"),
        _edge("denoise.latents", "picture.latents"),
    )


def _job(content: dict[str, Any]) -> Job:
    return Job(id="task", tasktype=TaskType.GRAPH, content=content)


SUCCESS = _job({"graph": _text_to_image()})

MANY = _job(
    {
        "batch": {
            "graph": _text_to_image(),
            "runs": 1,
            "data": [[{"node_path": "noise", "field_name": "seed", "items": [1, 2, 3]}]],
        }
    }
)
MANY_OUTPUTS = 3

CALLERS_ERROR = _job({"graph": _graph({"x": {"type": "no_such_node"}})})
CALLERS_ERROR_SAYS = "content.graph.nodes.x: InvokeAI has no node type 'no_such_node'"

RUNNING_ERROR = _job({"graph": _graph({"load": {"type": "image", "image": {"image_name": "nope.png"}}})})
RUNNING_ERROR_FAULT = CallerFault
RUNNING_ERROR_SAYS = "node load (image) failed: ImageRecordNotFoundException: Image record not found"

# InvokeAI tells of a batch how many of its items ended, and of an item nothing.
SLOW = _job({"batch": {"graph": _text_to_image(steps=50), "runs": 80}})
