"""moto with the few managed policies that tests need: ``python -m test.support.moto_server`` prints its URL and serves
until its standard input closes."""

import json
import os
import sys
from unittest import mock

import moto.iam.models
from moto.iam.aws_managed_policies import aws_managed_policies_data
from moto.server import ThreadedMotoServer

POLICIES = ("AmazonSSMManagedInstanceCore", "AmazonEC2ContainerRegistryReadOnly")
"""Of AWS's own; moto takes seconds to load all thousand of them."""


def main() -> None:
    every = json.loads(aws_managed_policies_data)
    few = json.dumps({name: every[name] for name in POLICIES})
    with (
        mock.patch.dict(os.environ, {"MOTO_IAM_LOAD_MANAGED_POLICIES": "true"}),
        mock.patch.object(moto.iam.models, "aws_managed_policies_data", few),
    ):
        server = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
        server.start()
        host, port = server.get_host_and_port()
        sys.stdout.write(f"http://{host}:{port}\n")
        sys.stdout.flush()
        sys.stdin.read()
        server.stop()


if __name__ == "__main__":
    main()
