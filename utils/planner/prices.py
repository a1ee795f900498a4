"""What a GPU node costs, and what it takes of the account's quota."""

import re

from infra.cost.prices import price_book
from utils.planner.errors import PlannerError


def node_hour(gpu_hour: float | None) -> float:
    """US dollars for an hour of a GPU node and its volumes; ``gpu_hour`` in place of prices.yaml's for the instance."""
    book = price_book()
    volumes = book["usage"]["gpu_node_gb"] * book["prices"]["volume_gb"] / book["hours"]
    return float((book["prices"]["gpu_spot_hour"] if gpu_hour is None else gpu_hour) + volumes)


def vcpus(instance_type: str) -> int:
    """Of EC2's G instances: four for an xlarge, and as many times as the size says. Raises PlannerError for others."""
    found = re.fullmatch(r"g\w*\.(\d*)xlarge", instance_type)
    if not found:
        raise PlannerError(f"the vCPUs of {instance_type} are not known; G instances are, such as g5.xlarge")
    return 4 * int(found[1] or 1)
