"""The page on telemetry names the metrics and the stages that there are."""

from pathlib import Path

from queue_agent.metric_names import METRICS

PAGE = (Path(__file__).parents[2] / "docs" / "en" / "observe.md").read_text("utf-8")


def test_every_metric_is_documented_with_its_unit_and_meaning() -> None:
    for metric in METRICS:
        labels = ", ".join(metric.labels)
        assert f"| `{metric.name}` | {metric.kind.value} | {metric.unit} | {labels} | {metric.meaning} |\n" in PAGE
