"""The CDK app: config.yaml, or the file that CDK_CONFIG_PATH names, becomes a stack.

Run by the CDK's command line (cdk.json), or by ``python -m infra.app``, which writes to CDK_OUTDIR or ``cdk.out``.
"""

import os
import sys
from pathlib import Path

from contract.errors import Problem
from infra.config.errors import ConfigError
from infra.config.model import Config, load_config
from infra.config.warnings import warnings_of
from infra.node import use_packaged_node

ROOT = Path(__file__).parents[1]

REGION_IN_ARN = 3

FLAGS = {"@aws-cdk/aws-iam:minimizePolicies": True, "@aws-cdk/core:checkSecretUsage": True}
"""Behaviours of the library that are better than its old defaults. Here, so that both ways of running are alike."""


def main() -> int:
    """Synthesise. Returns 1 after printing every problem of the config."""
    path = Path(os.environ.get("CDK_CONFIG_PATH") or ROOT / "config.yaml")
    account = os.environ.get("CDK_DEFAULT_ACCOUNT")
    # Without credentials the CDK's command line names no account, and a region that is only its own default.
    region = os.environ.get("CDK_DEFAULT_REGION") if account else None
    outdir = Path(os.environ.get("CDK_OUTDIR") or ROOT / "cdk.out")
    try:
        config = load_config(path)
        check_region(config, region)
        for warning in warnings_of(config):
            print(f"warning: {warning}", file=sys.stderr)  # noqa: T201 (for the person at the terminal)
        synthesise(config, outdir, account=account, region=region, checked=bool(os.environ.get("CDK_NAG")))
    except ConfigError as error:
        print(error, file=sys.stderr)  # noqa: T201 (for the person at the terminal)
        return 1
    return 0


def check_region(config: Config, region: str | None) -> None:
    """Raises ConfigError when the stack would lie in another partition than the models, or its zones elsewhere."""
    if region is None:
        return
    if region.startswith("cn-") != (config.partition == "aws-cn"):
        arn = config.model_bucket_arn
        raise ConfigError([Problem("modelBucketArn", f"must be in the partition of {region}, got {arn!r}")])
    domain = config.apigw.domain
    if domain and domain.certificate_arn.split(":")[3] != region:
        raise ConfigError(
            [Problem("APIGW.domain.certificateArn", f"must be in {region}, got {domain.certificate_arn}")]
        )
    elsewhere = [zone for zone in config.vpc.availability_zones if not zone.startswith(region)]
    if elsewhere:
        raise ConfigError([Problem("vpc.availabilityZones", f"must be in {region}, got {', '.join(elsewhere)}")])


def synthesise(config: Config, outdir: Path, *, account: str | None, region: str | None, checked: bool) -> None:
    """Write the cloud assembly to ``outdir``; ``checked`` runs the rule check, whose findings stop the synthesis.

    Raises ConfigError when the config cannot be deployed.
    """
    use_packaged_node()
    import aws_cdk as cdk  # noqa: PLC0415 (the library looks for Node.js when it is imported)
    from cdk_nag import AwsSolutionsChecks  # noqa: PLC0415

    from infra.stacks.platform import PlatformStack  # noqa: PLC0415

    app = cdk.App(outdir=str(outdir), context=FLAGS, analytics_reporting=False)
    if checked:
        cdk.Validations.of(app).add_plugins(AwsSolutionsChecks(app))
    PlatformStack(app, config, env=cdk.Environment(account=account, region=region))
    app.synth()


if __name__ == "__main__":
    sys.exit(main())
