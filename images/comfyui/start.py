"""Starts ComfyUI as the chart wants it: models from a read-only mount, everything else in a folder of its own.

Reads MODELS_DIR and EXTRA_CMD_ARG. Needs nothing but the standard library of Python 3.12.
"""

import json
import os
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path

DATA = Path("/var/lib/comfyui")
"""What ComfyUI may write: inputs, outputs, previews, its user's folder."""

KINDS: Mapping[str, tuple[str, ...]] = {
    "checkpoints": ("checkpoints", "Stable-diffusion"),
    "clip": ("clip", "text_encoders", "CLIP"),
    "clip_vision": ("clip_vision",),
    "configs": ("configs",),
    "controlnet": ("controlnet", "ControlNet"),
    "diffusion_models": ("diffusion_models", "unet"),
    "embeddings": ("embeddings",),
    "gligen": ("gligen",),
    "hypernetworks": ("hypernetworks",),
    "loras": ("loras", "Lora"),
    "style_models": ("style_models",),
    "upscale_models": ("upscale_models", "ESRGAN", "RealESRGAN", "SwinIR"),
    "vae": ("vae", "VAE"),
    "vae_approx": ("vae_approx", "VAE-approx"),
}
"""ComfyUI's kinds of models, and the folders of the bucket where they may be: its own names, and those of SD WebUI."""


def model_paths(models: Path) -> str:
    """The file for ``--extra-model-paths-config``. JSON is YAML, too."""
    folders = {kind: "\n".join(names) for kind, names in KINDS.items()}
    return json.dumps({"bucket": {"base_path": str(models), **folders}}, indent=2)


def arguments(environment: Mapping[str, str], data: Path) -> list[str]:
    """ComfyUI's command line. The chart's and the user's arguments come last, and win."""
    words = ["main.py", "--base-directory", str(data), "--extra-model-paths-config", str(data / "model_paths.yaml")]
    words += ["--disable-auto-launch"]
    return words + shlex.split(environment.get("EXTRA_CMD_ARG", ""))


def main(environment: Mapping[str, str], data: Path = DATA) -> None:
    """Does not return: ComfyUI takes this process over, so that it gets SIGTERM."""
    for name in ("models", "custom_nodes", "input", "output", "temp", "user"):
        (data / name).mkdir(parents=True, exist_ok=True)
    models = Path(environment.get("MODELS_DIR") or "/opt/ml/code/models")
    (data / "model_paths.yaml").write_text(model_paths(models), encoding="utf-8")
    os.execv(sys.executable, [sys.executable, *arguments(environment, data)])  # noqa: S606 (no shell wanted)


if __name__ == "__main__":
    main(os.environ)
