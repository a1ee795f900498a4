"""Counts what happens, and tells it in Prometheus's text format. Costs a few additions a task."""

import time
from bisect import bisect_left
from collections.abc import Callable, Iterator

from contract.metrics import BUCKETS, DELIVERY_SUSPENDED, GPU_BUSY, GPU_IDLE, METRICS, READY, Kind, Metric

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

LabelValues = tuple[str, ...]


class _Histogram:
    """One histogram's state: a count for each bucket, the last without a bound."""

    def __init__(self) -> None:
        self.counts = [0] * (len(BUCKETS) + 1)
        self.total = 0.0

    def add(self, value: float) -> None:
        self.counts[bisect_left(BUCKETS, value)] += 1
        self.total += value


class GpuClock:
    """How long the runtime has worked and not worked since the agent began; ``ready`` is what readiness says."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._began = clock()
        self._busy = 0.0
        self._since: float | None = None
        self.ready: Callable[[], bool] = lambda: False

    def begin(self) -> None:
        """A run begins."""
        self._since = self._clock()

    def end(self) -> None:
        """The run is over."""
        if self._since is not None:
            self._busy += self._clock() - self._since
            self._since = None

    def values(self) -> dict[Metric, float]:
        """Busy and idle seconds until now, and readiness."""
        now = self._clock()
        busy = self._busy + (now - self._since if self._since is not None else 0.0)
        return {GPU_BUSY: busy, GPU_IDLE: now - self._began - busy, READY: float(self.ready())}


class Metrics:
    """The metrics of one process. ``add`` counts, ``set`` says what a gauge is now, ``observe`` files a value in a
    histogram."""

    def __init__(self, runtime: str) -> None:
        self.runtime = runtime
        self.gpu = GpuClock()
        self.gauges: dict[Metric, float] = {DELIVERY_SUSPENDED: 0.0}
        self._sums: dict[tuple[Metric, LabelValues], float] = {}
        self._spreads: dict[Metric, _Histogram] = {
            metric: _Histogram() for metric in METRICS if metric.kind is Kind.HISTOGRAM
        }

    def add(self, metric: Metric, *labels: str, amount: float = 1) -> None:
        """``labels``: a value for each of the metric's labels, in their order."""
        key = (metric, labels)
        self._sums[key] = self._sums.get(key, 0) + amount

    def set(self, metric: Metric, value: float) -> None:
        """What a gauge is from now on."""
        self.gauges[metric] = value

    def observe(self, metric: Metric, seconds: float) -> None:
        self._spreads[metric].add(seconds)

    def text(self) -> str:
        """Everything, for Prometheus. Source: "Exposition formats" of its documentation."""
        sums = dict(self._sums)
        for metric in METRICS:
            if metric.kind is Kind.COUNTER and not metric.labels:
                sums.setdefault((metric, ()), 0)
        for metric, value in {**self.gpu.values(), **self.gauges}.items():
            sums[metric, ()] = value
        return "".join(line for metric in METRICS for line in self._lines(metric, sums))

    def _lines(self, metric: Metric, sums: dict[tuple[Metric, LabelValues], float]) -> Iterator[str]:
        yield f"# HELP {metric.name} {metric.meaning}\n# TYPE {metric.name} {metric.kind.value}\n"
        if metric.kind is Kind.HISTOGRAM:
            yield from self._histogram(metric)
            return
        for (summed, labels), value in sums.items():
            if summed is metric:
                yield f"{metric.name}{self._labels(dict(zip(metric.labels, labels, strict=True)))} {value:.12g}\n"

    def _histogram(self, metric: Metric) -> Iterator[str]:
        spread, below = self._spreads[metric], 0
        for bound, count in zip((*map(repr, BUCKETS), "+Inf"), spread.counts, strict=True):
            below += count
            yield f"{metric.name}_bucket{self._labels({'le': bound})} {below}\n"
        yield f"{metric.name}_sum{self._labels({})} {spread.total:.12g}\n"
        yield f"{metric.name}_count{self._labels({})} {below}\n"

    def _labels(self, labels: dict[str, str]) -> str:
        pairs = {"runtime": self.runtime, **labels}.items()
        return "{" + ",".join(f'{name}="{_escaped(value)}"' for name, value in pairs) + "}"


def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
