"""moto in this process, and as a process of its own with the few managed policies that tests need:
``python -m test.support.moto_server`` prints its URL and serves until its standard input closes."""

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread
from unittest import mock

import moto.iam.models
from moto.iam.aws_managed_policies import aws_managed_policies_data
from werkzeug.serving import make_server

from utils.local.aws_server import application, quiet
from utils.local.ports import LOOPBACK

POLICIES = ("AmazonSSMManagedInstanceCore", "AmazonEC2ContainerRegistryReadOnly")
"""Of AWS's own; moto takes seconds to load all thousand of them."""


@contextmanager
def running_moto() -> Iterator[str]:
    """A moto server in a thread, as the local platform runs it; yields its URL."""
    quiet()
    server = make_server(LOOPBACK, 0, application(), threaded=True)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://{LOOPBACK}:{server.port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def main() -> None:
    every = json.loads(aws_managed_policies_data)
    few = json.dumps({name: every[name] for name in POLICIES})
    with (
        mock.patch.dict(os.environ, {"MOTO_IAM_LOAD_MANAGED_POLICIES": "true"}),
        mock.patch.object(moto.iam.models, "aws_managed_policies_data", few),
        running_moto() as url,
    ):
        sys.stdout.write(f"{url}\n")
        sys.stdout.flush()
        sys.stdin.read()


if __name__ == "__main__":
    main()
