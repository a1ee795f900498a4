"""What the dashboard shows, as CloudWatch's dashboard body: plain data, from the names of what it shows.

One page for all runtimes. What the agents send is searched for by its namespace, which is the stack's own, so that new
runtimes show without a change; queues are named one by one, since the queues of all stacks share a namespace.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from contract.metrics import (
    FETCH_TIME,
    GPU_BUSY,
    GPU_IDLE,
    IMAGES,
    NOTIFY_TIME,
    QUEUE_WAIT,
    READY,
    RETRIES,
    RUN_TIME,
    STORE_TIME,
    TASK_TIME,
    TASKS,
    Metric,
)
from infra.observability import run_seconds
from infra.observability.metrics import BY_BOTH, BY_OUTCOME, BY_RUNTIME, THROTTLED, WEBHOOK_OUTCOMES, Dimensions, search
from infra.observability.subject import Subject

COLUMNS = 24  # of CloudWatch's grid
THIRD, HEIGHT = COLUMNS // 3, 6

PERIOD = 300
"""Seconds that a point of a graph covers."""

HOUR = 3600

SENDINGS = PERIOD // 60
"""How often an agent sends within a period, as long as OTEL_METRIC_EXPORT_INTERVAL is not set."""

STAGES = (QUEUE_WAIT, FETCH_TIME, RUN_TIME, STORE_TIME, NOTIFY_TIME)

Series = list[Any]
"""One line of a graph: a metric by namespace, name, dimensions and options, or an expression."""

Widget = dict[str, Any]


def dashboard_body(subject: Subject) -> dict[str, Any]:
    """The body, before it is made JSON."""
    rows = [
        [_text(subject)],
        [_alarms(subject)] if subject.alarms else [],
        [_accepted(subject), _front_door(subject), *([_ended(subject)] if subject.agents else [])],
        [_waiting(subject), _oldest(subject), _dead_letters(subject)],
        [_time_to_picture(subject), _time_by_runtime(subject), _stages(subject)] if subject.agents else [],
        [*([_pods(subject), _busy(subject)] if subject.agents else []), *_gpu_use(subject)],
        [*_nodes(subject), _interruptions(subject), *_cost(subject)],
        [_completed(subject), _retries(subject), _runs(subject)] if subject.agents else [],
        [_webhooks(subject)],
    ]
    return {"widgets": _laid_out([row for row in rows if row])}


def _laid_out(rows: Sequence[Sequence[Widget]]) -> list[Widget]:
    """Left to right and top to bottom. A row is as high as the highest of it."""
    placed, y = [], 0
    for row in rows:
        x = 0
        for widget in row:
            placed.append({"x": x, "y": y, **widget})
            x += widget["width"]
        y += max(widget["height"] for widget in row)
    return placed


def _text(subject: Subject) -> Widget:
    lines = [
        f"## {subject.stack}",
        "What to do: `docs/en/how-to/troubleshoot.md`. Metrics: `docs/en/how-to/observe.md`.",
    ]
    if not subject.agents:
        lines.append("Without `addOns.tracing` there is no collector, so what only the agents know is not shown.")
    if not subject.insights:
        lines.append("Without `addOns.observability` nodes are not shown.")
    if subject.agents:
        nodes = "every node but the controllers'" if subject.insights else "every hour of an agent"
        lines.append(
            f"Cost: {nodes} is taken for a GPU node at {subject.gpu_hour_price:g} USD an hour "
            "(`dashboard.gpuHourPrice`), whatever its type and whether Spot or not; other costs are left out."
        )
    return {
        "type": "text",
        "width": COLUMNS,
        "height": 1 + len(lines),
        "properties": {"markdown": "\n\n".join(lines)},
    }


def _alarms(subject: Subject) -> Widget:
    rows = -(-len(subject.alarms) // 4)
    properties = {"title": "Alarms", "alarms": list(subject.alarms)}
    return {"type": "alarm", "width": COLUMNS, "height": 1 + rows, "properties": properties}


def _accepted(subject: Subject) -> Widget:
    published = _metric("AWS/SNS", "NumberOfMessagesPublished", {"TopicName": subject.input_topic}, label="accepted")
    return _graph(subject, "Tasks accepted", [published], stat="Sum")


def _front_door(subject: Subject) -> Widget:
    api = {"ApiName": subject.api, "Stage": subject.stage}
    series = [
        _metric("AWS/ApiGateway", "Count", api, label="requests"),
        _metric("AWS/ApiGateway", "4XXError", api, label="refused (4xx)"),
        _metric("AWS/ApiGateway", "5XXError", api, label="failed (5xx)"),
        _metric(subject.stack, THROTTLED, {}, label="too fast (429)"),
        _metric("AWS/Lambda", "Throttles", {"FunctionName": subject.function}, label="function at its concurrency"),
    ]
    return _graph(subject, "API", series, stat="Sum")


def _ended(subject: Subject) -> Widget:
    return _graph(subject, "Tasks that ended, by outcome", [_expression(_each(subject, TASKS, BY_OUTCOME, "Sum"))])


def _completed(subject: Subject) -> Widget:
    completed = _each(subject, TASKS, BY_BOTH, "Sum", outcome="completed")
    return _graph(subject, "Tasks completed, by runtime", [_expression(completed)])


def _retries(subject: Subject) -> Widget:
    return _graph(subject, "Runs put back to run again", [_expression(_each(subject, RETRIES, BY_RUNTIME, "Sum"))])


def _runs(subject: Subject) -> Widget:
    lines = run_seconds.lines(subject.stack, subject.run_seconds)
    return _graph(subject, "Seconds of a run, by runtime", lines, stat="Sum", period=HOUR)


def _waiting(subject: Subject) -> Widget:
    return _graph(subject, "Tasks that wait", _of_queues("ApproximateNumberOfMessagesVisible", subject.queues))


def _oldest(subject: Subject) -> Widget:
    series = _of_queues("ApproximateAgeOfOldestMessage", subject.queues)
    return _graph(subject, "Age of the oldest task, s (those that run count too)", series)


def _dead_letters(subject: Subject) -> Widget:
    others = {"no queue took it": subject.undelivered, "webhooks": subject.webhooks_dead_letters}
    return _graph(
        subject, "Dead letters", _of_queues("ApproximateNumberOfMessagesVisible", {**subject.dead_letters, **others})
    )


def _webhooks(subject: Subject) -> Widget:
    series = [_metric(subject.stack, metric, {}, label=outcome) for outcome, metric in WEBHOOK_OUTCOMES.items()]
    return _graph(subject, "Webhooks: tries by outcome", series, stat="Sum")


def _time_to_picture(subject: Subject) -> Widget:
    series = [
        _metric(subject.stack, TASK_TIME.name, {}, stat=stat, label=label)
        for stat, label in (("p50", "half of all (p50)"), ("p95", "p95"), ("p99", "p99"))
    ]
    return _graph(subject, "Time from task to image, s", series)


def _time_by_runtime(subject: Subject) -> Widget:
    each = _each(subject, TASK_TIME, BY_RUNTIME, "p95")
    return _graph(subject, "Time from task to image by runtime, p95, s", [_expression(each)])


def _stages(subject: Subject) -> Widget:
    series = [
        _metric(subject.stack, stage.name, {}, stat="p95", label=stage.name.removesuffix("_seconds"))
        for stage in STAGES
    ]
    return _graph(subject, "Where the time goes, p95 of each stage, s", series)


def _pods(subject: Subject) -> Widget:
    ready = _each(subject, READY, BY_RUNTIME, "Sum")
    return _graph(subject, "Pods that take tasks", [_expression(f"{ready} / {SENDINGS}")])


def _busy(subject: Subject) -> Widget:
    busy = _each(subject, GPU_BUSY, BY_RUNTIME, "Sum")
    return _graph(subject, "Pods that work on a task", [_expression(f"{busy} / {PERIOD}")])


def _gpu_use(subject: Subject) -> list[Widget]:
    series = []
    if subject.agents:
        series += [
            _expression(_total(subject, GPU_BUSY), id="busy", visible=False),
            _expression(_total(subject, GPU_IDLE), id="idle", visible=False),
            _expression("100 * busy / (busy + idle)", label="share of the agents' time with a task"),
        ]
    if subject.insights and subject.gpu_metrics:
        cluster = {"ClusterName": subject.cluster}
        label = "the GPUs' own measure"
        series.append(_metric("ContainerInsights", "node_gpu_utilization", cluster, label=label))
    return [_graph(subject, "GPU use, %", series, stat="Average")] if series else []


def _nodes(subject: Subject) -> list[Widget]:
    if not subject.insights:
        return []
    series = [
        _metric("ContainerInsights", "cluster_node_count", {"ClusterName": subject.cluster}, id="nodes", label="all"),
        _expression(f"nodes - {subject.controllers}", label="GPU nodes"),
    ]
    return [_graph(subject, "Nodes", series, stat="Average")]


def _interruptions(subject: Subject) -> Widget:
    series = [
        _metric("AWS/Events", "Invocations", {"RuleName": rule}, label=what)
        for what, rule in subject.interruptions.items()
    ]
    return _graph(subject, "Spot interruptions (of the whole account in this region)", series, stat="Sum")


def _cost(subject: Subject) -> list[Widget]:
    if not subject.agents:
        return []
    price = f"{subject.gpu_hour_price:g}"
    series = [
        _expression(_total(subject, IMAGES, HOUR), id="pictures", visible=False),
        _expression(_total(subject, GPU_BUSY, HOUR), id="busy", visible=False),
        _expression(_total(subject, GPU_IDLE, HOUR), id="idle", visible=False),
        _expression(f"1000 * {price} * (busy + idle) / {HOUR} / pictures", label="while agents ran"),
    ]
    if subject.insights:
        cluster = {"ClusterName": subject.cluster}
        series += [
            _metric("ContainerInsights", "cluster_node_count", cluster, id="nodes", visible=False),
            _expression(f"1000 * {price} * (nodes - {subject.controllers}) / pictures", label="all GPU nodes"),
        ]
    title = f"GPU cost of 1,000 images, USD, at {price} an hour of a node"
    return [_graph(subject, title, series, stat="Average", period=HOUR)]


def _of_queues(metric: str, queues: Mapping[str, str]) -> list[Series]:
    return [_metric("AWS/SQS", metric, {"QueueName": queue}, label=label) for label, queue in queues.items()]


def _each(subject: Subject, metric: Metric, dimensions: Dimensions, stat: str, **values: str) -> str:
    return search(subject.stack, metric.name, dimensions, stat, PERIOD, **values)


def _total(subject: Subject, metric: Metric, period: int = PERIOD) -> str:
    return f"SUM({search(subject.stack, metric.name, BY_RUNTIME, 'Sum', period)})"


def _metric(namespace: str, name: str, dimensions: Mapping[str, str], **options: Any) -> Series:
    pairs = [part for pair in dimensions.items() for part in pair]
    return [namespace, name, *pairs, options]


def _expression(expression: str, **options: Any) -> Series:
    return [{"expression": expression, **options}]


def _graph(
    subject: Subject, title: str, series: Sequence[Series], *, stat: str = "Maximum", period: int = PERIOD
) -> Widget:
    properties = {
        "title": title,
        "view": "timeSeries",
        "region": subject.region,
        "stat": stat,
        "period": period,
        "metrics": list(series),
        "yAxis": {"left": {"min": 0, "showUnits": False}},
    }
    return {"type": "metric", "width": THIRD, "height": HEIGHT, "properties": properties}
