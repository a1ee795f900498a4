"""What a run deploys: the config.yaml that is there, or a new one from the options. Nothing is made here."""

from dataclasses import dataclass
from pathlib import Path

import yaml

from infra.config.errors import ConfigError
from infra.config.model import Config, load_config
from utils.deploy import buckets, config_file
from utils.deploy.account import Account
from utils.deploy.config_file import ROOT
from utils.deploy.console import DeployError, ask, say
from utils.deploy.options import Options

CONFIG = ROOT / "config.yaml"


@dataclass(frozen=True, slots=True)
class Plan:
    """``text`` is what is to be written to ``path``; None where the file is used as it is."""

    path: Path
    config: Config
    text: str | None

    def write(self) -> None:
        """Write config.yaml; a file of the user's is copied first."""
        if self.text is None:
            return
        if not config_file.as_shipped(self.path):
            say(f"    a copy of the former config.yaml is {config_file.set_aside(self.path)}")
        config_file.write(self.path, self.text)
        say(f"    wrote {self.path}")


def make_plan(account: Account, options: Options, path: Path) -> Plan:
    """Keep config.yaml, or plan a new one after a question. Raises DeployError."""
    if _keeps(account, options, path):
        say(f"    {path} is used as it is")
        return Plan(path, checked_config(account, path), None)
    bucket = options.bucket or buckets.default_name(options.stack_name or "sdoneks", account)
    try:
        text, config = config_file.render(options.answers(model_bucket_arn=f"arn:{account.partition}:s3:::{bucket}"))
    except ConfigError as error:
        raise DeployError(f"these options cannot be deployed: {error}", "deploy/deploy.sh --help") from error
    return Plan(path, config, text)


def with_snapshot(account: Account, path: Path, snapshot_id: str) -> None:
    """Write the snapshot into config.yaml for every runtime. Raises DeployError where the file was edited by hand."""
    answers = config_file.answers_of(read_config(path))
    text, _ = config_file.render(answers)
    if path.read_text(encoding="utf-8") != text:
        raise DeployError(
            f"{path} was edited, so that the snapshot {snapshot_id} is not written into it",
            f"Add it to each runtime's extraValues as karpenter.nodeTemplate.dataVolume.snapshotID: {snapshot_id}, "
            f"then run: deploy/update.sh -R {account.region}",
        )
    config_file.write(path, config_file.render(config_file.with_snapshot(answers, snapshot_id))[0])


def read_config(path: Path) -> Config:
    """The config. Raises DeployError when it has problems."""
    try:
        return load_config(path)
    except ConfigError as error:
        raise DeployError(str(error), f"Edit {path}.") from error


def checked_config(account: Account, path: Path) -> Config:
    """Read the config. Raises DeployError when it cannot be deployed in this account's partition."""
    config = read_config(path)
    if config.partition != account.partition:
        raise DeployError(
            f"modelBucketArn in {path} is of the partition {config.partition}, and {account.region} of "
            f"{account.partition}",
            f"Write arn:{account.partition}:s3:::{config.model_bucket}, or name another region with -R.",
        )
    return config


def _keeps(account: Account, options: Options, path: Path) -> bool:
    """Whether config.yaml is used as it is. It is replaced only after a question."""
    if config_file.as_shipped(path):
        return False
    written = config_file.answers_of(read_config(path))
    differing = ", ".join(options.differing(written, account.partition))
    if not differing:
        return True
    new = options.answers(model_bucket_arn="")
    say(f"{path} exists, and differs from {differing}. Replaced by one from this run's options, it would describe the")
    say(f"stack {new.stack_name} with one runtime, {new.runtime_name} of type {new.runtime_type}, all else by default.")
    if not ask("Replace it (a copy is kept)?", yes=options.yes):
        raise DeployError(f"{path} was left as it is", f"Leave out {differing} to deploy it.")
    return False


def raw_config(plan: Plan) -> dict[str, object]:
    """As it is written, for what computes with changed configs."""
    raw: dict[str, object] = yaml.safe_load(plan.text or plan.path.read_text(encoding="utf-8"))
    return raw
