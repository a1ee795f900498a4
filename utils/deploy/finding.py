"""A result of a check: what would go wrong with a deployment, and how to fix it."""

from dataclasses import dataclass
from enum import StrEnum

from infra.config.model import Config
from infra.topology import topology_of
from utils.deploy import buckets
from utils.deploy.account import Account


class Level(StrEnum):
    """An error stops the deployment; a warning is printed, and the deployment continues."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Finding:
    """``fixes`` are commands or sentences, each of which resolves it."""

    level: Level
    what: str
    fixes: tuple[str, ...] = ()

    def __str__(self) -> str:
        return "\n    ".join((f"{self.level}: {self.what}", *self.fixes))


def error(what: str, *fixes: str) -> Finding:
    return Finding(Level.ERROR, what, fixes)


def warning(what: str, *fixes: str) -> Finding:
    return Finding(Level.WARNING, what, fixes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What is checked: a config in an account. ``docker``: images are built on this machine, not in the account."""

    account: Account
    config: Config
    docker: bool = False

    @property
    def stack_name(self) -> str:
        """Of the CloudFormation stack and the cluster."""
        return topology_of(self.config).stack_name

    @property
    def makes_bucket(self) -> bool:
        """Whether the model bucket is the one that a deployment makes and fills itself."""
        return self.config.model_bucket == buckets.default_name(self.config.stack_name, self.account)
