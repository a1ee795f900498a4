"""Who sends a request: API Gateway names the API key, and the key names the client."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from contract.catalog import Catalog
from contract.clients import Client, Clients
from frontend_lambda.body import part


class UnknownKey(Exception):
    """The API key is valid, and belongs to no client of the config."""

    def __init__(self) -> None:
        super().__init__("the API key belongs to no client; ask the operator for your client's key")


@dataclass(frozen=True, slots=True)
class Caller:
    """The client of a request, with what it may use.

    ``catalog`` holds its runtimes only, so that no answer names another client's. ``message_group`` is that of its
    messages; None where all are one client's.
    """

    client: Client
    catalog: Catalog
    output_bucket: str
    message_group: str | None = None


class Callers:
    """Every client that may send requests."""

    def __init__(self, clients: Clients, catalog: Catalog, output_bucket: str) -> None:
        self._clients = clients
        self._catalog = catalog
        self._output_bucket = output_bucket

    def of(self, event: Mapping[str, Any]) -> Caller:
        """Who sent the proxy event ``event``. Raises UnknownKey."""
        client = self._clients.by_key_id(part(event, "requestContext", "identity", "apiKeyId"))
        if client is None:
            raise UnknownKey
        return Caller(
            client,
            self._catalog.only(client.may_use),
            self._output_bucket,
            message_group=client.name if len(self._clients.named) > 1 else None,
        )
