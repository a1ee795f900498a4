"""The names that the dashboard shows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What is shown, by the names that CloudWatch knows it by.

    ``queues`` and ``dead_letters`` by runtime. ``agents``: whether their metrics arrive (the collector is there);
    ``insights``: whether Container Insights is, and ``gpu_metrics`` whether it measures the GPUs. ``controllers``: how
    many of the cluster's nodes are not GPU nodes. ``interruptions``: EventBridge rules by what they match.
    ``run_seconds``: what config.yaml says of a run, by runtime. ``gpu_hour_price`` in US dollars.
    """

    stack: str
    region: str
    cluster: str
    controllers: int
    api: str
    stage: str
    function: str
    input_topic: str
    undelivered: str
    webhooks_dead_letters: str
    queues: Mapping[str, str]
    dead_letters: Mapping[str, str]
    interruptions: Mapping[str, str]
    alarms: Sequence[str]
    agents: bool
    insights: bool
    gpu_metrics: bool
    gpu_hour_price: float
    run_seconds: Mapping[str, float]
