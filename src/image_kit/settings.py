"""The image kit's settings: one frozen object, read from the environment once, at the entry point."""

import os
from collections.abc import Mapping
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from contract.address_guard import Network
from contract.errors import ContractError, problems_of
from contract.policy import TaskPolicy
from contract.settings import LinkHosts, Listed
from image_kit.images import Limits
from image_kit.links import Reach


def _policy(value: object) -> object:
    return TaskPolicy.from_env(value) if isinstance(value, str) else value


class Settings(BaseModel):
    """Seconds, bytes, pixels and counts are plain numbers; lists are comma-separated."""

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)

    weights: Path = Field(default=Path("/opt/weights"), alias="WEIGHTS_DIR")
    """The folder of ``python -m image_kit.weights``."""
    host: str = Field(default="127.0.0.1", alias="HOST")
    port: int = Field(default=8080, alias="PORT", ge=0, le=65535)
    threads: int = Field(default_factory=lambda: os.cpu_count() or 1, alias="THREADS", ge=1)
    """That work on one image; as many as the machine has processors, unless set."""
    max_bytes: int = Field(default=Limits().max_bytes, alias="MAX_IMAGE_BYTES", ge=1)
    max_pixels: int = Field(default=Limits().max_pixels, alias="MAX_PIXELS", ge=1)
    max_edge: int = Field(default=Limits().max_edge, alias="MAX_EDGE", ge=1)
    link_seconds: float = Field(default=20, alias="LINK_TIMEOUT", gt=0)
    input_buckets: Listed = Field(default=(), alias="INPUT_BUCKETS")
    """Buckets that ``s3://`` links may name."""
    allowed_link_hosts: LinkHosts = Field(default=(), alias="ALLOWED_LINK_HOSTS")
    """Host names and networks (CIDR) that links may reach although their addresses are not public."""
    allow_loopback_links: bool = Field(default=False, alias="ALLOW_LOOPBACK_LINKS")
    """Whether ``allowed_link_hosts`` may name loopback, too. Only the platform on one machine sets it."""
    results_bucket: str | None = Field(default=None, alias="RESULTS_BUCKET")
    """Where the function stores what is larger than its answer may be."""
    task_policy: Annotated[TaskPolicy, BeforeValidator(_policy)] = Field(
        default_factory=TaskPolicy, alias="TASK_POLICY"
    )
    """What a request to the function may ask for. The server's requests are tasks, which the front door checks."""
    region: str | None = Field(default=None, alias="AWS_DEFAULT_REGION")

    @property
    def limits(self) -> Limits:
        return Limits(max_bytes=self.max_bytes, max_pixels=self.max_pixels, max_edge=self.max_edge)

    @property
    def reach(self) -> Reach:
        networks: tuple[Network, ...] = tuple(ip_network(one) for one in self.allowed_link_hosts if "/" in one)
        return Reach(
            max_bytes=self.max_bytes,
            seconds=self.link_seconds,
            names=frozenset(one.lower() for one in self.allowed_link_hosts if "/" not in one),
            networks=networks,
            buckets=frozenset(self.input_buckets),
            allow_loopback=self.allow_loopback_links,
        )


def read_settings(environment: Mapping[str, str]) -> Settings:
    """Raises ContractError that names every variable that is wrong, and what is allowed."""
    try:
        return Settings.model_validate({name: value for name, value in environment.items() if value != ""})
    except ValidationError as error:
        raise ContractError(problems_of(error)) from error
