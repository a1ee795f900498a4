"""What the session of a queue item tells: the images that were made, the models and the seeds."""

from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

Session: TypeAlias = Mapping[str, Any]
"""The graph, its prepared copy (``execution_graph``, a node once for each of its turns) and the results."""


def made_images(session: Session, *, intermediate: bool) -> Iterator[str]:
    """Names of the images that the graph's nodes made, in the graph's order, and for each node in the order of its
    turns. What a node only hands on (it got the image as its input) it did not make."""
    copies = session["execution_graph"]["nodes"]
    keys = {copy_id: place for place, copy_id in enumerate(copies)}
    turns = session.get("prepared_iteration_paths", {})
    for node_id, node in session["graph"]["nodes"].items():
        if bool(node.get("is_intermediate")) is not intermediate:
            continue
        own = session["source_prepared_mapping"].get(node_id, [])
        for copy_id in sorted(own, key=lambda copy_id: (turns.get(copy_id, []), keys[copy_id])):
            given = set(image_names(copies[copy_id]))
            yield from (name for name in image_names(session["results"].get(copy_id)) if name not in given)


def image_names(value: Any) -> Iterator[str]:
    """Every image that is named anywhere in the value."""
    if isinstance(value, Mapping):
        if isinstance(value.get("image_name"), str):
            yield value["image_name"]
        for inner in value.values():
            yield from image_names(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from image_names(inner)


def main_models(session: Session) -> Iterator[Mapping[str, Any]]:
    """The models that the graph's loaders name: key, hash, name, base and type."""
    for node in session["graph"]["nodes"].values():
        model = node.get("model")
        if isinstance(model, Mapping) and model.get("type") == "main":
            yield model


def seeds(session: Session) -> Iterator[int]:
    """Seeds as they came to the nodes, whether written in the graph or sent over an edge."""
    for node in session["execution_graph"]["nodes"].values():
        if isinstance(node.get("seed"), int):
            yield node["seed"]


def with_places(value: Any, keys: Mapping[str, str]) -> Any:
    """A copy with the S3 place wherever an image was named."""
    if isinstance(value, dict):
        return {key: with_places(inner, keys) for key, inner in value.items()}
    if isinstance(value, list):
        return [with_places(inner, keys) for inner in value]
    return keys.get(value, value) if isinstance(value, str) else value
