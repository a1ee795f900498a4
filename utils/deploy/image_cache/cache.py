"""Makes the snapshot: pull every image on a machine, stop it, keep its data volume."""

import base64
import hashlib
import re
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from utils.deploy.account import CLIENT, Account
from utils.deploy.console import DeployError, say, uninterrupted, warn
from utils.deploy.image_cache.machine import NAME, Plan, machine, stop, wait
from utils.deploy.images import PrivateImage, digest_of

if TYPE_CHECKING:
    from types_boto3_ec2.type_defs import SnapshotTypeDef

CTR = "apiclient exec admin sheltie ctr -a /run/containerd/containerd.sock -n k8s.io"
"""Bottlerocket's way from Systems Manager to the host's containerd, in the namespace that Kubernetes uses."""

MANAGED = "io.cri-containerd.image=managed"
"""The label by which the kubelet takes an image for one that it pulled itself."""

REFERENCE = re.compile(r"[a-zA-Z0-9][\w.-]*(:\d+)?(/[\w.-]+)+(:[\w][\w.-]{0,127})?(@sha256:[0-9a-f]{64})?", re.ASCII)
"""With a host, and nothing that a shell would read otherwise."""

IMAGES_TAG = "sd-on-eks-images"
"""On the snapshot: what is in it, as a checksum, since a tag's value is short."""

PULL_SECONDS = 3600
SNAPSHOT_SECONDS = 3600.0

RUNNING = ("Pending", "InProgress", "Delayed", "Cancelling")

TOLD_CHARACTERS = 500
"""The end of what a failed pull printed."""


def checked(images: Sequence[str]) -> tuple[str, ...]:
    """Raises DeployError for what is no image's full name: containerd has no default registry."""
    for image in images:
        if not REFERENCE.fullmatch(image):
            raise DeployError(
                f"{image!r} is not the full name of an image",
                "Write it with its registry, such as public.ecr.aws/docker/library/busybox:1.36",
            )
    if not images:
        raise DeployError("no image is named", "Name them, with commas in between.")
    return tuple(dict.fromkeys(images))


def find(account: Account, images: Sequence[str]) -> str | None:
    """The newest complete snapshot of exactly these images, made before. Images in ECR are compared by their digest."""
    ec2 = account.session.client("ec2", config=CLIENT)
    response = ec2.describe_snapshots(
        OwnerIds=["self"],
        Filters=[
            {"Name": f"tag:{IMAGES_TAG}", "Values": [_contents(account, images)]},
            {"Name": "status", "Values": ["completed"]},
        ],
    )["Snapshots"]
    return max(response, key=lambda one: one["StartTime"])["SnapshotId"] if response else None


def make(account: Account, images: Sequence[str], plan: Plan) -> str:
    """Returns the snapshot's id. Raises DeployError, and leaves nothing behind, when an image cannot be pulled."""
    with machine(account, plan) as instance:
        for number, image in enumerate(images, start=1):
            say(f"    pulling {image} ({number} of {len(images)})")
            began = time.monotonic()
            _pull(account, instance, image, plan.poll)
            say(f"      {time.monotonic() - began:.0f} s")
        say("    stopping the instance")
        volume = stop(account, instance, plan.poll)
        with _snapshot(account, volume, images) as snapshot_id:
            say(f"    writing {snapshot_id}")
            _wait_until_written(account, snapshot_id, plan.poll)
            return snapshot_id


def _pull(account: Account, instance: str, image: str, poll: float) -> None:
    ssm = account.session.client("ssm", config=CLIENT)
    login = _login(account, image)
    command = f"{CTR} images pull --label {MANAGED} {f'--user {login} ' if login else ''}{image}"
    sent = ssm.send_command(
        InstanceIds=[instance],
        DocumentName="AWS-RunShellScript",
        Comment=f"pull {image}"[:100],
        Parameters={"commands": [command], "executionTimeout": [str(PULL_SECONDS)]},
    )["Command"]["CommandId"]
    status = "Pending"
    printed = ""

    def ended() -> bool:
        nonlocal status, printed
        try:
            response = ssm.get_command_invocation(CommandId=sent, InstanceId=instance)
        except ssm.exceptions.InvocationDoesNotExist:
            return False
        status, printed = response["Status"], response["StandardErrorContent"] or response["StandardOutputContent"]
        return status not in RUNNING

    wait(ended, PULL_SECONDS, poll, f"{image} is not pulled")
    if status != "Success":
        if login:
            printed = printed.replace(login, "AWS:…")
        raise DeployError(
            f"{image} cannot be pulled ({status}): {printed.strip()[-TOLD_CHARACTERS:]}",
            "Check the image's name and tag, that its registry may be read, and --snapshot-size.",
        )


def _login(account: Account, image: str) -> str | None:
    """``USER:PASSWORD`` for a private ECR, of whichever account and region of the partition; valid for 12 hours."""
    private = PrivateImage.of(image)
    if private is None:
        return None
    ecr = account.session.client("ecr", region_name=private.region, config=CLIENT)
    token = ecr.get_authorization_token()["authorizationData"][0]["authorizationToken"]
    return base64.b64decode(token).decode()


@contextmanager
def _snapshot(account: Account, volume: str, images: Sequence[str]) -> Iterator[str]:
    """Deleted again when what follows fails."""
    ec2 = account.session.client("ec2", config=CLIENT)
    tags = {"Name": NAME, IMAGES_TAG: _contents(account, images)}
    snapshot_id = ec2.create_snapshot(
        VolumeId=volume,
        Description=f"Images: {', '.join(images)}"[:255],
        TagSpecifications=[
            {"ResourceType": "snapshot", "Tags": [{"Key": key, "Value": value} for key, value in tags.items()]}
        ],
    )["SnapshotId"]
    try:
        yield snapshot_id
    except BaseException:
        with uninterrupted():
            try:
                ec2.delete_snapshot(SnapshotId=snapshot_id)
            except ClientError as error:
                warn(f"the snapshot {snapshot_id} could not be removed, remove it by hand: {error}")
        raise


def _wait_until_written(account: Account, snapshot_id: str, poll: float) -> None:
    ec2 = account.session.client("ec2", config=CLIENT)

    def written() -> bool:
        response: SnapshotTypeDef = ec2.describe_snapshots(SnapshotIds=[snapshot_id])["Snapshots"][0]
        if response["State"] == "error":
            raise DeployError(f"EC2 could not write {snapshot_id}: {response.get('StateMessage', '')}", "Run it again.")
        return response["State"] == "completed"

    wait(written, SNAPSHOT_SECONDS, poll, f"the snapshot {snapshot_id} is not complete")


def _contents(account: Account, images: Sequence[str]) -> str:
    named = sorted(f"{image} {digest_of(account, image) or ''}" for image in images)
    return hashlib.sha256("\n".join(named).encode()).hexdigest()
