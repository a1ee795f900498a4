"""CloudWatch's alarms over the metrics in moto, which keeps alarms and metrics but never compares them.

What is done as CloudWatch documents it: the statistic of each period, metric math, how many periods must breach, what
missing data means, and the state that follows. What is not: data that comes late, the longer range that CloudWatch
looks back over when data is missing, and functions that our alarms do not use. Where its documentation leaves open
what a missing point does, there is a Reading for each possibility, and an alarm must hold under all of them.
"""

import ast
import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

Series = Mapping[datetime, float]
"""Points by the start of their period. A period without a point is missing."""

Value = Series | float

COMPARISONS: Mapping[str, Callable[[float, float], bool]] = {
    "GreaterThanOrEqualToThreshold": operator.ge,
    "GreaterThanThreshold": operator.gt,
    "LessThanThreshold": operator.lt,
    "LessThanOrEqualToThreshold": operator.le,
}

OPERATORS: Mapping[type[ast.AST], Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.And: lambda one, other: bool(one and other),
    ast.Or: lambda one, other: bool(one or other),
}

AGGREGATES: Mapping[str, Callable[[Sequence[float]], float]] = {
    "SUM": sum,
    "MAX": max,
    "MIN": min,
    "AVG": lambda values: sum(values) / len(values),
}


@dataclass(frozen=True, slots=True)
class Reading:
    """``fills_nothing``: FILL makes points of a metric that has none at all. ``skips_gaps``: SUM, MAX … of several take
    those that have a point; else one that is missing makes the result missing."""

    fills_nothing: bool
    skips_gaps: bool


READINGS = (Reading(fills_nothing=True, skips_gaps=True), Reading(True, False), Reading(False, True))


class Expression:
    """One expression of metric math, over named series in ``periods``."""

    def __init__(self, series: Mapping[str, Series], periods: Sequence[datetime], reading: Reading) -> None:
        self._series = series
        self._periods = periods
        self._reading = reading

    def __call__(self, text: str) -> Series:
        value = self._of(ast.parse(text.replace(" AND ", " and ").replace(" OR ", " or "), mode="eval").body)
        return value if isinstance(value, Mapping) else dict.fromkeys(self._periods, value)

    def _of(self, node: ast.expr) -> Value:
        match node:
            case ast.Constant(value=int() | float() as number):
                return float(number)
            case ast.Name(id=name):
                return self._series[name]
            case ast.Call(func=ast.Name(id=name), args=arguments):
                return self._called(name, arguments)
            case ast.BinOp(left=left, op=op, right=right) | ast.Compare(left=left, ops=[op], comparators=[right]):
                return self._both(OPERATORS[type(op)], self._of(left), self._of(right))
            case ast.BoolOp(op=op, values=[left, right]):
                return self._both(OPERATORS[type(op)], self._of(left), self._of(right))
        raise NotImplementedError(ast.dump(node))

    def _called(self, name: str, arguments: Sequence[ast.expr]) -> Value:
        match name, arguments:
            case "IF", [condition, then, other]:
                return self._chosen(self._of(condition), self._of(then), self._of(other))
            case "FILL", [filled, ast.Constant(value=int() as filling)]:
                return self._filled(self._of(filled), filling)
            case _, [ast.List(elts=several)]:
                return self._together(AGGREGATES[name], [self._of(one) for one in several])
        raise NotImplementedError(name)

    def _at(self, value: Value, period: datetime) -> float | None:
        return value.get(period) if isinstance(value, Mapping) else value

    def _both(self, work: Callable[[float, float], float], left: Value, right: Value) -> Value:
        points = {
            period: (one, other)
            for period in self._periods
            if (one := self._at(left, period)) is not None and (other := self._at(right, period)) is not None
        }
        divided = work is operator.truediv
        return {period: float(work(*pair)) for period, pair in points.items() if not (divided and pair[1] == 0)}

    def _chosen(self, condition: Value, then: Value, other: Value) -> Value:
        chosen = {
            period: self._at(then if told else other, period)
            for period in self._periods
            if (told := self._at(condition, period)) is not None
        }
        return {period: value for period, value in chosen.items() if value is not None}

    def _filled(self, value: Value, filling: float) -> Value:
        if isinstance(value, Mapping) and not value and not self._reading.fills_nothing:
            return value
        points = {period: self._at(value, period) for period in self._periods}
        return {period: filling if point is None else point for period, point in points.items()}

    def _together(self, work: Callable[[Sequence[float]], float], several: Sequence[Value]) -> Value:
        made = {}
        for period in self._periods:
            points = [point for one in several if (point := self._at(one, period)) is not None]
            if points and (self._reading.skips_gaps or len(points) == len(several)):
                made[period] = float(work(points))
        return made


class Alarm:
    """One alarm that moto holds. ``now`` is the end of the last period."""

    def __init__(self, cloudwatch: Any, name: str, now: datetime, reading: Reading) -> None:
        self._cloudwatch = cloudwatch
        self._name = name
        self._now = now
        self._reading = reading

    def evaluate(self) -> str:
        """Look at the metrics and set the state: ALARM, OK or INSUFFICIENT_DATA."""
        told = self._told()
        period, result = self._result(told)
        breaching = COMPARISONS[told["ComparisonOperator"]]
        periods = self._periods(period, told["EvaluationPeriods"])
        missing = told.get("TreatMissingData", "missing")
        bad = sum(
            breaching(result[one], told["Threshold"]) if one in result else missing == "breaching" for one in periods
        )
        state = "ALARM" if bad >= told.get("DatapointsToAlarm", told["EvaluationPeriods"]) else "OK"
        if not result and missing == "missing":
            state = "INSUFFICIENT_DATA"
        if result or missing != "ignore":
            self._cloudwatch.set_alarm_state(AlarmName=self._name, StateValue=state, StateReason="evaluated")
        return str(self._told()["StateValue"])

    def _told(self) -> dict[str, Any]:
        (told,) = self._cloudwatch.describe_alarms(AlarmNames=[self._name])["MetricAlarms"]
        return dict(told)

    def _result(self, told: Mapping[str, Any]) -> tuple[int, Series]:
        (period,) = {one["MetricStat"]["Period"] for one in told["Metrics"] if "MetricStat" in one}
        periods = self._periods(period, told["EvaluationPeriods"])
        series: dict[str, Series] = {}
        result: Series = {}
        for one in told["Metrics"]:
            if "MetricStat" in one:
                series[one["Id"]] = self._measured(one, periods)
            else:
                series[one["Id"]] = Expression(series, periods, self._reading)(one["Expression"])
            if one.get("ReturnData", True):
                result = series[one["Id"]]
        return period, result

    def _periods(self, period: int, count: int) -> list[datetime]:
        return [self._now - timedelta(seconds=period * number) for number in range(count, 0, -1)]

    def _measured(self, query: Mapping[str, Any], periods: Sequence[datetime]) -> Series:
        asked = {**query, "ReturnData": True}
        (found,) = self._cloudwatch.get_metric_data(
            MetricDataQueries=[asked], StartTime=periods[0], EndTime=self._now, ScanBy="TimestampAscending"
        )["MetricDataResults"]
        return dict(zip(found["Timestamps"], found["Values"], strict=True))
