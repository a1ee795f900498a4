"""The runtimes' images, as far as they show without Docker and GPUs: recipes, pinned packages, and how they start."""

import importlib.util
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from contract.runtimes import RuntimeType
from infra.images import AGENT

ROOT = Path(__file__).parents[2]
IMAGES = ROOT / "images"
HADOLINT = Path(sys.executable).with_name("hadolint")
LIMIT = 60

RUNTIMES = [kind.value for kind in RuntimeType if kind is not RuntimeType.IMAGEKIT]
"""Other projects' servers. The image kit's lock is one of requirements/."""

KIT = RuntimeType.IMAGEKIT.value
EVERY_IMAGE = pytest.mark.parametrize("name", [AGENT, KIT, *RUNTIMES])
EVERY_RUNTIME = pytest.mark.parametrize("name", RUNTIMES)


def lint(dockerfile: Path) -> "subprocess.CompletedProcess[str]":
    command = [str(HADOLINT), "--config", str(IMAGES / "hadolint.yaml"), str(dockerfile)]
    return subprocess.run(command, capture_output=True, text=True, timeout=LIMIT, check=False)


def recipe(name: str) -> str:
    """A Dockerfile's text with each instruction on one line."""
    return (IMAGES / name / "Dockerfile").read_text().replace("\\\n", " ")


@EVERY_IMAGE
def test_hadolint_finds_nothing(name: str) -> None:
    found = lint(IMAGES / name / "Dockerfile")

    assert (found.returncode, found.stdout) == (0, "")


def test_hadolint_sees_what_is_wrong(tmp_path: Path) -> None:
    path = tmp_path / "Dockerfile"
    path.write_text("FROM debian:12\nRUN cd /tmp && apt-get install git\n")

    assert "DL3003" in lint(path).stdout


@EVERY_IMAGE
def test_the_base_image_is_one_version_in_a_mirror_that_can_be_named(name: str) -> None:
    text = recipe(name)

    assert "ARG MIRROR=public.ecr.aws/docker/library\n" in text
    assert re.search(r"^ARG PYTHON=\$\{MIRROR\}/python:3\.\d+\.\d+-slim-bookworm$", text, re.MULTILINE)
    assert set(re.findall(r"^FROM (\S+)", text, re.MULTILINE)) == {"${PYTHON}"}


@EVERY_IMAGE
def test_an_image_does_not_run_as_root(name: str) -> None:
    assert recipe(name).split("FROM ")[-1].count("USER 65532:65532") == 1


@EVERY_RUNTIME
def test_every_package_is_pinned_with_its_hash(name: str) -> None:
    # Given
    wanted = re.findall(
        r"^([A-Za-z0-9_.-]+)(?:==([\w.]+))?", (IMAGES / name / "requirements.in").read_text(), re.MULTILINE
    )
    lock = (IMAGES / name / "requirements.txt").read_text()

    # When
    pinned = dict(re.findall(r"^([a-z0-9._-]+)==(\S+) \\\n    --hash=sha256:", lock, re.MULTILINE))

    # Then
    assert len(pinned) == len(re.findall(r"^[a-z]", lock, re.MULTILINE))
    for package, version in wanted:
        found = pinned[re.sub(r"[._-]+", "-", package).lower()]
        assert not version or found == version or found.startswith(f"{version}.")
    assert "--require-hashes" in recipe(name)


@EVERY_RUNTIME
def test_pytorch_comes_with_its_cuda_libraries(name: str) -> None:
    lock = (IMAGES / name / "requirements.txt").read_text()

    assert re.search(r"^torch==[\d.]+ ", lock, re.MULTILINE)
    assert re.search(r"^nvidia-cublas", lock, re.MULTILINE)


@EVERY_RUNTIME
def test_what_is_cloned_is_one_commit_or_release(name: str) -> None:
    for revision in re.findall(r"(?:fetch\.sh|\"\$1\") [\w-]+/[\w-]+ (\S+)", recipe(name)):
        assert re.fullmatch(r"[0-9a-f]{40}|refs/tags/v[\d.]+", revision)


@EVERY_RUNTIME
def test_only_what_is_copied_is_sent_to_the_builder(name: str) -> None:
    kept = {
        line[1:] for line in (IMAGES / name / "Dockerfile.dockerignore").read_text().splitlines() if line[:1] == "!"
    }

    for source in re.findall(r"^COPY (images/\S+)", recipe(name), re.MULTILINE):
        assert (ROOT / source).is_file()
        assert [place for place in kept if source.startswith(place)], source


def start_script(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"start_{name}", IMAGES / name / "start.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def started(name: str, folder: Path, program: str, environment: dict[str, str]) -> str:
    """Run the image's start script with ``program`` in the place of the runtime; what the program prints."""
    entry = "launch.py" if name == "sdwebui" else "main.py"
    (folder / entry).write_text(program)
    code = (
        "import importlib.util, os, pathlib\n"
        f"spec = importlib.util.spec_from_file_location('start', {str(IMAGES / name / 'start.py')!r})\n"
        "start = importlib.util.module_from_spec(spec)\n"
        "spec.loader.exec_module(start)\n"
        f"start.main(os.environ, pathlib.Path({str(folder / 'data')!r}))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder,
        env={"PATH": os.defpath, **environment},
        capture_output=True,
        text=True,
        timeout=LIMIT,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


TELL = "import json, os, sys; print(json.dumps([os.getpid(), sys.argv[1:]]))"


@pytest.fixture
def models(tmp_path: Path) -> Path:
    """A mount as the bucket makes it: without most of the folders."""
    folder = tmp_path / "mount"
    for name in ("Stable-diffusion", "Lora", "embeddings"):
        (folder / name).mkdir(parents=True)
    (folder / "Stable-diffusion" / "model.safetensors").write_text("weights")
    return folder


def test_the_webui_makes_its_folders_outside_the_mount(tmp_path: Path, models: Path) -> None:
    # Given the WebUI makes what it lacks, and would fail on a read-only mount
    program = (
        "import os, pathlib\n"
        "data = pathlib.Path('data')\n"
        "for name in ('hypernetworks', 'ESRGAN', 'Stable-diffusion', 'karlo'):\n"
        "    os.makedirs(data / 'models' / name, exist_ok=True)\n"
        "(data / 'models' / 'hypernetworks' / 'probe').write_text('x')\n"
        "print((data / 'models' / 'Stable-diffusion' / 'model.safetensors').read_text())\n"
        "print(os.path.realpath(data / 'embeddings'))\n"
    )
    before = sorted(models.rglob("*"))

    # When
    output = started("sdwebui", tmp_path, program, {"MODELS_DIR": str(models)})

    # Then
    assert output.split() == ["weights", str(models / "embeddings")]
    assert sorted(models.rglob("*")) == before


def test_a_model_that_is_uploaded_later_is_found_too(tmp_path: Path, models: Path) -> None:
    start_script("sdwebui").prepare_folders(models, tmp_path / "data")
    (models / "Lora" / "style.safetensors").write_text("later")

    assert (tmp_path / "data" / "models" / "Lora" / "style.safetensors").read_text() == "later"


def test_the_folders_can_be_prepared_twice_and_without_any_mount(tmp_path: Path) -> None:
    for _ in range(2):
        start_script("sdwebui").prepare_folders(tmp_path / "missing", tmp_path / "data")

    assert (tmp_path / "data" / "models" / "hypernetworks").is_dir()


@pytest.mark.parametrize("held", ["", "not json", "[]", '{"api_enable_requests": true, "CLIP_stop_at_last_layers": 2}'])
def test_the_webui_fetches_no_links_and_maps_no_model_whatever_its_settings_say(tmp_path: Path, held: str) -> None:
    # Given
    settings = tmp_path / "settings" / "config.json"
    if held:
        settings.parent.mkdir()
        settings.write_text(held)

    # When
    started("sdwebui", tmp_path, TELL, {"CONFIG_FILE": str(settings)})

    # Then
    written = json.loads(settings.read_text())
    assert (written["api_enable_requests"], written["disable_mmap_load_safetensors"]) == (False, True)
    assert ("CLIP_stop_at_last_layers" in written) == ("CLIP" in held)


def test_the_webui_gets_the_charts_arguments(tmp_path: Path) -> None:
    # Given
    environment = {"PORT": "7000", "SD_MODEL_CHECKPOINT": "a b.safetensors", "EXTRA_CMD_ARG": "--medvram --port 7001"}

    # When
    words = json.loads(started("sdwebui", tmp_path, TELL, environment))[1]
    dynamic = json.loads(started("sdwebui", tmp_path, TELL, {**environment, "DYNAMIC_SD_MODEL": "true"}))[1]
    with_page = json.loads(started("sdwebui", tmp_path, TELL, {"API_ONLY": "false"}))[1]

    # Then
    assert words[words.index("--port") + 1] == "7000"
    assert words[words.index("--ckpt") + 1].endswith("/models/Stable-diffusion/a b.safetensors")
    assert words[-3:] == ["--medvram", "--port", "7001"]
    assert "--ckpt" not in dynamic
    assert ("--nowebui" in words, "--nowebui" in with_page) == (True, False)


def test_comfyui_finds_the_buckets_folders_and_writes_elsewhere(tmp_path: Path, models: Path) -> None:
    # When
    environment = {"MODELS_DIR": str(models), "EXTRA_CMD_ARG": "--listen 0.0.0.0 --port 8188"}
    words = json.loads(started("comfyui", tmp_path, TELL, environment))[1]

    # Then
    assert words[words.index("--base-directory") + 1] == str(tmp_path / "data")
    paths = json.loads(Path(words[words.index("--extra-model-paths-config") + 1]).read_text())["bucket"]
    assert paths["base_path"] == str(models)
    assert paths["checkpoints"].split("\n") == ["checkpoints", "Stable-diffusion"]
    assert words[-4:] == ["--listen", "0.0.0.0", "--port", "8188"]
    assert {"input", "output", "temp"} <= {path.name for path in (tmp_path / "data").iterdir()}


@pytest.mark.parametrize("name", ["sdwebui", "comfyui"])
def test_the_runtime_takes_the_process_over_so_that_it_gets_sigterm(name: str, tmp_path: Path) -> None:
    # Given a program that says its own process id and that of the process that was started
    program = "import json, os; print(json.dumps([os.getpid(), os.getppid()]))"

    # When
    _, parent = json.loads(started(name, tmp_path, program, {}))

    # Then
    assert parent == os.getpid()
