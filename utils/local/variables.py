"""Print the variables of a running local platform for a shell: ``eval "$(python -m utils.local.variables)"``.

They are those that the examples of the guide read: endpoint, API key, bucket and topic, and what an AWS client needs to
reach the embedded AWS.
"""

import argparse
import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from utils.local.cloud import Access
from utils.local.running import Addresses, NotRunning, read


def main(argv: Sequence[str] | None = None) -> int:
    """Print an ``export`` line for each variable. Returns 0, or 2 when no platform runs with the folder."""
    parser = argparse.ArgumentParser(
        prog="python -m utils.local.variables", description="Print the variables of a running local platform."
    )
    parser.add_argument("--output", type=Path, default=Path("output"), metavar="DIR", help="of the platform")
    try:
        addresses = read(parser.parse_args(argv).output)
    except NotRunning as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    for name, value in variables_of(addresses).items():
        print(f"export {name}={shlex.quote(value)}")
    return 0


def variables_of(addresses: Addresses) -> Mapping[str, str]:
    """Every variable with its value."""
    return {
        "ENDPOINT": addresses.endpoint,
        "API_KEY": addresses.api_key,
        "BUCKET": addresses.bucket,
        "TOPIC_ARN": addresses.topic_arn,
        **Access(addresses.aws_endpoint_url, addresses.region).environment(),
    }


if __name__ == "__main__":
    sys.exit(main())
