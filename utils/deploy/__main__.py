"""Brings the platform up in an AWS account, step by step. Every step may be repeated."""

import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from contract.runtimes import RuntimeType
from infra.config.errors import ConfigError
from infra.config.model import Config, load_config
from infra.topology import topology_of
from utils.deploy import buckets, config_file, images, models, spot, stack
from utils.deploy.account import CLIENT, Account, open_account
from utils.deploy.config_file import ROOT
from utils.deploy.console import DeployError, ask, run, say, step, warn
from utils.deploy.farewell import farewell
from utils.deploy.image_cache import cache
from utils.deploy.image_cache.__main__ import plan_of
from utils.deploy.options import Options, read

CONFIG = ROOT / "config.yaml"

AGAIN = "Run the same command again; it goes on from here."

ANEW = "move config.yaml away, and the next run prepares all anew."

BUILD_AGENT = ROOT / "deploy" / "build-and-push.sh"


def main(words: Sequence[str] | None = None) -> int:
    options = read(words)
    return run(lambda: bring_up(options, CONFIG), again=AGAIN)


def bring_up(options: Options, path: Path) -> None:
    """All steps. Raises DeployError."""
    step("Account and region", "seconds")
    account = open_account(options.region)
    say(f"    account {account.id}, region {account.region}")
    config = _checked(account, options, path) if _keeps(account, options, path) else _prepare(account, options, path)
    name = topology_of(config).stack_name
    if options.dry_run:
        spot.prepare(account, dry_run=True)
        say(f"{path} is ready. Edit it if you like, and deploy it:")
        say(f"  deploy/deploy.sh --region {account.region}")
        return
    _deploy(account, options, path, name)
    farewell(account, name, config)


def _keeps(account: Account, options: Options, path: Path) -> bool:
    """Whether config.yaml is used as it is. It is replaced only after a question, and a copy stays."""
    if config_file.as_shipped(path):
        return False
    unlike = ", ".join(options.unlike(config_file.answers_of(_read(path)), account.partition))
    if not unlike:
        return True
    anew = options.answers(model_bucket_arn="")
    say(f"{path} is there, and says otherwise than {unlike}. Written anew by this run's options, it is of the stack")
    say(f"{anew.stack_name} with one runtime, {anew.runtime_name} of type {anew.runtime_type}, all else by default.")
    if not ask("Write it anew (a copy is kept)?", yes=options.yes):
        raise DeployError(f"{path} was left as it is", f"Leave out {unlike} to deploy it.")
    say(f"    a copy is {config_file.set_aside(path)}")
    return False


def _checked(account: Account, options: Options, path: Path) -> Config:
    """The config as it is, when all that it names is there."""
    say(f"    {path} is there, and is used as it is")
    config = checked_config(account, path)
    step("Model bucket, snapshots, images", "seconds")
    _check_models(account, config, required=not options.dry_run, without=f"Or {ANEW}")
    for snapshot_id in dict.fromkeys(filter(None, map(config_file.snapshot_of, config.models_runtime))):
        _check_snapshot(account, snapshot_id, f"Name another, or none, as snapshotID in {path}.", f"Or {ANEW}")
    _check_images(account, options, images.images_of(config, account), needed=not options.dry_run)
    return config


def _read(path: Path) -> Config:
    try:
        return load_config(path)
    except ConfigError as error:
        raise DeployError(str(error), f"Edit {path}.") from error


def checked_config(account: Account, path: Path) -> Config:
    """Read the config. Raises DeployError when it cannot be deployed in this account's partition."""
    config = _read(path)
    if config.partition != account.partition:
        raise DeployError(
            f"modelBucketArn in {path} is of the partition {config.partition}, and {account.region} of "
            f"{account.partition}",
            f"Write arn:{account.partition}:s3:::{config.model_bucket}, or name another region with -R.",
        )
    return config


def _prepare(account: Account, options: Options, path: Path) -> Config:
    """Bucket, model, snapshot, and config.yaml that names them."""
    bucket = options.bucket or buckets.default_name(options.stack_name or "sdoneks", account)
    arn = f"arn:{account.partition}:s3:::{bucket}"
    config = _render(options, arn, None)[1]
    wanted = images.images_of(config, account)
    snapshot_wanted = not (options.snapshot or options.no_snapshot)
    step("Images", "seconds")
    _check_images(account, options, wanted, needed=snapshot_wanted or not options.dry_run)
    _prepare_models(account, options, bucket, config)
    snapshot_id = _snapshot(account, options, wanted)
    step(f"Writing {path}", "seconds")
    text, config = _render(options, arn, snapshot_id)
    config_file.write(path, text)
    return config


def _render(options: Options, arn: str, snapshot_id: str | None) -> tuple[str, Config]:
    try:
        return config_file.render(options.answers(model_bucket_arn=arn, snapshot_id=snapshot_id))
    except ConfigError as error:
        raise DeployError(f"these options cannot be deployed: {error}", "deploy/deploy.sh --help") from error


def _check_images(account: Account, options: Options, wanted: tuple[str, ...], *, needed: bool) -> None:
    """Those that are not needed yet are only warned of."""
    if needed:
        check_images(account, wanted, yes=options.yes)
        return
    for image in images.missing(account, wanted):
        warn(f"{image} is not in ECR yet")


def check_images(account: Account, wanted: tuple[str, ...], *, yes: bool) -> None:
    """The queue agent's image is built when it is agreed to; the runtimes' are the user's to bring.

    Raises DeployError when one is missing.
    """
    for image in images.missing(account, wanted):
        repository = images.PrivateImage.of(image)
        assert repository is not None
        if repository.repository != images.AGENT_REPOSITORY:
            raise DeployError(
                f"{image} is not in ECR",
                f"Push the runtime's image there: deploy/build-and-push.sh --copy IMAGE {repository.repository}:"
                f"{repository.version}",
                "Or name where it is: -i REPOSITORY:TAG, or runtime.inferenceApi.image in config.yaml.",
            )
        command = f"deploy/build-and-push.sh -R {account.region}"
        if not shutil.which("docker"):
            raise DeployError(
                f"{image} is not in ECR, and Docker is not on PATH to build it",
                f"On a machine with Docker: {command}",
            )
        if not ask(f"{image} is not in ECR. Build it now (about 2 minutes)?", yes=yes):
            raise DeployError(f"{image} is not in ECR", command)
        if subprocess.run([BUILD_AGENT, "-R", account.region], check=False).returncode:  # noqa: S603 (our own script)
            raise DeployError("the queue agent's image could not be built, see above", command)


def _prepare_models(account: Account, options: Options, bucket: str, config: Config) -> None:
    if options.bucket:
        step("Your model bucket", "seconds")
        _check_models(
            account, config, required=not options.dry_run, without="Or leave out -b, and one is made and filled."
        )
        return
    if account.partition == "aws-cn":
        raise DeployError(
            "the model hub is not reached from China, so the models' bucket cannot be filled",
            "Copy a model from a mirror into a bucket of yours: deploy/upload-model.sh -b BUCKET --url URL",
            "Then name the bucket with -b.",
        )
    step("Model bucket", "seconds")
    buckets.make(account, bucket)
    step("Model", "4 GB, at the speed of your network")
    models.copy(account, bucket, models.SD_1_5)


def _check_models(account: Account, config: Config, *, required: bool, without: str) -> None:
    """The bucket is there, and the models that runtimes load at their start are in it.

    Where ``required`` is false, a missing model is only warned of; ``without`` tells how to do without the bucket.
    """
    buckets.check(account, config.model_bucket, without=without)
    for runtime in config.models_runtime:
        if runtime.type is not RuntimeType.SDWEBUI or not runtime.model_filename:
            continue
        key = f"Stable-diffusion/{runtime.model_filename}"
        if buckets.holds(account, config.model_bucket, key):
            continue
        problem = f"s3://{config.model_bucket}/{key} is not there, and {runtime.name} loads it at its start"
        fix = f"aws s3 cp {runtime.model_filename} s3://{config.model_bucket}/Stable-diffusion/"
        if required:
            raise DeployError(problem, fix, "Or write the name of your model in config.yaml.", without)
        warn(f"{problem}. Copy it there: {fix}")


def _snapshot(account: Account, options: Options, wanted: tuple[str, ...]) -> str | None:
    if options.no_snapshot:
        return None
    if options.snapshot:
        step("Your snapshot", "seconds")
        _check_snapshot(
            account,
            options.snapshot,
            "Name another with -s, leave out -s to have one made, or do without: --no-snapshot",
        )
        return options.snapshot
    step("Snapshot with the images, so that nodes start fast", "5 to 15 minutes")
    found = cache.find(account, wanted)
    if found:
        say(f"    {found} holds these images")
        return found
    return cache.make(account, cache.checked(wanted), plan_of(account))


def _check_snapshot(account: Account, snapshot_id: str, *fixes: str) -> None:
    ec2 = account.session.client("ec2", config=CLIENT)
    filters = [{"Name": "snapshot-id", "Values": [snapshot_id]}]
    told = ec2.describe_snapshots(Filters=filters)["Snapshots"]  # type: ignore[arg-type]  # a list of one shape
    state = told[0]["State"] if told else "missing"
    if state != "completed":
        raise DeployError(f"the snapshot {snapshot_id} is {state} in {account.region}", *fixes)


def _deploy(account: Account, options: Options, path: Path, name: str) -> None:
    cdk = stack.Cdk.find(account, path, own_tools=options.own_tools)
    if not stack.bootstrapped(account):
        step("Preparing the region for the CDK, once", "about 2 minutes")
        cdk("bootstrap", f"aws://{account.id}/{account.region}")
    spot.prepare(account, dry_run=False)
    step(f"Deploying {name}", "20 to 30 minutes")
    say("    Ctrl-C stops watching; CloudFormation goes on, and the same command joins it again.")
    cdk(*stack.DEPLOY, name)


if __name__ == "__main__":
    sys.exit(main())
