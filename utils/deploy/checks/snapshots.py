"""The image caches that config.yaml names."""

from collections.abc import Iterator

from utils.deploy.account import CLIENT
from utils.deploy.config_file import snapshot_of
from utils.deploy.finding import Finding, Subject, error


def check(subject: Subject) -> Iterator[Finding]:
    """Each is there and complete."""
    ec2 = subject.account.session.client("ec2", config=CLIENT)
    for snapshot_id in dict.fromkeys(filter(None, map(snapshot_of, subject.config.models_runtime))):
        filters = [{"Name": "snapshot-id", "Values": [snapshot_id]}]
        found = ec2.describe_snapshots(Filters=filters)["Snapshots"]  # type: ignore[arg-type]  # a list of one shape
        state = found[0]["State"] if found else "missing"
        if state != "completed":
            yield error(
                f"the snapshot {snapshot_id} is {state} in {subject.account.region}",
                "Name another with -s, or as snapshotID in config.yaml, or leave it out; nodes then pull the images.",
            )
