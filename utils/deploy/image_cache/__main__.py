"""Keep container images in an EBS snapshot. Prints its id, for dataVolume.snapshotID in config.yaml."""

import argparse
import contextlib
import io
import sys
from collections.abc import Sequence

from botocore.exceptions import ClientError

from utils.deploy.account import open_account
from utils.deploy.console import DeployError, run, say, step
from utils.deploy.image_cache import cache
from utils.deploy.image_cache.machine import POLL_SECONDS
from utils.deploy.image_cache.plan import INSTANCE_TYPE, SIZE, default_ami, kubernetes_version, plan_of

MIN_SIZE, MAX_SIZE = 5, 16384

AGAIN = "Nothing of this run stays behind; run the same command again."


def main(argv: Sequence[str] | None = None) -> int:
    arguments = _parser().parse_args(argv)
    # With --quiet only the id goes to stdout; faults go to stderr in any case.
    shown = contextlib.redirect_stdout(io.StringIO()) if arguments.quiet else contextlib.nullcontext()
    made: list[str] = []
    with shown:
        code = run(lambda: made.append(_make(arguments)), again=AGAIN)
    if made:
        say(made[0] if arguments.quiet else f"All done. The snapshot is {made[0]}")
    return code


def _make(arguments: argparse.Namespace) -> str:
    images = cache.checked([one.strip() for one in arguments.images.split(",") if one.strip()])
    account = open_account(arguments.region)
    step(f"Image cache in {account.region}: {len(images)} images", "5 to 15 minutes")
    try:
        plan = plan_of(
            account,
            ami=arguments.ami,
            instance_type=arguments.instance_type,
            subnet=arguments.subnet,
            role=arguments.instance_role,
            size=arguments.snapshot_size,
            encrypt=arguments.encrypt,
            kms_id=arguments.kms_id,
            poll=arguments.poll,
        )
        return cache.make(account, images, plan)
    except ClientError as error:
        raise DeployError(f"AWS refused: {error}", AGAIN) from error


def _size(text: str) -> int:
    if not text.isdigit() or not MIN_SIZE <= int(text) <= MAX_SIZE:
        raise argparse.ArgumentTypeError(f"must be {MIN_SIZE} to {MAX_SIZE} GiB, got {text!r}")
    return int(text)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="snapshot.sh", description=__doc__)
    add, ami = parser.add_argument, default_ami(kubernetes_version())
    add("-r", "--region", help="default: the environment's, the profile's, or that of this machine")
    add("-a", "--ami", metavar="PARAMETER", help=f"SSM parameter of the AMI (default: {ami})")
    add("-i", "--instance-type", default=INSTANCE_TYPE, metavar="TYPE", help="default: %(default)s")
    add(
        "--subnet", metavar="ID", help="with a way to the internet (default: one of the stack's, or of the default VPC)"
    )
    add("-R", "--instance-role", metavar="ROLE", help="default: a role that is made, and removed afterwards")
    add("-q", "--quiet", action="store_true", help="print only the snapshot's id")
    add("-e", "--encrypt", action="store_true", help="encrypt the snapshot")
    add("-k", "--kms-id", metavar="KEY", help="encrypt it with this KMS key")
    add("-s", "--snapshot-size", type=_size, default=SIZE, metavar="GIB", help="default: %(default)s")
    add("--poll", type=float, default=POLL_SECONDS, help=argparse.SUPPRESS)
    add("images", help="full names of the images, with commas in between")
    return parser


if __name__ == "__main__":
    sys.exit(main())
