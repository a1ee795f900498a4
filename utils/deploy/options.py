"""The options of deploy.sh."""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass

from contract.runtimes import RuntimeType
from utils.deploy.config_file import Answers, Image

_DEFAULTS = Answers()


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """None where an option was left out: then it agrees with any config.yaml."""

    stack_name: str | None
    region: str | None
    dry_run: bool
    bucket: str | None
    snapshot: str | None
    no_snapshot: bool
    runtime_name: str | None
    runtime_type: RuntimeType | None
    image: Image | None
    own_tools: bool
    yes: bool

    def answers(self, *, model_bucket_arn: str, snapshot_id: str | None = None) -> Answers:
        """What config.yaml is to say."""
        return Answers(
            stack_name=self.stack_name or _DEFAULTS.stack_name,
            model_bucket_arn=model_bucket_arn,
            runtime_name=self.runtime_name or _DEFAULTS.runtime_name,
            runtime_type=self.runtime_type or _DEFAULTS.runtime_type,
            image=self.image,
            snapshot_id=snapshot_id,
        )

    def unlike(self, said: Answers, partition: str) -> tuple[str, ...]:
        """The options in use that say something else than the config.yaml that is there."""
        bucket = f"arn:{partition}:s3:::{self.bucket}"
        unlike = {
            "-n": self.stack_name and self.stack_name != said.stack_name,
            "-b": self.bucket and bucket != said.model_bucket_arn,
            "-s": self.snapshot and self.snapshot != said.snapshot_id,
            "--no-snapshot": self.no_snapshot and said.snapshot_id,
            "-r": self.runtime_name and self.runtime_name != said.runtime_name,
            "-t": self.runtime_type and self.runtime_type != said.runtime_type,
            "-i": self.image and self.image != said.image,
        }
        return tuple(option for option, differs in unlike.items() if differs)


def read(words: Sequence[str] | None = None) -> Options:
    """Exits with a message when they are wrong."""
    return Options(**vars(_parser().parse_args(words)))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="deploy.sh",
        description="Bring the platform up in an AWS account; about 30 minutes. Run it again after a failure, and it "
        "goes on; run it again later, and the stack is updated.",
        epilog="deploy.sh --local brings it up on this machine instead; it has options of its own: --local --help.",
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("-n", "--stack-name", metavar="NAME", help=f"prefix of all names (default: {_DEFAULTS.stack_name})")
    add("-R", "--region", help="default: the environment's, the profile's, or that of this machine")
    add("-d", "--dry-run", action="store_true", help="prepare everything and write config.yaml, do not deploy")
    add("-b", "--bucket", metavar="NAME", help="your bucket with models, in the region (default: one is made)")
    snapshot = parser.add_mutually_exclusive_group()
    snapshot.add_argument("-s", "--snapshot", metavar="ID", help="EBS snapshot with the images (default: one is made)")
    snapshot.add_argument(
        "--no-snapshot", action="store_true", help="let nodes pull the images, in parallel, onto their instance store"
    )
    add("-r", "--runtime-name", metavar="NAME", help=f"name in API calls (default: {_DEFAULTS.runtime_name})")
    add(
        "-t",
        "--runtime-type",
        type=RuntimeType,
        choices=list(RuntimeType),
        metavar="TYPE",
        help=f"{', '.join(RuntimeType)} (default: {_DEFAULTS.runtime_type})",
    )
    add(
        "-i",
        "--image",
        type=Image.parse,
        metavar="REPOSITORY[:TAG]",
        help="image of the runtime (default: sd-on-eks/TYPE:latest in the account's ECR)",
    )
    add("-T", "--skip-tools", dest="own_tools", action="store_true", help="install nothing; use the cdk on PATH")
    add("-y", "--yes", action="store_true", help="answer every question with yes")
    return parser
