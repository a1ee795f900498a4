"""One run of a graph: which nodes were prepared, which ran, and what they gave."""

from itertools import chain
from typing import Any, TypeAlias
from uuid import uuid4

from utils.simulators.invokeai.fields import Output
from utils.simulators.invokeai.graph import AnyNode, Edge, EdgeEnd, Graph
from utils.simulators.invokeai.nodes import Collect, Iterate

MAX_CALL_DEPTH = 4
"""The real one's limit on workflows that call workflows, which are not simulated."""

Turn: TypeAlias = dict[str, int]
"""In which turn of each iterate node (by its id in the graph) a prepared node stands, outermost first."""


class Session:
    """A graph's nodes are copied before they run ("prepared"): once, or once for every turn of the iterate nodes above
    them. ``nodes``, ``results`` and ``errors`` go by the prepared id."""

    def __init__(self, graph: Graph) -> None:
        self.id = str(uuid4())
        self.graph = graph
        self.nodes: dict[str, AnyNode] = {}
        self.results: dict[str, Output] = {}
        self.errors: dict[str, str] = {}
        self._execution_id = str(uuid4())
        self._edges: list[Edge] = []
        self._history: list[str] = []
        self._sources: dict[str, str] = {}
        self._prepared: dict[str, list[str]] = {}
        self._turns: dict[str, Turn] = {}

    def next(self) -> AnyNode | None:
        """The next node to run, with its inputs set; None when all ran."""
        self._prepare()
        for prepared_id, node in self.nodes.items():
            if prepared_id not in self.results and self._missing(prepared_id) == 0:
                self._set_inputs(prepared_id)
                return node
        return None

    def complete(self, prepared_id: str, output: Output) -> None:
        """Note what the node gave."""
        self.results[prepared_id] = output
        source = self._sources[prepared_id]
        if all(twin in self.results for twin in self._prepared[source]):
            self._history.append(source)

    def dump(self) -> dict[str, Any]:
        """The session as the API shows it, with nulls."""
        return {
            "id": self.id,
            "graph": self.graph.model_dump(),
            "execution_graph": {
                "id": self._execution_id,
                "nodes": {key: node.model_dump() for key, node in self.nodes.items()},
                "edges": [edge.model_dump() for edge in self._edges],
            },
            "executed": [*self._history, *self.results],
            "executed_history": list(self._history),
            "results": {key: output.model_dump() for key, output in self.results.items()},
            "errors": dict(self.errors),
            "workflow_call_stack": [],
            "workflow_call_history": [],
            "workflow_call_parent": None,
            "waiting_workflow_call": None,
            "waiting_workflow_call_execution": None,
            "waiting_workflow_call_child_session": None,
            "max_workflow_call_depth": MAX_CALL_DEPTH,
            "prepared_source_mapping": dict(self._sources),
            "source_prepared_mapping": {key: list(ids) for key, ids in self._prepared.items() if ids},
            "prepared_iteration_paths": {key: list(turn.values()) for key, turn in self._turns.items()},
            "ready_order": [],
            "indegree": {key: self._missing(key) for key in self.nodes},
        }

    def _prepare(self) -> None:
        """Copy every node whose parents are prepared; what an iterate node's turns depend on must have run."""
        for source in self.graph.order():
            parents = self.graph.parents(source)
            if source in self._prepared or not all(parent in self._prepared for parent in parents):
                continue
            node = self.graph.nodes[source]
            if isinstance(node, Iterate) and not all(parent in self._history for parent in parents):
                continue
            self._prepared[source] = []
            if isinstance(node, Collect):
                self._add(source, {}, list(chain.from_iterable(self._prepared[parent] for parent in parents)))
                continue
            for turn, chosen in self._combinations(parents):
                for own in self._own_turns(source, chosen):
                    self._add(source, {**turn, **own}, chosen)

    def _combinations(self, parents: list[str]) -> list[tuple[Turn, list[str]]]:
        """The parents' copies that belong together: one of each, all in the same turns."""
        combined: list[tuple[Turn, list[str]]] = [({}, [])]
        for parent in parents:
            combined = [
                ({**turn, **self._turns[copy]}, [*chosen, copy])
                for turn, chosen in combined
                for copy in self._prepared[parent]
                if all(turn.get(key, index) == index for key, index in self._turns[copy].items())
            ]
        return combined

    def _own_turns(self, source: str, chosen: list[str]) -> list[Turn]:
        if not isinstance(self.graph.nodes[source], Iterate):
            return [{}]
        return [
            {source: index}
            for edge in self._edges_into(source, "collection")
            for copy in chosen
            if self._sources[copy] == edge.source.node_id
            for index in range(len(getattr(self.results[copy], edge.source.field)))
        ]

    def _add(self, source: str, turn: Turn, parents: list[str]) -> None:
        prepared_id = str(uuid4())
        changes: dict[str, Any] = {"id": prepared_id}
        if source in turn:
            changes["index"] = turn[source]
        self.nodes[prepared_id] = self.graph.nodes[source].model_copy(update=changes, deep=True)
        self._sources[prepared_id] = source
        self._prepared[source].append(prepared_id)
        self._turns[prepared_id] = turn
        self._edges.extend(
            Edge(
                source=EdgeEnd(node_id=parent, field=edge.source.field),
                destination=EdgeEnd(node_id=prepared_id, field=edge.destination.field),
            )
            for edge in self._edges_into(source)
            for parent in parents
            if self._sources[parent] == edge.source.node_id
        )

    def _edges_into(self, source: str, field: str | None = None) -> list[Edge]:
        return [
            edge
            for edge in self.graph.edges
            if edge.destination.node_id == source and field in (None, edge.destination.field)
        ]

    def _missing(self, prepared_id: str) -> int:
        return sum(
            edge.destination.node_id == prepared_id and edge.source.node_id not in self.results for edge in self._edges
        )

    def _set_inputs(self, prepared_id: str) -> None:
        node = self.nodes[prepared_id]
        for edge in self._edges:
            if edge.destination.node_id != prepared_id:
                continue
            value = getattr(self.results[edge.source.node_id], edge.source.field)
            if isinstance(node, Collect):
                more = value if edge.destination.field == "collection" else [value]
                node.collection = [*node.collection, *more]
            else:
                setattr(node, edge.destination.field, value)
