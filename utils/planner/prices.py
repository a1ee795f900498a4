"""What a GPU node costs, and what it takes of the account's quota."""

import re

from infra.cost.prices import price_book


def node_hour(gpu_hour: float | None) -> float:
    """US dollars for an hour of a GPU node and its volumes; ``gpu_hour`` in place of prices.yaml's for the instance."""
    book = price_book()
    volumes = book["usage"]["gpu_node_gb"] * book["prices"]["volume_gb"] / book["hours"]
    return float((book["prices"]["gpu_spot_hour"] if gpu_hour is None else gpu_hour) + volumes)


def vcpus(instance_type: str) -> int | None:
    """Of EC2's G instances: four for an xlarge, and as many times as the size says. None for other instances."""
    found = re.fullmatch(r"g\w*\.(\d*)xlarge", instance_type)
    return 4 * int(found[1] or 1) if found else None
