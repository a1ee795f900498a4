"""InvokeAI graphs, as its API takes them."""

from typing import Any

MODEL = {
    "key": "v1-5-pruned-emaonly.safetensors",
    "hash": "blake3:1f2e",
    "name": "Stable Diffusion 1.5",
    "base": "sd-1",
    "type": "main",
}


def edge(source: str, destination: str) -> dict[str, Any]:
    """``edge("blank.image", "scale.image")``."""
    (node, field), (to_node, to_field) = source.split("."), destination.split(".")
    return {"source": {"node_id": node, "field": field}, "destination": {"node_id": to_node, "field": to_field}}


def graph_of(nodes: dict[str, dict[str, Any]], *edges: dict[str, Any]) -> dict[str, Any]:
    """A graph whose nodes get their ids from their keys."""
    return {"nodes": {key: {"id": key, **node} for key, node in nodes.items()}, "edges": list(edges)}


def text_to_image(*, prompt: str = "a lighthouse", seed: int = 7, steps: int = 2, height: int = 64) -> dict[str, Any]:
    """A graph with one image, 64 pixels wide."""
    return graph_of(
        {
            "model": {"type": "main_model_loader", "model": dict(MODEL)},
            "positive": {"type": "compel", "prompt": prompt},
            "negative": {"type": "compel"},
            "noise": {"type": "noise", "seed": seed, "width": 64, "height": height},
            "denoise": {"type": "denoise_latents", "steps": steps},
            "picture": {"type": "l2i"},
        },
        edge("model.clip", "positive.clip"),
        edge("model.clip", "negative.clip"),
        edge("model.unet", "denoise.unet"),
        edge("model.vae", "picture.vae"),
        edge("positive.conditioning", "denoise.positive_conditioning"),
        edge("negative.conditioning", "denoise.negative_conditioning"),
        edge("noise.noise", "denoise.noise"),
        edge("denoise.latents", "picture.latents"),
    )
