"""Checking a prompt before it is queued, with the error types, words and shapes of the real ComfyUI."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from utils.simulators.comfyui.disk import OutsideFolder, Place
from utils.simulators.comfyui.node import LINK_LENGTH, Node, Prompt, World, is_link, links

LONGEST_SHOWN_LIST = 20
"""Choices that an error shows; ComfyUI shows only the number of more."""

Problem: TypeAlias = dict[str, Any]

_CONVERTERS = {"INT": int, "FLOAT": float, "STRING": str, "BOOLEAN": bool}


class _Refused(Exception):
    """One input is wrong."""

    def __init__(self, type_: str, message: str, details: str, **extra_info: Any) -> None:
        super().__init__(message)
        self.problem = _problem(type_, message, details, **extra_info)


@dataclass(frozen=True, slots=True)
class Verdict:
    """``error`` is None when at least one output node can run; these are ``outputs``, in the prompt's order.

    ``node_errors`` names every node that is wrong; outputs that depend on one are left out.
    """

    error: Problem | None
    outputs: list[str] = field(default_factory=list)
    node_errors: dict[str, Any] = field(default_factory=dict)


def validate(prompt: Prompt, nodes: Mapping[str, Node], world: World) -> Verdict:
    """Check the prompt and convert its inputs in place, as the real one does."""
    for node_id, node in prompt.items():
        if "class_type" not in node:
            return _invalid("Cannot execute because a node is missing the class_type property.", node_id)
        if node["class_type"] not in nodes:
            return _invalid(f"Cannot execute because node {node['class_type']} does not exist.", node_id)
    outputs = [node_id for node_id, node in prompt.items() if nodes[node["class_type"]].output_node]
    if not outputs:
        return Verdict(_problem("prompt_no_outputs", "Prompt has no outputs", ""))
    checks = _Checks(prompt, nodes, world)
    good = [output for output in outputs if checks.passes(output)]
    node_errors = checks.node_errors([output for output in outputs if output not in good])
    if good:
        return Verdict(None, good, node_errors)
    details = "\n".join(
        f"{found['message']}: {found['details']}" for output in outputs for found in checks.found(output)
    )
    error = _problem("prompt_outputs_failed_validation", "Prompt outputs failed validation", details)
    return Verdict(error, [], node_errors)


class _Checks:
    """The checks of one prompt: every node is checked once, after those it depends on."""

    def __init__(self, prompt: Prompt, nodes: Mapping[str, Node], world: World) -> None:
        self._prompt = prompt
        self._nodes = nodes
        self._world = world
        self._found: dict[str, list[Problem]] = {}
        self._passed: dict[str, bool] = {}

    def found(self, node_id: str) -> list[Problem]:
        """What is wrong with the node itself."""
        return self._found.get(node_id, [])

    def passes(self, node_id: str, via: tuple[str, list[Any], list[Any]] | None = None) -> bool:
        """``via`` is the input of the node behind it, its config and its link; None for an output node."""
        if node_id not in self._passed:
            if node_id not in self._prompt:
                raise KeyError(node_id)
            self._passed[node_id] = False
            try:
                found, upstream = self._check(node_id)
            except (KeyError, IndexError, TypeError) as error:
                found, upstream = [_stumbled(error, via)], True
            self._found[node_id] = found
            self._passed[node_id] = upstream and not found
        return self._passed[node_id]

    def node_errors(self, bad_outputs: list[str]) -> dict[str, Any]:
        return {
            node_id: {
                "errors": found,
                "dependent_outputs": [output for output in bad_outputs if node_id in self._upstream(output)],
                "class_type": self._prompt[node_id]["class_type"],
            }
            for node_id, found in self._found.items()
            if found
        }

    def _upstream(self, node_id: str) -> set[str]:
        seen: set[str] = set()
        open_ids = [node_id]
        while open_ids:
            current = open_ids.pop()
            if current in seen or current not in self._found:
                continue
            seen.add(current)
            open_ids += [source for source, _ in links(self._prompt, current).values()]
        return seen

    def _check(self, node_id: str) -> tuple[list[Problem], bool]:
        """What is wrong with the node itself, and whether all that it depends on passes."""
        node = self._nodes[self._prompt[node_id]["class_type"]]
        found: list[Problem] = []
        upstream = True
        inputs = self._prompt[node_id]["inputs"]
        for name, config in node.values(self._world).items():
            try:
                upstream &= self._check_input(node, inputs, name, config)
            except _Refused as refused:
                found.append(refused.problem)
        found += self._check_file(node, inputs)
        return found, upstream

    def _check_input(self, node: Node, inputs: dict[str, Any], name: str, config: list[Any]) -> bool:
        """Whether the node that the input comes from passes. Raises _Refused."""
        if name not in inputs:
            raise _Refused("required_input_missing", "Required input is missing", name, input_name=name)
        value = inputs[name]
        if is_link(value):
            self._check_link(name, config, value)
            return self.passes(value[0], (name, config, value))
        inputs[name] = value = _converted(name, config, value)
        if name != node.file_input:
            _check_range(name, config, value)
            _check_choice(name, config, value)
        return True

    def _check_link(self, name: str, config: list[Any], value: list[Any]) -> None:
        if len(value) != LINK_LENGTH:
            raise _Refused(
                "bad_linked_input",
                "Bad linked input, must be a length-2 list of [node_id, slot_index]",
                name,
                input_name=name,
                input_config=config,
                received_value=value,
            )
        given = self._nodes[self._prompt[value[0]]["class_type"]].outputs[value[1]]
        if given != config[0]:
            raise _Refused(
                "return_type_mismatch",
                "Return type mismatch between linked nodes",
                f"{name}, received_type({given}) mismatch input_type({config[0]})",
                input_name=name,
                input_config=config,
                received_type=given,
                linked_node=value,
            )

    def _check_file(self, node: Node, inputs: dict[str, Any]) -> Iterator[Problem]:
        name = node.file_input
        if name is None or not isinstance(inputs.get(name), str):
            return
        try:
            data = self._world.disk.read(Place.annotated(inputs[name]))
        except OutsideFolder:
            data = None
        if data is None:
            yield _problem(
                "custom_validation_failed",
                "Custom validation failed for node",
                f"{name} - Invalid {name} file: {inputs[name]}",
                input_name=name,
            )


def _converted(name: str, config: list[Any], value: Any) -> Any:
    convert = _CONVERTERS.get(config[0]) if isinstance(config[0], str) else None
    if convert is None:
        return value
    try:
        return convert(value)
    except (TypeError, ValueError, OverflowError) as error:
        raise _Refused(
            "invalid_input_type",
            f"Failed to convert an input value to a {config[0]} value",
            f"{name}, {value}, {error}",
            input_name=name,
            input_config=config,
            received_value=value,
            exception_message=str(error),
        ) from error


def _check_range(name: str, config: list[Any], value: Any) -> None:
    limits = config[1] if len(config) > 1 else {}
    about = {"input_name": name, "input_config": config, "received_value": value}
    if "min" in limits and value < limits["min"]:
        raise _Refused("value_smaller_than_min", f"Value {value} smaller than min of {limits['min']}", name, **about)
    if "max" in limits and value > limits["max"]:
        raise _Refused("value_bigger_than_max", f"Value {value} bigger than max of {limits['max']}", name, **about)


def _check_choice(name: str, config: list[Any], value: Any) -> None:
    choices = config[0]
    if not isinstance(choices, list) or value in choices:
        return
    short = len(choices) <= LONGEST_SHOWN_LIST
    shown = str(choices) if short else f"(list of length {len(choices)})"
    raise _Refused(
        "value_not_in_list",
        "Value not in list",
        f"{name}: '{value}' not in {shown}",
        input_name=name,
        input_config=config if short else None,
        received_value=value,
    )


def _stumbled(error: Exception, via: tuple[str, list[Any], list[Any]] | None) -> Problem:
    """An exception of the checks themselves, such as for an edge from a node that is not there."""
    about: dict[str, Any] = {"exception_type": type(error).__name__, "traceback": []}
    if via is None:
        return _problem("exception_during_validation", "Exception when validating node", str(error), **about)
    name, config, link = via
    about = {"input_name": name, "input_config": config, "exception_message": str(error), **about, "linked_node": link}
    return _problem("exception_during_inner_validation", "Exception when validating inner node", str(error), **about)


def _invalid(message: str, node_id: str) -> Verdict:
    return Verdict(_problem("invalid_prompt", message, f"Node ID '#{node_id}'"))


def _problem(type_: str, message: str, details: str, **extra_info: Any) -> Problem:
    return {"type": type_, "message": message, "details": details, "extra_info": extra_info}
