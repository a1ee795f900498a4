"""Whether EKS offers the Kubernetes version, and its add-ons and KEDA run on it."""

from collections.abc import Iterator, Mapping
from typing import get_args

from infra.config.model import Config, EksAddon
from infra.versions import EKS_ADDONS, KEDA
from utils.deploy.account import CLIENT, Account
from utils.deploy.finding import Finding, Subject, error, warning

STANDARD = "STANDARD_SUPPORT"

KEDA_SUPPORTS: Mapping[str, str] = {"2.18": "1.33", "2.19": "1.34", "2.20": "1.35"}
"""The newest Kubernetes that each minor version of KEDA is tested with."""

OBSERVER = "amazon-cloudwatch-observability"


def check(subject: Subject) -> Iterator[Finding]:
    """EKS's own words on the version, then the add-ons', then KEDA's."""
    yield from _version(subject)
    yield from _addons(subject.account, subject.config)
    yield from _keda(subject.config)


def _version(subject: Subject) -> Iterator[Finding]:
    version, region = subject.config.eks.version, subject.account.region
    eks = subject.account.session.client("eks", config=CLIENT)
    pages = eks.get_paginator("describe_cluster_versions").paginate()
    statuses = {one["clusterVersion"]: one["versionStatus"] for page in pages for one in page["clusterVersions"]}
    supported = sorted(one for one, status in statuses.items() if status == STANDARD)
    fix = f"Set eks.version in config.yaml to one of {', '.join(supported)}."
    if version not in statuses:
        yield error(f"EKS does not offer Kubernetes {version} in {region}", fix)
    elif statuses[version] != STANDARD:
        yield error(
            f"Kubernetes {version} is no longer in standard support of EKS ({statuses[version]}), and the cluster is "
            "made with standard support only",
            fix,
        )


def _addons(account: Account, config: Config) -> Iterator[Finding]:
    eks = account.session.client("eks", config=CLIENT)
    for name in get_args(EksAddon):
        if name == OBSERVER and not config.add_ons.observability:
            continue
        pages = eks.get_paginator("describe_addon_versions").paginate(
            kubernetesVersion=config.eks.version, addonName=name
        )
        offered = [one["addonVersion"] for page in pages for addon in page["addons"] for one in addon["addonVersions"]]
        pinned = config.add_ons.eks_versions.get(name) or EKS_ADDONS.get(config.eks.version, {}).get(name)
        if not offered:
            yield error(
                f"EKS has no version of the add-on {name} for Kubernetes {config.eks.version} in {account.region}",
                "Set another eks.version in config.yaml.",
            )
        elif pinned and pinned not in offered:
            yield error(
                f"EKS has no version {pinned} of the add-on {name} for Kubernetes {config.eks.version}",
                f"Set addOns.eksVersions.{name} in config.yaml to one of {', '.join(offered[:5])}.",
            )


def _keda(config: Config) -> Iterator[Finding]:
    chart = config.add_ons.keda.chart_version or KEDA.version
    newest = KEDA_SUPPORTS.get(".".join(chart.split(".")[:2]))
    if newest and _number(config.eks.version) > _number(newest):
        yield warning(
            f"KEDA {chart} is tested with Kubernetes up to {newest}, and eks.version is {config.eks.version}",
            f'Set eks.version to "{newest}", or name a newer KEDA as addOns.keda.chartVersion.',
        )


def _number(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))
