"""What the clients of a config come to: a usage plan each, and what the front door and the agents know of them."""

from dataclasses import dataclass

from contract.clients import DEFAULT_NAME, Client, Clients
from contract.errors import Problem
from infra.config.errors import ConfigError
from infra.config.model import Config

KEY_ID = "abcdefghij"
"""As long as the ids that API Gateway gives to keys."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UsagePlan:
    """A client's API key and what it allows: requests a second, at once, and a day (None: any number)."""

    client: str
    rate_limit: float
    burst_limit: int
    daily_quota: int | None = None


def usage_plans(config: Config) -> tuple[UsagePlan, ...]:
    """One for each client, or one for all where the config names none."""
    usual = config.apigw.throttle
    if not config.clients:
        return (UsagePlan(client=DEFAULT_NAME, rate_limit=usual.rate_limit, burst_limit=usual.burst_limit),)
    return tuple(
        UsagePlan(
            client=client.name,
            rate_limit=client.throttle.rate_limit or usual.rate_limit,
            burst_limit=client.throttle.burst_limit or usual.burst_limit,
            daily_quota=client.daily_quota,
        )
        for client in config.clients
    )


def clients_of(config: Config, *, room: int) -> Clients:
    """The clients, without keys. Raises ConfigError when they take more than ``room`` bytes of the environment of the
    front door's function."""
    clients = Clients(tuple(Client(client.name, client.runtimes, client.prefixes) for client in config.clients))
    size = len(clients.with_keys(dict.fromkeys((client.name for client in clients.named), KEY_ID)).to_env())
    if size > room:
        problem = (
            f"{len(clients.named)} clients take {size} bytes, next to the runtimes a Lambda's environment has room for "
            f"{room}; give them shorter names or fewer runtimes and prefixes, or deploy a second stack"
        )
        raise ConfigError([Problem("clients", problem)])
    return clients
