"""Graphs and batches as /enqueue_batch takes them, checked as InvokeAI checks them."""

import types
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from itertools import chain, product
from math import prod
from typing import Annotated, Any, Self, TypeAlias, Union, get_args, get_origin
from uuid import uuid4

from pydantic import BaseModel, Field, field_validator, model_validator

from utils.simulators.invokeai import diffusion, nodes

AnyNode = Annotated[
    nodes.BlankImage
    | nodes.SaveImage
    | nodes.ScaleImage
    | nodes.LoadImage
    | nodes.ImageCollection
    | nodes.Integer
    | nodes.IntegerCollection
    | nodes.String
    | nodes.Iterate
    | nodes.Collect
    | diffusion.MainModelLoader
    | diffusion.Compel
    | diffusion.Noise
    | diffusion.DenoiseLatents
    | diffusion.ImageToLatents
    | diffusion.LatentsToImage,
    Field(discriminator="type"),
]

FieldValue: TypeAlias = dict[str, Any]
"""One substitution of a batch: ``{"node_path", "field_name", "value"}``."""


def _new_id() -> str:
    return str(uuid4())


class EdgeEnd(BaseModel):
    node_id: str
    field: str


class Edge(BaseModel):
    source: EdgeEnd
    destination: EdgeEnd

    def __str__(self) -> str:
        start, end = self.source, self.destination
        return f"{start.node_id}.{start.field} -> {end.node_id}.{end.field}"


class Graph(BaseModel):
    """Nodes by id, and the edges between their fields."""

    id: str = Field(default_factory=_new_id)
    nodes: dict[str, AnyNode] = {}
    edges: list[Edge] = []

    def check(self) -> None:
        """Raises ValueError with the real one's words for the first thing that is wrong."""
        for key, node in self.nodes.items():
            if key != node.id:
                raise ValueError(f"Node ids must match, got {key} and {node.id}")
        for edge in self.edges:
            self._check_ends(edge)
        try:
            self.order()
        except CycleError as error:
            raise ValueError("Graph contains cycles") from error
        for edge in self.edges:
            if not _compatible(self._source_type(edge), self._destination_type(edge)):
                raise ValueError(f"Edge source and target types do not match ({edge})")

    def order(self) -> list[str]:
        """The nodes, each after those that it needs. Raises CycleError."""
        return list(TopologicalSorter({node: self.parents(node) for node in self.nodes}).static_order())

    def parents(self, node_id: str) -> list[str]:
        """The nodes with an edge into this one, each once, in the edges' order."""
        return list(dict.fromkeys(e.source.node_id for e in self.edges if e.destination.node_id == node_id))

    def _check_ends(self, edge: Edge) -> None:
        source, destination = self.nodes.get(edge.source.node_id), self.nodes.get(edge.destination.node_id)
        if source is None:
            raise ValueError(f"Edge source node {edge.source.node_id} does not exist in the graph")
        if destination is None:
            raise ValueError(f"Edge destination node {edge.destination.node_id} does not exist in the graph")
        if edge.source.field not in source.gives.model_fields:
            raise ValueError(f"Edge source field {edge.source.field} does not exist in node {source.id}")
        if edge.destination.field not in type(destination).model_fields:
            raise ValueError(f"Edge destination field {edge.destination.field} does not exist in node {destination.id}")

    def _source_type(self, edge: Edge) -> Any:
        return self.nodes[edge.source.node_id].gives.model_fields[edge.source.field].annotation

    def _destination_type(self, edge: Edge) -> Any:
        return type(self.nodes[edge.destination.node_id]).model_fields[edge.destination.field].annotation


class BatchDatum(BaseModel):
    """Values for one field of one node, one queue item each."""

    node_path: str
    field_name: str
    items: list[Any] = []


class Batch(BaseModel):
    """A graph, and how many queue items become of it."""

    batch_id: str = Field(default_factory=_new_id)
    origin: str | None = None
    destination: str | None = None
    data: list[list[BatchDatum]] | None = None
    graph: Graph
    workflow: dict[str, Any] | None = None
    runs: int = Field(default=1, ge=1)

    @field_validator("graph")
    @classmethod
    def _graph_holds_together(cls, graph: Graph) -> Graph:
        graph.check()
        return graph

    @model_validator(mode="after")
    def _data_names_nodes_and_fields(self) -> Self:
        for datum in chain.from_iterable(self.data or []):
            node = self.graph.nodes.get(datum.node_path)
            if node is None:
                raise ValueError(f"Node {datum.node_path} not found in graph")
            if datum.field_name not in type(node).model_fields:
                raise ValueError(f"Field {datum.field_name} not found in node {datum.node_path}")
        return self

    def count(self) -> int:
        """How many queue items the batch asks for."""
        return self.runs * prod(len(group) for group in self._groups())

    def variants(self) -> Iterator[tuple[Graph, list[FieldValue]]]:
        """The graph of each queue item with what was put into it: lists that stand together go in step, those that
        stand apart are combined, and all of it ``runs`` times. Raises ValidationError for a value that does not fit."""
        for _ in range(self.runs):
            for chosen in product(*self._groups()):
                values = [value for group in chosen for value in group]
                yield self._with(values), values

    def _groups(self) -> list[list[list[FieldValue]]]:
        return [_in_step(group) for group in self.data or []]

    def _with(self, values: list[FieldValue]) -> Graph:
        graph = self.graph.model_dump()
        for value in values:
            graph["nodes"][value["node_path"]][value["field_name"]] = value["value"]
        return Graph.model_validate(graph)


class EnqueueRequest(BaseModel):
    """The body of /enqueue_batch."""

    batch: Batch
    prepend: bool = False


def _in_step(group: list[BatchDatum]) -> list[list[FieldValue]]:
    columns = [
        [{"node_path": datum.node_path, "field_name": datum.field_name, "value": item} for item in datum.items]
        for datum in group
    ]
    return [list(row) for row in zip(*columns, strict=False)]


def _compatible(source: Any, destination: Any) -> bool:
    wanted = _branches(destination)
    if source is Any or Any in wanted:
        return True
    if get_origin(source) is list and any(get_origin(kind) is list and Any in get_args(kind) for kind in wanted):
        return True
    if source == list[Any]:
        return any(get_origin(kind) is list for kind in wanted)
    return all(kind in wanted or (kind is int and float in wanted) for kind in _branches(source))


def _branches(kind: Any) -> set[Any]:
    return set(get_args(kind)) if get_origin(kind) in (Union, types.UnionType) else {kind}
