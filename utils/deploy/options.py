"""The options of deploy.sh."""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass

from contract.runtimes import RuntimeType
from utils.deploy.config_file import Answers, Image
from utils.deploy.console import warn

_DEFAULTS = Answers()


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """None where an option was left out: then it agrees with any config.yaml."""

    stack_name: str | None
    region: str | None
    dry_run: bool
    bucket: str | None
    snapshot: str | None
    image_cache: bool
    no_snapshot: bool
    runtime_name: str | None
    runtime_type: RuntimeType | None
    image: Image | None
    docker: bool
    own_tools: bool
    yes: bool
    poll: float | None
    """Seconds between two looks at what AWS does; None: as each kind of work is looked at."""

    def answers(self, *, model_bucket_arn: str, snapshot_id: str | None = None) -> Answers:
        """What config.yaml is to say."""
        return Answers(
            stack_name=self.stack_name or _DEFAULTS.stack_name,
            model_bucket_arn=model_bucket_arn,
            runtime_name=self.runtime_name or _DEFAULTS.runtime_name,
            runtime_type=self.runtime_type or _DEFAULTS.runtime_type,
            image=self.image,
            snapshot_id=self.snapshot or snapshot_id,
            builds_images=not self.docker,
        )

    def differing(self, written: Answers, partition: str) -> tuple[str, ...]:
        """The options that say something else than ``written``, which is what config.yaml says."""
        bucket = f"arn:{partition}:s3:::{self.bucket}"
        differing = {
            "-n": self.stack_name and self.stack_name != written.stack_name,
            "-b": self.bucket and bucket != written.model_bucket_arn,
            "-s": self.snapshot and self.snapshot != written.snapshot_id,
            "--no-snapshot": self.no_snapshot and written.snapshot_id,
            "-r": self.runtime_name and self.runtime_name != written.runtime_name,
            "-t": self.runtime_type and self.runtime_type != written.runtime_type,
            "-i": self.image and self.image != written.image,
            "--docker": self.docker and written.builds_images,
        }
        return tuple(option for option, differs in differing.items() if differs)


def read(argv: Sequence[str] | None = None) -> Options:
    """Exits with a message when they are wrong. Options of the AWS guidance are accepted with a hint."""
    arguments = vars(_parser().parse_args(argv))
    if arguments.pop("skip_snapshot"):
        warn("-S is not needed: no snapshot is made unless --image-cache asks for one")
    return Options(**arguments)


def runtime_type(text: str) -> RuntimeType:
    """In any mixture of upper and lower case, as in the AWS guidance."""
    return RuntimeType(text.lower())


runtime_type.__name__ = "runtime type"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="deploy.sh",
        description="Deploy the platform to an AWS account; about 30 minutes. Run it again after a failure, and it "
        "continues; run it again later, and the stack is updated.",
        epilog="deploy.sh --local runs the platform on this machine instead; it has options of its own: --local "
        "--help.",
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("-n", "--stack-name", metavar="NAME", help=f"prefix of all names (default: {_DEFAULTS.stack_name})")
    add("-R", "--region", help="default: the environment's, the profile's, or that of this machine")
    add("-d", "--dry-run", action="store_true", help="check everything, write config.yaml, print the plan and its cost")
    add("-b", "--bucket", metavar="NAME", help="your bucket with models, in the region (default: one is made)")
    snapshot = parser.add_mutually_exclusive_group()
    snapshot.add_argument("-s", "--snapshot", metavar="ID", help="EBS snapshot with the images (default: none)")
    snapshot.add_argument("--image-cache", action="store_true", help="make such a snapshot after the deployment")
    snapshot.add_argument("--no-snapshot", action="store_true", help="let nodes pull the images (the default)")
    snapshot.add_argument("-S", dest="skip_snapshot", action="store_true", help=argparse.SUPPRESS)
    add("-r", "--runtime-name", metavar="NAME", help=f"name in API calls (default: {_DEFAULTS.runtime_name})")
    add(
        "-t",
        "--runtime-type",
        type=runtime_type,
        metavar="TYPE",
        help=f"{', '.join(RuntimeType)} (default: {_DEFAULTS.runtime_type})",
    )
    add(
        "-i",
        "--image",
        type=Image.parse,
        metavar="REPOSITORY[:TAG]",
        help="image of the runtime (default: built in the account)",
    )
    add("--docker", action="store_true", help="build images with Docker on this machine, not in the account")
    add("-T", "--skip-tools", dest="own_tools", action="store_true", help="install nothing; use the cdk on PATH")
    add("-y", "--yes", action="store_true", help="answer every question with yes")
    add("--poll", type=float, help=argparse.SUPPRESS)
    return parser
