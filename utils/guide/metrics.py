"""The table of the agent's metrics."""

from contract.metrics import METRICS
from utils.guide.translation import table, translated

HEADS = {"en": ["Name", "Kind", "Unit", "Labels", "Meaning"], "zh": ["名称", "类型", "单位", "标签", "含义"]}


def metric_table(language: str) -> str:
    """Every metric that the agent tells, in its order."""
    rows = [
        [
            f"`{metric.name}`",
            metric.kind.value,
            metric.unit,
            ", ".join(metric.labels),
            translated(metric.meaning, language),
        ]
        for metric in METRICS
    ]
    return table(HEADS[language], rows)
