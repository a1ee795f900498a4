"""What the project's own commands say of themselves."""

import importlib.util
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from test.docs.pages import ROOT

OURS = {"utils", "infra", "charts", "test"}

_MODULE = re.compile(r"-m (utils\.\S+)")
_TAKES_OPTIONS = re.compile(r"^(import argparse|from argparse import|from utils\.deploy\.options import)", re.MULTILINE)

_CDK = (
    "bootstrap deploy destroy diff ls synth --require-approval --all --context --profile --quiet "
    "--no-rollback --force --outputs-file --concurrency "
    "CDK_CONFIG_PATH CDK_NAG"
)
"""Of the CDK's command line, which only its installed package could tell."""


def of_script(path: str, words: Sequence[str]) -> str:
    """The help of a shell script and of the module that it hands options to; its comments if it has neither."""
    text = (ROOT / path).read_text("utf-8")
    if path == "infra/cdk.sh":
        return _CDK
    if path == "deploy/deploy.sh" and "--local" in words:
        return f"--local {of_module('utils.local')}"
    told = [of_module(name) or "" for name in _MODULE.findall(text)]
    if "\nusage()" in text:
        told.append(_run("bash", path, "--help"))
    return "\n".join(told) or text


@cache
def of_module(name: str, action: str = "") -> str | None:
    """The help of ``python -m name action``, or the source of what takes no options.

    Empty for a module that is not ours, None where there is none.
    """
    if name.partition(".")[0] not in OURS:
        return "" if importlib.util.find_spec(name) else None
    base = ROOT.joinpath(*name.split("."))
    source = next((path for path in (base.with_suffix(".py"), base / "__main__.py") if path.is_file()), None)
    if source is None:
        return None
    text = source.read_text("utf-8")
    if not _TAKES_OPTIONS.search(text):
        return text
    told = _run(sys.executable, "-m", name, "--help")
    return told + _run(sys.executable, "-m", name, action, "--help") if _is_action(action, told) else told


def _is_action(word: str, told: str) -> bool:
    return any(word in braces.split(",") for braces in re.findall(r"\{([\w,-]+)\} \.\.\.", told))


@cache
def _run(*words: str) -> str:
    """What a command prints. Raises CalledProcessError when it fails."""
    environment = {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": os.pathsep.join((str(ROOT), str(ROOT / "src"))),
        "COLUMNS": "500",
        "LANG": "C.UTF-8",
    }
    done = subprocess.run(
        words, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=True
    )
    return done.stdout
