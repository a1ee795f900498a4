"""An embedded AWS for the tests of scripts: moto on loopback, and Systems Manager, which moto has only in part."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import boto3
import requests

ROOT = Path(__file__).parents[2]
REGION = "us-west-2"
ACCOUNT = "123456789012"
REGISTRY = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com"
KEYS = {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing"}

MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"

AMI = "ami-12c6146b"
"""One that moto knows."""


@dataclass
class SystemsManager:
    """What the tests set, and what was asked. A pull of an image that holds ``broken`` fails."""

    parameters: dict[str, str] = field(default_factory=dict)
    online: bool = True
    broken: str = "no image has this"
    commands: list[str] = field(default_factory=list)

    def answer(self, action: str, asked: Mapping[str, Any]) -> tuple[int, dict[str, Any]]:
        match action:
            case "GetParameter":
                if value := self.parameters.get(asked["Name"]):
                    return 200, {"Parameter": {"Name": asked["Name"], "Value": value}}
                return 400, {"__type": "ParameterNotFound"}
            case "DescribeInstanceInformation":
                (instance,) = asked["Filters"][0]["Values"]
                one = {"InstanceId": instance, "PingStatus": "Online" if self.online else "ConnectionLost"}
                return 200, {"InstanceInformationList": [one]}
            case "SendCommand":
                self.commands += asked["Parameters"]["commands"]
                return 200, {"Command": {"CommandId": f"{len(self.commands) - 1:036d}"}}
            case "GetCommandInvocation":
                command = self.commands[int(asked["CommandId"])]
                failed = {"Status": "Failed", "StandardErrorContent": f"not found: {command}"}
                done = {"Status": "Success", "StandardErrorContent": "", "StandardOutputContent": "done"}
                return 200, failed if self.broken in command else done
        return 400, {"__type": "InvalidAction"}


@dataclass(frozen=True)
class Aws:
    """Where it is, and what a script needs to reach it."""

    url: str
    ssm: SystemsManager
    environment: Mapping[str, str]

    def client(self, service: Any, region: str = REGION) -> Any:
        return boto3.client(
            service,
            region_name=region,
            endpoint_url=self.url,
            aws_access_key_id="testing",
            aws_secret_access_key="testing",
        )

    def reset(self) -> None:
        requests.post(f"{self.url}/moto-api/reset", timeout=30).raise_for_status()
        self.ssm.__init__()  # type: ignore[misc]  # as it began

    def push(self, repository: str, tag: str = "latest") -> str:
        """An image in the account's ECR. Returns its digest."""
        ecr = self.client("ecr")
        manifest = json.dumps(
            {"schemaVersion": 2, "mediaType": MANIFEST, "config": {}, "layers": [], "name": repository}
        )
        ecr.create_repository(repositoryName=repository)
        return str(
            ecr.put_image(repositoryName=repository, imageManifest=manifest, imageTag=tag)["image"]["imageId"][
                "imageDigest"
            ]
        )


@contextmanager
def embedded() -> Iterator[Aws]:
    """Until the context ends. moto has a process of its own, since a reset empties all that a process holds."""
    with subprocess.Popen(
        [sys.executable, "-m", "test.support.moto_server"],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as server:
        assert server.stdout is not None
        try:
            yield from _served(server.stdout.readline().strip())
        finally:
            server.kill()


def _served(url: str) -> Iterator[Aws]:
    ssm = SystemsManager()
    manager = ThreadingHTTPServer(("127.0.0.1", 0), _handler(ssm))
    thread = threading.Thread(target=manager.serve_forever, daemon=True)
    thread.start()
    try:
        yield Aws(
            url,
            ssm,
            {
                "PATH": os.environ["PATH"],
                "AWS_ENDPOINT_URL": url,
                "AWS_ENDPOINT_URL_SSM": f"http://127.0.0.1:{manager.server_port}",
                "AWS_DEFAULT_REGION": REGION,
                "AWS_EC2_METADATA_DISABLED": "true",
                **KEYS,
            },
        )
    finally:
        manager.shutdown()
        manager.server_close()
        thread.join()


def _handler(ssm: SystemsManager) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            status, told = ssm.answer(self.headers["X-Amz-Target"].rpartition(".")[2], asked)
            body = json.dumps(told).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/x-amz-json-1.1")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 (the library's name)
            pass

    return Handler
