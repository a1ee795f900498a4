"""The help texts of the project's own commands."""

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
"""A module without it is not run for its help, since it would do its work."""

_CDK = (
    "bootstrap deploy destroy diff ls synth --require-approval --all --context --profile --quiet "
    "--no-rollback --force --outputs-file --concurrency "
    "CDK_CONFIG_PATH CDK_NAG"
)
"""Of the CDK's command line, which only its installed package could tell."""


def of_script(path: str, argv: Sequence[str]) -> str:
    """The help of a shell script and of the module that it passes options to; its source if it has neither."""
    text = (ROOT / path).read_text("utf-8")
    if path == "infra/cdk.sh":
        return _CDK
    if path == "deploy/deploy.sh" and "--local" in argv:
        return f"--local {of_module('utils.local')}"
    texts = [of_module(name) or "" for name in _MODULE.findall(text)]
    if "\nusage()" in text:
        texts.append(_run("bash", path, "--help"))
    return "\n".join(texts) or text


@cache
def of_module(name: str, action: str = "") -> str | None:
    """The help of ``python -m name action``, or the source of what takes no options.

    Empty for a module that is not ours, None where there is none.
    """
    if name.partition(".")[0] not in OURS:
        return "" if importlib.util.find_spec(name) else None
    base = ROOT.joinpath(*name.split("."))
    # The parser of a package's command may be in another module than its __main__.
    sources = sorted(base.glob("*.py")) if (base / "__main__.py").is_file() else [base.with_suffix(".py")]
    if not sources[0].is_file():
        return None
    text = "\n".join(source.read_text("utf-8") for source in sources)
    if not _TAKES_OPTIONS.search(text):
        return text
    help_text = _run(sys.executable, "-m", name, "--help")
    if _is_action(action, help_text):
        help_text += _run(sys.executable, "-m", name, action, "--help")
    return help_text


def _is_action(argument: str, help_text: str) -> bool:
    return any(argument in braces.split(",") for braces in re.findall(r"\{([\w,-]+)\} \.\.\.", help_text))


@cache
def _run(*argv: str) -> str:
    """What a command prints. Raises CalledProcessError when it fails."""
    environment = {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": os.pathsep.join((str(ROOT), str(ROOT / "src"))),
        "COLUMNS": "500",
        "LANG": "C.UTF-8",
    }
    done = subprocess.run(
        argv, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=True
    )
    return done.stdout
