"""Every node class of the simulated ComfyUI, by name."""

from collections.abc import Mapping
from types import MappingProxyType

from utils.simulators.comfyui import nodes_image, nodes_media, nodes_sampling
from utils.simulators.comfyui.node import Node

NODES: Mapping[str, Node] = MappingProxyType(
    {node.name: node for node in (*nodes_image.NODES, *nodes_sampling.NODES, *nodes_media.NODES)}
)
