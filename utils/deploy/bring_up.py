"""Deploys the platform, step by step. Nothing is made before the checks; every step may be repeated."""

from pathlib import Path

from utils.deploy import (
    buckets,
    docker_images,
    image_builds,
    images,
    log_groups,
    model_folders,
    models,
    preflight,
    spot,
    stack,
)
from utils.deploy.account import open_account
from utils.deploy.checks.model_bucket import model_keys, wants_folders
from utils.deploy.config_file import snapshot_of
from utils.deploy.console import DeployError, ask, say, step, warn
from utils.deploy.cost import show_cost
from utils.deploy.finding import Subject
from utils.deploy.image_cache import cache
from utils.deploy.image_cache.machine import POLL_SECONDS
from utils.deploy.image_cache.plan import plan_of
from utils.deploy.next_steps import show_next_steps
from utils.deploy.options import Options
from utils.deploy.plan import Plan, make_plan, raw_config, with_snapshot
from utils.deploy.scaling import show_scaling


def bring_up(options: Options, path: Path) -> None:
    """All steps. Raises DeployError."""
    step("Account, region and config.yaml", "seconds")
    account = open_account(options.region)
    say(f"    account {account.id}, region {account.region}")
    plan = make_plan(account, options, path)
    subject = Subject(account=account, config=plan.config, docker=options.docker)
    findings = preflight.inspect(subject)
    preflight.show(findings)
    if options.dry_run:
        plan.write()
        _show_plan(subject, options, plan)
    preflight.stop_on_errors(findings)
    if not options.dry_run:
        _make(subject, options, plan)


def _show_plan(subject: Subject, options: Options, plan: Plan) -> None:
    """What a deployment would make, and its price."""
    account, config = subject.account, subject.config
    spot.prepare(account, dry_run=True)
    step("The plan", "about 20 seconds for the price")
    if subject.makes_bucket:
        say(f"    model bucket  s3://{config.model_bucket}, made and filled by the deployment")
    else:
        say(f"    model bucket  s3://{config.model_bucket}")
    built = image_builds.missing(account, config)
    for image in images.images_of(config, account):
        how = "built in the account" if any(image.endswith(one.reference) for one in built) else "pulled as it is"
        say(f"    image         {image}, {how}")
    for runtime in config.models_runtime:
        say(f"    runtime       {runtime.name}, {runtime.type}")
    say(f"    stack         {subject.stack_name} in {account.region}")
    show_scaling(config)
    show_cost(raw_config(plan))
    say(f"Nothing was made in the account. {plan.path} is ready; edit it if you like, and deploy it:")
    say(f"  deploy/deploy.sh --region {account.region}{' --image-cache' if options.image_cache else ''}")


def _make(subject: Subject, options: Options, plan: Plan) -> None:
    account, name = subject.account, subject.stack_name
    plan.write()
    _prepare_bucket(subject, options)
    if options.docker:
        docker_images.build_missing(account, plan.config, yes=options.yes)
    _remove_orphans(subject, options)
    cdk = stack.Cdk.find(account, plan.path, own_tools=options.own_tools)
    if not stack.bootstrapped(account):
        step("Preparing the region for the CDK, once", "about 2 minutes")
        cdk("bootstrap", f"aws://{account.id}/{account.region}")
    spot.prepare(account, dry_run=False)
    step(f"Deploying {name}", "20 to 30 minutes")
    say("    Ctrl-C stops watching; CloudFormation continues, and the same command joins it again.")
    cdk(*stack.DEPLOY, name)
    image_builds.wait_for_images(account, plan.config, poll=options.poll or image_builds.POLL_SECONDS)
    if options.image_cache and not all(map(snapshot_of, plan.config.models_runtime)):
        _add_image_cache(subject, plan, cdk, poll=options.poll or POLL_SECONDS)
    show_next_steps(account, name, plan.config)


def _prepare_bucket(subject: Subject, options: Options) -> None:
    account, bucket = subject.account, subject.config.model_bucket
    if not subject.makes_bucket:
        _offer_folders(subject, options)
        return
    step("Model bucket", "seconds")
    buckets.make(account, bucket)
    model_folders.make(account, bucket, model_folders.missing(account, bucket))
    if models.SD_1_5.key in model_keys(subject):
        step("Model", "4 GB, at the speed of your network")
        models.copy(account, bucket, models.SD_1_5)


def _offer_folders(subject: Subject, options: Options) -> None:
    """Nothing in a bucket of the user's is changed without a question."""
    if not wants_folders(subject):
        return
    account, bucket = subject.account, subject.config.model_bucket
    missing = model_folders.missing(account, bucket)
    if not missing:
        return
    if ask(f"Put an empty .keep object into {len(missing)} folders of s3://{bucket}?", yes=options.yes):
        model_folders.make(account, bucket, missing)
    else:
        warn(f"without the folders {', '.join(missing)} in s3://{bucket} WebUI does not start")


def _remove_orphans(subject: Subject, options: Options) -> None:
    account, name = subject.account, subject.stack_name
    if stack.find(account, name) is not None:
        return
    orphans = log_groups.orphans(account, subject.config.stack_name)
    if not orphans:
        return
    if not ask(f"Delete {', '.join(orphans)} with the logs of the former stack?", yes=options.yes):
        raise DeployError(
            f"{', '.join(orphans)} would stop the deployment",
            "Export what you want to keep, agree to delete it, or choose another stack name with -n.",
        )
    log_groups.remove_orphans(account, subject.config.stack_name)


def _add_image_cache(subject: Subject, plan: Plan, cdk: stack.Cdk, *, poll: float) -> None:
    """The snapshot holds images that the first deployment built, so that a second one brings it to the nodes."""
    account = subject.account
    wanted = images.images_of(plan.config, account)
    step("Snapshot with the images, so that nodes start fast", "5 to 15 minutes")
    snapshot_id = cache.find(account, wanted)
    if snapshot_id:
        say(f"    {snapshot_id} holds these images")
    else:
        snapshot_id = cache.make(account, cache.checked(wanted), plan_of(account, poll=poll))
    with_snapshot(account, plan.path, snapshot_id)
    step(f"Updating {subject.stack_name} to start nodes from {snapshot_id}", "minutes")
    cdk(*stack.DEPLOY, subject.stack_name)
