"""What an alarm looks at."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class MetricQuery:
    """One metric of an alarm."""

    id: str
    namespace: str
    name: str
    dimensions: Mapping[str, str]
    stat: str

    @classmethod
    def at_queue(cls, id_: str, queue: str, name: str, stat: str) -> "MetricQuery":
        return cls(id_, "AWS/SQS", name, {"QueueName": queue}, stat)

    def data(self, period: int) -> dict[str, Any]:
        """As CloudFormation takes it; ``period`` in seconds."""
        dimensions = [{"name": name, "value": value} for name, value in self.dimensions.items()]
        metric = {"namespace": self.namespace, "metricName": self.name, "dimensions": dimensions}
        return {
            "id": self.id,
            "metricStat": {"metric": metric, "period": period, "stat": self.stat},
            "returnData": False,
        }


def filled(queries: Sequence[MetricQuery]) -> str:
    """Zero where a metric has no point: it is sent only when something happened, or while its queue is used."""
    return ", ".join(f"FILL({query.id}, 0)" for query in queries)
