"""Helm releases: what charts install in the cluster, from an address or from this repository."""

from collections.abc import Mapping
from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_eks_v2 as eks
from aws_cdk import aws_s3_assets as assets
from constructs import Construct

from infra.config.model import Source
from infra.versions import Chart

OCI = "oci://"

TIMEOUT = cdk.Duration.minutes(10)
"""Below the 15 minutes that the function behind a release may run: were both alike, the function would be killed before
helm records the failure, and every later helm command would find the release pending (README.md tells the way out)."""


def controller_release(
    scope: Construct,
    construct_id: str,
    *,
    cluster: eks.ICluster,
    chart: Chart,
    source: Source,
    namespace: str,
    values: Mapping[str, Any] | None = None,
    skip_crds: bool = False,
) -> eks.HelmChart:
    """A controller's chart, from ``source`` where the user names one. It is complete when its pods are ready; a failed
    one is rolled back (or uninstalled, the first time), so that the next attempt starts from a clean state."""
    folder = source.chart_repository or chart.folder
    return eks.HelmChart(
        scope,
        construct_id,
        cluster=cluster,
        release=chart.name,
        chart=chart.name,
        repository=f"{folder.rstrip('/')}/{chart.name}" if folder.startswith(OCI) else folder,
        version=source.chart_version or chart.version,
        namespace=namespace,
        create_namespace=True,
        skip_crds=skip_crds,
        values=dict(values or {}),
        wait=True,
        atomic=True,
        timeout=TIMEOUT,
    )


def runtime_release(
    scope: Construct,
    construct_id: str,
    *,
    cluster: eks.ICluster,
    name: str,
    namespace: str,
    chart: assets.Asset | str,
    chart_name: str,
    version: str | None,
    values: Mapping[str, Any],
) -> eks.HelmChart:
    """A runtime's chart: an asset, or an address. It is not waited for: GPU nodes come when tasks come."""
    address = chart if isinstance(chart, str) else None
    return eks.HelmChart(
        scope,
        construct_id,
        cluster=cluster,
        release=name,
        chart=chart_name if address else None,
        repository=address,
        version=version,
        chart_asset=None if isinstance(chart, str) else chart,
        namespace=namespace,
        create_namespace=True,
        values=dict(values),
        timeout=TIMEOUT,
    )
