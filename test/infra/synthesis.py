"""Synthesise a config once for all tests of a run, by the command that cdk.json names."""

import fcntl
import json
import os
import shlex
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from infra.app import ROOT

TIMEOUT = 240
"""Seconds. It takes five on an idle machine that has done it before, and ten times as long on a busy one that has not.
"""


def allow_time(items: list[pytest.Item], folder: Path) -> None:
    """Let every test below ``folder`` take as long as its assemblies may: any test can be the first that needs one."""
    for item in items:
        if item.path.is_relative_to(folder):
            item.add_marker(pytest.mark.timeout(2 * TIMEOUT))


class Refused(Exception):
    """The app ended with an error; the text is what it told its user."""


class Synthesis:
    """Assemblies of configs, shared by the processes of one test run through ``folder``."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __call__(self, name: str, config: Mapping[str, Any] | None = None, *, region: str | None = None) -> Path:
        """The folder of the assembly called ``name``, made of ``config``, or of the repository's own config.yaml."""
        outdir = self._folder / f"{name}.out"
        with (self._folder / f"{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not (outdir / "manifest.json").exists():
                self._run(name, config, outdir, region)
        return outdir

    def _run(self, name: str, config: Mapping[str, Any] | None, outdir: Path, region: str | None) -> None:
        environment = {"CDK_OUTDIR": str(outdir), "CDK_NAG": "1"}
        if config is not None:
            path = self._folder / f"{name}.yaml"
            path.write_text(yaml.safe_dump(dict(config)))
            environment["CDK_CONFIG_PATH"] = str(path)
        if region is not None:
            environment |= {"CDK_DEFAULT_REGION": region, "CDK_DEFAULT_ACCOUNT": "123456789012"}
        done = _app(environment)
        if done.returncode:
            raise Refused(done.stderr)


def run_app(folder: Path, config: Mapping[str, Any]) -> "subprocess.CompletedProcess[str]":
    """Synthesise ``config`` into ``folder``; what the app told, and its exit code."""
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump(dict(config)))
    return _app({"CDK_CONFIG_PATH": str(path), "CDK_OUTDIR": str(folder / "cdk.out")})


def _app(environment: Mapping[str, str]) -> "subprocess.CompletedProcess[str]":
    # Where HOME is, jsii keeps the library unpacked, which takes it most of a minute.
    inherited = {name: os.environ[name] for name in ("PATH", "HOME")}
    command = shlex.split(json.loads((ROOT / "cdk.json").read_text())["app"])
    return subprocess.run(
        command,
        cwd=ROOT,
        env={**inherited, **environment},
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
        check=False,
    )


@pytest.fixture(scope="session")
def synthesise(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Synthesis:
    base = tmp_path_factory.getbasetemp()
    shared = (base if worker_id == "master" else base.parent) / "assemblies"
    shared.mkdir(exist_ok=True)
    return Synthesis(shared)


def template_in(assembly: Path) -> dict[str, Any]:
    """The template of an assembly's only stack."""
    (path,) = assembly.glob("*.template.json")
    template: dict[str, Any] = json.loads(path.read_text())
    return template
