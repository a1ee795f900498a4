"""Running prompts node by node, with the events, the cache and the history records of the real ComfyUI."""

import hashlib
import json
import logging
import time
import traceback
from collections.abc import Mapping
from io import BytesIO
from typing import Any

from PIL import Image

from utils.simulators.comfyui.cache import OutputCache
from utils.simulators.comfyui.disk import Place
from utils.simulators.comfyui.node import Interrupted, Node, NodeFailure, Produced, Prompt, Run, World, links
from utils.simulators.comfyui.queue import Item, PromptQueue
from utils.simulators.comfyui.sockets import Sockets

PREVIEW_EVENT = (1).to_bytes(4)
JPEG_PREVIEW = (1).to_bytes(4)
"""A binary frame is the event's number, the image's form, and the image."""

PREVIEW_SIDE = 128
"""Pixels; the real one sends at most 512."""

log = logging.getLogger(__name__)


class Executor:
    """Takes prompts from the queue, one after the other. What earlier prompts computed is the cache of the next."""

    def __init__(self, nodes: Mapping[str, Node], world: World, queue: PromptQueue, sockets: Sockets) -> None:
        self._nodes = nodes
        self._world = world
        self._queue = queue
        self._sockets = sockets
        self._cache = OutputCache(world.options.cache_lru)

    def forget(self) -> None:
        """Drop what earlier prompts computed."""
        self._cache.clear()

    async def serve(self) -> None:
        """Run prompts until cancelled."""
        while True:
            item = await self._queue.take()
            execution = Execution(
                item,
                nodes=self._nodes,
                world=self._world,
                queue=self._queue,
                sockets=self._sockets,
                cache=self._cache,
            )
            record = await execution.run()
            self._cache.keep(execution.results)
            await self._queue.finish(item, record)
            log.info("simulated ComfyUI: prompt %s: %s", item.prompt_id, record["status"]["status_str"])
            await self._sockets.send(
                "executing", {"node": None, "prompt_id": item.prompt_id}, item.extra_data.get("client_id", "")
            )


class Execution:
    """One prompt. ``results`` holds what its nodes gave, by their signature."""

    def __init__(
        self,
        item: Item,
        *,
        nodes: Mapping[str, Node],
        world: World,
        queue: PromptQueue,
        sockets: Sockets,
        cache: OutputCache,
    ) -> None:
        self._nodes = nodes
        self._world = world
        self._queue = queue
        self._sockets = sockets
        self._item = item
        self._signatures = _signatures(item.prompt, item.outputs, nodes, world)
        self.results = cache.begin(self._signatures.values())
        self._messages: list[list[Any]] = []
        self._states: dict[str, dict[str, Any]] = {}
        self._executed: list[str] = []
        self._shown: dict[str, Mapping[str, list[Any]]] = {}

    async def run(self) -> dict[str, Any]:
        """Run every node that is needed; the prompt's history record without the prompt."""
        await self._log_failure("execution_start", {})
        await self._log_failure("execution_cached", {"nodes": [n for n in self._item.prompt if self._result(n)]})
        succeeded = True
        for node_id in self._order():
            succeeded = await self._run_node(node_id)
            if not succeeded:
                break
        else:
            await self._log_failure("execution_success", {})
        return {
            "outputs": dict(self._shown),
            "status": {
                "status_str": "success" if succeeded else "error",
                "completed": succeeded,
                "messages": self._messages,
            },
            "meta": {
                node_id: {"node_id": node_id, "display_node": node_id, "parent_node": None, "real_node_id": node_id}
                for node_id in self._shown
            },
        }

    def _result(self, node_id: str) -> Produced | None:
        return self.results.get(self._signatures.get(node_id, ""))

    def _order(self) -> list[str]:
        """The outputs and what they need and the cache does not hold, each after what it needs; outputs first."""
        prompt = self._item.prompt
        wanted: dict[str, set[str]] = {}
        open_ids = list(self._item.outputs)
        while open_ids:
            node_id = open_ids.pop()
            if node_id in wanted:
                continue
            needed = set() if self._result(node_id) else {source for source, _ in links(prompt, node_id).values()}
            wanted[node_id] = {source for source in needed if not self._result(source)}
            open_ids += wanted[node_id]
        order: list[str] = []
        while len(order) < len(wanted):
            free = [n for n in prompt if n in wanted and n not in order and wanted[n] <= set(order)]
            order.append(next((n for n in free if n in self._item.outputs), free[0]))
        return order

    async def _run_node(self, node_id: str) -> bool:
        made = self._result(node_id)
        if made is not None:
            await self._show(node_id, made)
            await self._set_state(node_id, 1, 1, "finished")
            return True
        await self._set_state(node_id, 0.0, 1.0, "running")
        await self._send("executing", {"node": node_id, "display_node": node_id})
        inputs: dict[str, Any] = {}
        try:
            inputs = self._inputs(node_id)
            run = self._run_for(node_id)
            run.check()
            made = await self._node(node_id).run(run, **inputs)
        except Interrupted:
            await self._log_failure("execution_interrupted", self._about(node_id))
            return False
        except Exception as error:  # noqa: BLE001 - a node may fail in any way; the server reports it and goes on
            await self._log_failure("execution_error", self._about(node_id) | self._failure(error, inputs))
            return False
        self.results[self._signatures[node_id]] = made
        self._executed.append(node_id)
        await self._show(node_id, made)
        state = self._states[node_id]
        await self._set_state(node_id, state["max"], state["max"], "finished")
        return True

    def _node(self, node_id: str) -> Node:
        return self._nodes[self._item.prompt[node_id]["class_type"]]

    def _inputs(self, node_id: str) -> dict[str, Any]:
        given = self._item.prompt[node_id]["inputs"]
        sources = links(self._item.prompt, node_id)
        known = self._node(node_id).values(self._world)
        inputs = {name: value for name, value in given.items() if name in known}
        for name, (source, number) in sources.items():
            if name in known:
                inputs[name] = self.results[self._signatures[source]].values[number]
        return inputs

    def _run_for(self, node_id: str) -> Run:
        return Run(
            world=self._world,
            prompt=self._item.prompt,
            extra_data=self._item.extra_data,
            signature=self._signatures[node_id],
            step=lambda value, maximum: self._step(node_id, value, maximum),
            check=self._check,
            preview=self._preview,
        )

    async def _step(self, node_id: str, value: int, maximum: int) -> None:
        self._check()
        await self._set_state(node_id, value, maximum, "running")
        await self._send("progress", {"value": value, "max": maximum, "node": node_id})

    def _check(self) -> None:
        if self._queue.interrupted:
            raise Interrupted

    async def _preview(self, image: Image.Image) -> None:
        if self._item.extra_data.get("preview_method", "none") == "none":
            return
        small = image.copy()
        small.thumbnail((PREVIEW_SIDE, PREVIEW_SIDE))
        target = BytesIO()
        small.save(target, "JPEG")
        frame = PREVIEW_EVENT + JPEG_PREVIEW + target.getvalue()
        await self._sockets.send_bytes(frame, self._item.extra_data.get("client_id", ""))

    async def _show(self, node_id: str, made: Produced) -> None:
        if made.ui is not None:
            self._shown[node_id] = made.ui
            await self._send("executed", {"node": node_id, "display_node": node_id, "output": made.ui})

    async def _set_state(self, node_id: str, value: float, maximum: float, state: str) -> None:
        self._states[node_id] = {
            "value": value,
            "max": maximum,
            "state": state,
            "node_id": node_id,
            "prompt_id": self._item.prompt_id,
            "display_node_id": node_id,
            "parent_node_id": None,
            "real_node_id": node_id,
        }
        await self._send("progress_state", {"nodes": self._states})

    def _about(self, node_id: str) -> dict[str, Any]:
        return {
            "node_id": node_id,
            "node_type": self._item.prompt[node_id]["class_type"],
            "executed": list(self._executed),
        }

    def _failure(self, error: Exception, inputs: Mapping[str, Any]) -> dict[str, Any]:
        return {
            "exception_message": f"{error}\n",
            "exception_type": error.type if isinstance(error, NodeFailure) else _full_name(type(error)),
            "traceback": traceback.format_tb(error.__traceback__),
            "current_inputs": {name: [_plain(value)] for name, value in inputs.items()},
            "current_outputs": list(self._signatures),
        }

    async def _log_failure(self, event: str, data: dict[str, Any]) -> None:
        """An event that the history keeps."""
        data = {**data, "prompt_id": self._item.prompt_id, "timestamp": int(time.time() * 1000)}
        self._messages.append([event, data])
        await self._sockets.send(event, data, self._item.extra_data.get("client_id", ""))

    async def _send(self, event: str, data: dict[str, Any]) -> None:
        client_id = self._item.extra_data.get("client_id", "")
        await self._sockets.send(event, {**data, "prompt_id": self._item.prompt_id}, client_id)


def _signatures(prompt: Prompt, outputs: list[str], nodes: Mapping[str, Node], world: World) -> dict[str, str]:
    """What each needed node's result depends on, as a digest: its class, its values, files, and its sources."""
    signatures: dict[str, str] = {}

    def sign(node_id: str) -> str:
        if node_id not in signatures:
            node = nodes[prompt[node_id]["class_type"]]
            sources = {name: [sign(source), number] for name, (source, number) in links(prompt, node_id).items()}
            values = prompt[node_id]["inputs"] | sources
            content = world.disk.read(Place.annotated(values[node.file_input])) if node.file_input else None
            text = json.dumps([node.name, sorted(values.items())]).encode() + (content or b"")
            signatures[node_id] = hashlib.sha256(text).hexdigest()
        return signatures[node_id]

    for output in outputs:
        sign(output)
    return signatures


def _full_name(kind: type) -> str:
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"


def _plain(value: Any) -> Any:
    return value if value is None or isinstance(value, int | float | str) else str(value)
