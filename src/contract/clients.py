"""The clients of the API: applications that share a stack, each with an API key, its runtimes and its folders.

The stack writes them into the environment of the front door and of the agents. A config that names none has one client,
``default``, which may do everything.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

from contract.errors import Problem, shown
from contract.links import find_links, s3_place
from contract.object_keys import is_below, uploads_folder

DEFAULT_NAME = "default"


@dataclass(frozen=True, slots=True)
class Client:
    """One application.

    ``runtimes`` are the names of those that it may use, ``prefixes`` the folders of the output bucket that are its own;
    empty: all. ``key_id`` is that of its API key, known to the front door only.
    """

    name: str
    runtimes: tuple[str, ...] = ()
    prefixes: tuple[str, ...] = ()
    key_id: str = ""

    def may_use(self, runtime: str) -> bool:
        """Whether its tasks may go to the runtime of that name."""
        return not self.runtimes or runtime in self.runtimes

    def may_store(self, prefix: str) -> bool:
        """Whether the outputs of its tasks may go below ``prefix``."""
        return not self.prefixes or self._owns(prefix)

    def readable(self, prefix: str) -> tuple[str, ...]:
        """The folders of the output bucket that links of its task may name; ``prefix`` is the task's."""
        return (*(self.prefixes or (prefix,)), uploads_folder(self.name))

    @property
    def own_folders(self) -> str:
        """Its prefixes, as an error names them."""
        return f"one of {', '.join(map(repr, self.prefixes))}"

    def link_problems(self, content: Mapping[str, Any], output_bucket: str) -> Iterator[Problem]:
        """Every link of a task's content into ``output_bucket`` outside of the client's prefixes and uploads.

        Fields are paths in the content. Without prefixes nothing is wrong here: the agent then takes what is below the
        task's own prefix.
        """
        if not self.prefixes:
            return
        for path, link in find_links(content):
            place = s3_place(link)
            if place and place.bucket == output_bucket and not self._may_read(place.key):
                field = ".".join(map(str, path))
                yield Problem(field, f"must be below {self.own_folders} in the output bucket, got {shown(link)}")

    def _may_read(self, key: str) -> bool:
        return self._owns(key) or is_below(key, uploads_folder(self.name))

    def _owns(self, path: str) -> bool:
        return any(is_below(path, own) for own in self.prefixes)


EVERYBODY = Client(DEFAULT_NAME)
"""The one client of a config that names none."""


@dataclass(frozen=True, slots=True)
class Clients:
    """The clients of config.yaml, in its order; none where it names none. Names are unique."""

    named: tuple[Client, ...] = ()

    def __post_init__(self) -> None:
        """Raises ValueError when two clients share a name: each would be taken for the other."""
        names = [client.name for client in self.named]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"two clients have the name {', '.join(twice)}; each needs its own")

    def by_key_id(self, key_id: str | None) -> Client | None:
        """The client whose API key has that id; None for a key of nobody. Without named clients every key is the
        default client's."""
        return self._find(client for client in self.named if key_id and client.key_id == key_id)

    def by_name(self, name: str | None) -> Client | None:
        """The client of that name; None where there is none, and for a message that names none. Without named clients
        every task is the default client's."""
        return self._find(client for client in self.named if client.name == name)

    def with_keys(self, key_ids: Mapping[str, str]) -> Self:
        """The same clients with their API keys; ``key_ids`` by the client's name."""
        return type(self)(tuple(replace(client, key_id=key_ids[client.name]) for client in self.named))

    def to_env(self) -> str:
        """Compact JSON, one row a client: ``[["name","key id",["runtime",…],["prefix",…]],…]``, without what is empty
        at a row's end. Empty when no client is named."""
        return json.dumps([_row(client) for client in self.named], separators=(",", ":")) if self.named else ""

    @classmethod
    def from_env(cls, text: str) -> Self:
        """Read what ``to_env`` wrote. Raises ValueError when it is anything else."""
        try:
            return cls(tuple(_client(*row) for row in json.loads(text))) if text else cls()
        except (TypeError, ValueError, RecursionError) as error:
            raise ValueError(f"the clients cannot be read: {error}") from error

    def _find(self, found: Iterable[Client]) -> Client | None:
        return next(iter(found), None) if self.named else EVERYBODY


def _row(client: Client) -> list[Any]:
    row: list[Any] = [client.name, client.key_id, list(client.runtimes), list(client.prefixes)]
    while not row[-1]:
        row.pop()
    return row


def _client(name: str, key_id: str = "", runtimes: Iterable[str] = (), prefixes: Iterable[str] = ()) -> Client:
    if isinstance(runtimes, str) or isinstance(prefixes, str):
        raise TypeError(f"client {name!r} must have lists of runtimes and prefixes")
    client = Client(name, tuple(runtimes), tuple(prefixes), key_id)
    if not all(isinstance(value, str) for value in (name, key_id, *client.runtimes, *client.prefixes)):
        raise TypeError(f"client {name!r} must have text for its key, runtimes and prefixes")
    return client
