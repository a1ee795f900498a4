"""What is installed in the cluster, and from where. Everything here can be set otherwise in config.yaml (addOns)."""

from collections.abc import Mapping
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

EKS_ADDONS: Mapping[str, Mapping[str, str]] = {
    "1.35": {
        "vpc-cni": "v1.21.1-eksbuild.3",
        "kube-proxy": "v1.35.0-eksbuild.2",
        "eks-pod-identity-agent": "v1.3.10-eksbuild.3",
        "coredns": "v1.13.2-eksbuild.1",
        "aws-mountpoint-s3-csi-driver": "v2.5.0-eksbuild.1",
        "amazon-cloudwatch-observability": "v6.3.0-eksbuild.1",
    }
}
"""The EKS add-ons that a Kubernetes version gets, so that two deployments of one config are alike. Other Kubernetes
versions get EKS's default. What EKS offers: ``aws eks describe-addon-versions --kubernetes-version 1.35``."""

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
