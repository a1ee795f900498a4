"""An embedded AWS for the tests of scripts: moto on loopback, and stand-ins for what moto has only in part."""

import base64
import json
import os
import subprocess
import sys
import tempfile
import urllib.parse
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import requests

from test.support.stand_ins import StandIns, SystemsManager, served

ROOT = Path(__file__).parents[2]
REGION = "us-west-2"
ACCOUNT = "123456789012"
REGISTRY = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com"
KEYS = {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing"}

MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"

AMI = "ami-12c6146b"
"""One that moto knows."""


@dataclass(frozen=True)
class Aws:
    """Where it is, and what a script needs to reach it."""

    url: str
    stand_ins: StandIns
    environment: Mapping[str, str]

    @property
    def ssm(self) -> SystemsManager:
        return self.stand_ins.ssm

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
        self.stand_ins.reset()

    def record(self) -> None:
        """Keep every call from now on, for ``recorded``."""
        requests.post(f"{self.url}/moto-api/recorder/reset-recording", timeout=30).raise_for_status()
        requests.post(f"{self.url}/moto-api/recorder/start-recording", timeout=30).raise_for_status()

    def recorded(self) -> list[str]:
        """Calls since ``record``, in their order, such as "cloudformation CreateStack" or "s3 PUT /bucket/key"."""
        requests.post(f"{self.url}/moto-api/recorder/stop-recording", timeout=30).raise_for_status()
        lines = requests.get(f"{self.url}/moto-api/recorder/download-recording", timeout=30).text.splitlines()
        return [_call(json.loads(line)) for line in lines]

    def push(self, repository: str, tag: str = "latest") -> str:
        """An image in the account's ECR. Returns its digest."""
        ecr = self.client("ecr")
        manifest = json.dumps(
            {"schemaVersion": 2, "mediaType": MANIFEST, "config": {}, "layers": [], "name": repository}
        )
        with suppress(ecr.exceptions.RepositoryAlreadyExistsException):
            ecr.create_repository(repositoryName=repository)
        return str(
            ecr.put_image(repositoryName=repository, imageManifest=manifest, imageTag=tag)["image"]["imageId"][
                "imageDigest"
            ]
        )


def _call(request: Mapping[str, Any]) -> str:
    """Service and operation of a recorded request; method and path where the protocol has no operation."""
    headers = {name.lower(): value for name, value in request["headers"].items()}
    service = headers.get("authorization", "///").split("/")[3]
    if target := headers.get("x-amz-target"):
        return f"{service} {target.rpartition('.')[2]}"
    body = request.get("body") or ""
    if service in {"s3", "lambda"}:
        return f"{service} {request['method']} {urllib.parse.urlsplit(request['url']).path}"
    text = base64.b64decode(body).decode() if request.get("body_encoded") else body
    return f"{service} {dict(urllib.parse.parse_qsl(text)).get('Action', '?')}"


@contextmanager
def embedded() -> Iterator[Aws]:
    """Until the context ends. moto has a process of its own, since a reset empties all that a process holds."""
    with (
        tempfile.TemporaryDirectory() as folder,
        subprocess.Popen(
            [sys.executable, "-m", "test.support.moto_server"],
            cwd=ROOT,
            env={**os.environ, "MOTO_RECORDER_FILEPATH": f"{folder}/recording"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        ) as server,
    ):
        assert server.stdout is not None
        try:
            yield from _served(server.stdout.readline().strip())
        finally:
            server.kill()


def _served(url: str) -> Iterator[Aws]:
    stand_ins = StandIns()
    with served(stand_ins) as endpoints:
        yield Aws(
            url,
            stand_ins,
            {
                "PATH": os.environ["PATH"],
                "AWS_ENDPOINT_URL": url,
                "ALLOW_AWS_ENDPOINT_URL": "1",
                "AWS_DEFAULT_REGION": REGION,
                "AWS_EC2_METADATA_DISABLED": "true",
                **endpoints,
                **KEYS,
            },
        )
