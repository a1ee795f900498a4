"""The models that a WebUI has, under all the names that people use for them."""

import asyncio
import logging
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, Self

from contract.webui import MODEL_KEY
from queue_agent.errors import PermanentError, RuntimeFault
from queue_agent.runtimes.sdwebui.api import Api

LISTED = 50
"""How many names the error of an unknown model lists; a bucket may hold thousands."""

_NAMES = {"title", "model_name"}

_HASH = re.compile(r" \[[0-9a-f]+\]$")
"""What a title ends with once WebUI has computed the model's hash; the list may have been read before."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Model:
    """One item of /sd-models. ``title`` comes without the hash that WebUI appends once it has computed it."""

    title: str
    name: str
    filename: str
    short_hash: str | None
    sha256: str | None

    @classmethod
    def of(cls, item: dict[str, Any]) -> Self:
        short_hash = item.get("hash")
        return cls(
            title=str(item["title"]).removesuffix(f" [{short_hash}]"),
            name=str(item["model_name"]),
            filename=PurePosixPath(str(item.get("filename") or item["title"]).replace("\\", "/")).name,
            short_hash=short_hash,
            sha256=item.get("sha256"),
        )

    @property
    def names(self) -> Iterator[str]:
        """All names, the sure ones first: a file name alone may occur in two folders."""
        yield from (self.title, self.name)
        if self.short_hash and self.sha256:
            yield from (self.short_hash, self.sha256)
        yield self.filename

    def ran(self, info: Mapping[str, Any]) -> bool:
        """Whether ``info`` of an answer says that this model ran: by the hash where both tell it, else by the name."""
        short_hash = info.get("sd_model_hash")
        if self.short_hash and short_hash:
            return bool(short_hash == self.short_hash)
        return info.get("sd_model_name") in {self.name, PurePosixPath(self.filename).stem}


class Models:
    """The runtime's models, remembered: listing them makes WebUI look for a file beside each, which is slow on S3."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._known: tuple[Model, ...] = ()

    async def find(self, name: str) -> Model:
        """The model of that name. An unknown one makes WebUI look for new files, once.

        Raises PermanentError with the models there are.
        """
        if model := _match(self._known, name):
            return model
        await self._list()
        if model := _match(self._known, name):
            return model
        await self._api.post("refresh-checkpoints", {}, seconds=None)
        await self._list()
        if model := _match(self._known, name):
            return model
        titles = [model.title for model in self._known]
        more = f" and {len(titles) - LISTED} more" if len(titles) > LISTED else ""
        raise PermanentError(
            "unknown-model", f"there is no model {name!r}; there are: {', '.join(titles[:LISTED]) or 'none'}{more}"
        )

    async def current(self) -> Model | None:
        """The model that is loaded; None when the runtime does not say."""
        options = await self._api.get("options")
        if not isinstance(options, dict):
            raise RuntimeFault("bad-answer", "SD WebUI's /options is no object")
        return self.named_in(options)

    def named_in(self, options: Mapping[str, Any]) -> Model | None:
        """The model that /options names; None when it names none that is known."""
        for name in (options.get(MODEL_KEY), options.get("sd_checkpoint_hash")):
            if isinstance(name, str) and name and (model := _match(self._known, name)):
                return model
        return None

    async def check_ran(self, model: Model, info: Mapping[str, Any]) -> None:
        """Raise RuntimeFault when ``info`` says that another model ran. A file that was replaced has a new hash,
        so the list is read again before."""
        if model.ran(info):
            return
        await self._list()
        found = _match(self._known, model.title)
        if found is None or not found.ran(info):
            raise RuntimeFault(
                "model-mismatch",
                f"asked for the model {model.title}, but {info.get('sd_model_name')} ran; its images are not delivered",
            )

    async def load(self, model: Model) -> None:
        """Switch to the model; takes as long as loading it does. Raises RuntimeFault when it was not loaded: WebUI
        then stays with the old one and answers as if nothing were wrong."""
        await self._api.post("options", {MODEL_KEY: model.title}, seconds=None)
        loaded = await self.current()
        if loaded is not None and loaded != model:
            raise RuntimeFault(
                "model-not-loaded",
                f"SD WebUI did not load {model.title}, it stays with {loaded.title}; its log says why",
            )

    async def _list(self) -> None:
        self.learn(await self._api.get("sd-models"))

    def learn(self, items: Any) -> None:
        """Remember what /sd-models lists. Raises RuntimeFault when it is no list of models."""
        if not isinstance(items, list) or not all(isinstance(item, dict) and item.keys() >= _NAMES for item in items):
            raise RuntimeFault("bad-answer", "SD WebUI's /sd-models lists no models")
        self._known = tuple(Model.of(item) for item in items)


class FixedModel:
    """The model of a runtime whose tasks do not choose one: the one that was loaded when it was first seen ready. A
    person may change it in the UI."""

    def __init__(self, models: Models) -> None:
        self._models = models
        self._loading: asyncio.Task[None] | None = None
        self.model: Model | None = None

    async def check(self, items: Any, options: Mapping[str, Any]) -> None:
        """Learn the model, or see that it is loaded; otherwise begin to load it. ``items`` is what /sd-models says.

        Raises RuntimeFault until it is loaded.
        """
        try:
            self._models.learn(items)
        except RuntimeFault:
            return  # tasks that name no model run nevertheless
        if self._loading is not None:
            if not self._loading.done():
                raise RuntimeFault(
                    "model-changed", f"SD WebUI loads {self._title} again, which another client had changed"
                )
            loading, self._loading = self._loading, None
            await loading
        loaded = self._models.named_in(options)
        if self.model is None:
            self.model = loaded
        elif loaded is not None and loaded.title != self.model.title:
            self._loading = asyncio.create_task(self._models.load(self.model), name="put back the model")
            raise RuntimeFault(
                "model-changed",
                f"another client changed SD WebUI's model to {loaded.title}; {self._title} is loaded again",
            )

    async def put_back(self) -> None:
        """Load the model now, after a run that showed another. Never raises: ``check`` tries again."""
        if self.model is None:
            return
        try:
            await self._models.load(self.model)
        except RuntimeFault as fault:
            log.warning("the runtime's model was not put back", extra={"action": "model", "cause": fault.message})

    async def close(self) -> None:
        if self._loading is not None:
            self._loading.cancel()
            await asyncio.gather(self._loading, return_exceptions=True)

    @property
    def _title(self) -> str:
        return self.model.title if self.model is not None else "its model"


def _match(models: tuple[Model, ...], name: str) -> Model | None:
    """The model that has this name; of several, the one for which it is the surer name."""
    for form in (name, _HASH.sub("", name)):
        found = [(list(model.names).index(form), model) for model in models if form in model.names]
        if found:
            return min(found, key=lambda pair: pair[0])[1]
    return None
