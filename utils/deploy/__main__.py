"""``python -m utils.deploy``: deploys the platform to an AWS account; what deploy.sh runs."""

import sys
from collections.abc import Sequence

from utils.deploy.bring_up import bring_up
from utils.deploy.console import run
from utils.deploy.options import read
from utils.deploy.plan import CONFIG

AGAIN = "Run the same command again; it continues from here."


def main(argv: Sequence[str] | None = None) -> int:
    """Returns the exit code."""
    options = read(argv)
    return run(lambda: bring_up(options, CONFIG), again=AGAIN)


if __name__ == "__main__":
    sys.exit(main())
