"""Starts SD WebUI as the chart wants it: models from a read-only mount, settings that keep it from fetching links.

Reads MODELS_DIR, CONFIG_FILE, PORT, API_ONLY, DYNAMIC_SD_MODEL, SD_MODEL_CHECKPOINT and EXTRA_CMD_ARG. Needs nothing
but the standard library of Python 3.10.
"""

import json
import os
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path

DATA = Path("/var/lib/sdwebui")
"""What the WebUI may write: its caches, and the folders that it makes at its start."""

FOLDERS = (
    *("Stable-diffusion", "CLIP", "Codeformer", "ControlNet", "ESRGAN", "GFPGAN", "LDSR", "Lora", "RealESRGAN"),
    *("ScuNET", "SwinIR", "VAE", "VAE-approx", "hypernetworks"),
)
"""Model folders that the WebUI wants, and would make itself: in a read-only mount its start fails."""

EMBEDDINGS = "embeddings"
"""It looks for these next to the model folders, not among them."""

SETTINGS = {"api_enable_requests": False, "disable_mmap_load_safetensors": True}
"""A request could have it fetch any link; and a model on S3 that is mapped into memory is read at random, page by
page."""


def prepare_folders(models: Path, data: Path) -> None:
    """Every folder of ``models`` appears below ``data``; those that it lacks are made there, empty and writable."""
    inside = data / "models"
    inside.mkdir(parents=True, exist_ok=True)
    found = {path.name for path in models.iterdir() if path.is_dir()} if models.is_dir() else set()
    for name in sorted(found | {*FOLDERS, EMBEDDINGS}):
        target = data / name if name == EMBEDDINGS else inside / name
        if target.exists() or target.is_symlink():
            continue
        if name in found:
            target.symlink_to(models / name, target_is_directory=True)
        else:
            target.mkdir()


def write_settings(path: Path) -> None:
    """Keep what the file holds, and set SETTINGS in it. An unreadable file is replaced."""
    try:
        held = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        held = {}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({**(held if isinstance(held, dict) else {}), **SETTINGS}), encoding="utf-8")


def arguments(environment: Mapping[str, str], data: Path, settings: Path) -> list[str]:
    """The WebUI's command line. The user's arguments come last, and win."""
    words = ["launch.py", "--skip-prepare-environment", "--skip-version-check", "--no-download-sd-model"]
    words += ["--data-dir", str(data), "--ui-settings-file", str(settings)]
    # Kubernetes probes the pod's address; the network policy keeps others out.
    words += ["--listen", "--port", environment.get("PORT") or "8080", "--api", "--opt-sdp-attention"]
    if environment.get("API_ONLY", "true").lower() == "true":
        words.append("--nowebui")
    model = environment.get("SD_MODEL_CHECKPOINT")
    if model and environment.get("DYNAMIC_SD_MODEL", "false").lower() != "true":
        words += ["--ckpt", str(data / "models" / "Stable-diffusion" / model)]
    return words + shlex.split(environment.get("EXTRA_CMD_ARG", ""))


def main(environment: Mapping[str, str], data: Path = DATA) -> None:
    """Does not return: the WebUI takes this process over, so that it gets SIGTERM."""
    settings = Path(environment.get("CONFIG_FILE") or data / "config.json")
    prepare_folders(Path(environment.get("MODELS_DIR") or "/opt/ml/code/models"), data)
    write_settings(settings)
    os.execv(sys.executable, [sys.executable, *arguments(environment, data, settings)])  # noqa: S606 (no shell wanted)


if __name__ == "__main__":
    main(os.environ)
