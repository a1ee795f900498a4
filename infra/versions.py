"""What is installed in the cluster, and from where. Everything here can be set otherwise in config.yaml (addOns)."""

from dataclasses import dataclass
from pathlib import Path

import yaml


@dataclass(frozen=True, slots=True)
class Chart:
    """A Helm chart. ``folder`` is what holds it: an OCI registry's folder, or the address of an index of charts."""

    name: str
    folder: str
    version: str


KARPENTER = Chart("karpenter", "oci://public.ecr.aws/karpenter", "1.14.1")
KARPENTER_CRDS = Chart("karpenter-crd", KARPENTER.folder, KARPENTER.version)
KEDA = Chart("keda", "https://kedacore.github.io/charts", "2.20.2")

COLLECTOR_IMAGE = "aws-observability/aws-otel-collector:v0.49.0"
"""AWS's build of the OpenTelemetry collector."""

PUBLIC_REGISTRY = "public.ecr.aws"
"""Where AWS's images lie when addOns.imageRegistry names no copy."""

RUNTIME_CHART = "sd-on-eks"
"""The chart in charts/, and its name in a repository of the user's."""

RUNTIME_CHART_FOLDER = Path(__file__).parents[1] / "charts" / RUNTIME_CHART


def runtime_chart_version() -> str:
    """Of the chart in charts/: what a user's repository holds, too, unless config.yaml says otherwise."""
    version: str = yaml.safe_load((RUNTIME_CHART_FOLDER / "Chart.yaml").read_text(encoding="utf-8"))["version"]
    return version
