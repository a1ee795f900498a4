"""Each alarm fires on what it is for, and is quiet else: over metrics in moto, by the definitions of the template."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from test.infra.reading import of_type
from test.support.alarms import READINGS, Alarm, Reading
from test.support.aws import Aws, embedded

STACK = "sdoneksStack"

NOW = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
"""The end of a period of every length that alarms have."""


@dataclass(frozen=True)
class Watched:
    """The alarms of a template in moto, and metrics for them."""

    cloudwatch: Any
    reading: Reading

    def state(self, name: str) -> str:
        return Alarm(self.cloudwatch, f"{STACK}_{name}", NOW, self.reading).evaluate()

    def put(self, namespace: str, name: str, value: float, *, minutes: int, until: int = 0, **dimensions: str) -> None:
        """``value`` in each minute of the last ``minutes``, up to ``until`` minutes ago."""
        points = [
            {
                "MetricName": name,
                "Dimensions": [{"Name": key, "Value": one} for key, one in dimensions.items()],
                "Timestamp": NOW - timedelta(minutes=minute),
                "Value": value,
            }
            for minute in range(until + 1, minutes + 1)
        ]
        self.cloudwatch.put_metric_data(Namespace=namespace, MetricData=points)

    def queue(self, name: str, metric: str, value: float, *, minutes: int = 60, until: int = 0) -> None:
        self.put("AWS/SQS", metric, value, minutes=minutes, until=until, QueueName=name)

    def ended(self, outcome: str, count: float) -> None:
        """So many tasks a few minutes ago."""
        self.put(STACK, "tasks_total", count, minutes=5, until=4, outcome=outcome)

    def waiting(self, queue: str, count: float, *, held: float, minutes: int = 60, until: int = 0) -> None:
        self.queue(queue, "ApproximateNumberOfMessagesVisible", count, minutes=minutes, until=until)
        self.queue(queue, "ApproximateNumberOfMessagesNotVisible", held, minutes=minutes, until=until)


@pytest.fixture(scope="module")
def aws() -> Iterator[Aws]:
    with embedded() as made:
        yield made


@pytest.fixture(params=READINGS, ids=str)
def watched(aws: Aws, three: dict[str, Any], request: pytest.FixtureRequest) -> Watched:
    return created(aws, three, request.param)


def created(aws: Aws, template: dict[str, Any], reading: Reading) -> Watched:
    aws.reset()
    cloudwatch = aws.client("cloudwatch")
    for alarm in of_type(template, "AWS::CloudWatch::Alarm").values():
        cloudwatch.put_metric_alarm(**alarm)
    return Watched(cloudwatch, reading)


def test_no_data_is_no_alarm(watched: Watched, three: dict[str, Any]) -> None:
    names = [alarm["AlarmName"] for alarm in of_type(three, "AWS::CloudWatch::Alarm").values()]

    assert {watched.state(name.removeprefix(f"{STACK}_")) for name in names} == {"OK"}


def test_a_task_that_is_too_old_is_told(watched: Watched) -> None:
    # Given the second of three runtimes has one, and the third's queue was not used for hours
    watched.queue("sdoneks_sdruntime", "ApproximateAgeOfOldestMessage", 10)
    watched.queue("sdoneks_comfy", "ApproximateAgeOfOldestMessage", 1201)

    # Then
    assert watched.state("oldest_message_2") == "ALARM"
    assert watched.state("oldest_message_1") == "OK"
    assert watched.state("oldest_message_3") == "OK"


def test_a_task_may_be_as_old_as_its_run_and_a_cold_start(watched: Watched) -> None:
    watched.queue("sdoneks_comfy", "ApproximateAgeOfOldestMessage", 300 + 900)

    assert watched.state("oldest_message_2") == "OK"


def test_an_alarm_is_over_when_its_cause_is(watched: Watched) -> None:
    # Given
    watched.queue("sdoneks_comfy", "ApproximateAgeOfOldestMessage", 5000, until=5)
    watched.queue("sdoneks_comfy", "ApproximateAgeOfOldestMessage", 0, minutes=5)

    # Then
    assert watched.state("oldest_message_2") == "OK"


def test_tasks_that_wait_while_nobody_has_one_are_told(watched: Watched) -> None:
    # Given
    watched.waiting("sdoneks_sdruntime", 0, held=0)
    watched.waiting("sdoneks_comfy", 3, held=0)

    # Then
    assert watched.state("no_pods_2") == "ALARM"
    assert watched.state("no_pods_1") == "OK"


@pytest.mark.parametrize(
    ("waiting", "held", "minutes"),
    [(100, 1, 60), (0, 4, 60), (0, 0, 60), (3, 0, 9)],
    ids=["one pod works", "all are taken", "an empty queue", "not long yet"],
)
def test_a_queue_that_somebody_works_on_is_no_alarm(
    watched: Watched, waiting: float, held: float, minutes: int
) -> None:
    watched.waiting("sdoneks_comfy", 0, held=0, until=minutes)
    watched.waiting("sdoneks_comfy", waiting, held=held, minutes=minutes)

    assert watched.state("no_pods_2") == "OK"


def test_a_pod_that_took_one_task_in_between_is_a_pod(watched: Watched) -> None:
    # Given
    watched.waiting("sdoneks_comfy", 5, held=0, until=8)
    watched.waiting("sdoneks_comfy", 5, held=1, minutes=8, until=7)
    watched.waiting("sdoneks_comfy", 5, held=0, minutes=7)

    # Then
    assert watched.state("no_pods_2") == "OK"


def test_tasks_that_come_and_go_between_two_looks_are_no_alarm(watched: Watched) -> None:
    # Given each look sees none in work, and every fifth sees an empty queue
    for minute in range(30):
        watched.waiting("sdoneks_comfy", 0 if minute % 5 == 0 else 2, held=0, minutes=minute + 1, until=minute)

    # Then
    assert watched.state("no_pods_2") == "OK"


def test_a_dead_letter_is_told_of_its_runtime(watched: Watched) -> None:
    # Given
    watched.queue("sdoneks_sdruntime_dead", "ApproximateNumberOfMessagesVisible", 0)
    watched.queue("sdoneks_comfy_dead", "ApproximateNumberOfMessagesVisible", 1, minutes=1)
    watched.queue("sdoneks_invoke", "ApproximateNumberOfMessagesVisible", 7)

    # Then
    assert watched.state("dead_letters_2") == "ALARM"
    assert watched.state("dead_letters_1") == "OK"
    assert watched.state("dead_letters_3") == "OK"
    assert watched.state("undelivered") == "OK"


def test_a_task_that_no_queue_took_is_told(watched: Watched) -> None:
    watched.queue("sdoneks_undelivered_tasks", "ApproximateNumberOfMessagesVisible", 1)

    assert watched.state("undelivered") == "ALARM"


@pytest.mark.parametrize("outcome", ["failed", "given_up", "undecodable"])
def test_many_failures_are_told(watched: Watched, outcome: str) -> None:
    # Given
    watched.ended("completed", 80)
    watched.ended(outcome, 20)

    # Then
    assert watched.state("failures") == "ALARM"


def test_failures_alone_are_told(watched: Watched) -> None:
    watched.ended("given_up", 10)

    assert watched.state("failures") == "ALARM"


@pytest.mark.parametrize(
    ("completed", "failed", "repeated"),
    [(81, 19, 0), (100, 0, 0), (0, 9, 0), (85, 15, 50)],
    ids=["few", "none", "too few tasks to say", "repeated ones are no failures"],
)
def test_few_failures_are_no_alarm(watched: Watched, completed: int, failed: int, repeated: int) -> None:
    for outcome, count in {"completed": completed, "failed": failed, "repeated": repeated}.items():
        if count:
            watched.ended(outcome, count)

    assert watched.state("failures") == "OK"


def test_requests_that_come_too_fast_are_told(watched: Watched) -> None:
    watched.put(STACK, "throttled_requests", 2, minutes=5)

    assert watched.state("throttled") == "ALARM"


def test_a_function_at_its_concurrency_is_told(watched: Watched, three: dict[str, Any]) -> None:
    # Given
    (name,) = [one for one in of_type(three, "AWS::Lambda::Function") if one.startswith("FrontDoor")]
    watched.put(STACK, "throttled_requests", 1, minutes=5)
    watched.put("AWS/Lambda", "Throttles", 1, minutes=5, FunctionName=f"<{name}>")

    # Then
    assert watched.state("throttled") == "ALARM"


def test_a_few_requests_that_come_too_fast_are_no_alarm(watched: Watched) -> None:
    watched.put(STACK, "throttled_requests", 1, minutes=5)
    watched.put(STACK, "throttled_requests", 50, minutes=20, until=5)

    assert watched.state("throttled") == "OK"


def test_the_last_of_the_most_runtimes_is_watched_too(aws: Aws, most: dict[str, Any]) -> None:
    # Given
    watched = created(aws, most, READINGS[0])
    for metric in ("ApproximateAgeOfOldestMessage", "ApproximateNumberOfMessagesVisible"):
        watched.queue("most_runtime-39", metric, 5000)
    watched.queue("most_runtime-39_dead", "ApproximateNumberOfMessagesVisible", 5)

    # Then
    for name in ("oldest_message_5", "no_pods_8", "dead_letters_5"):
        assert Alarm(watched.cloudwatch, f"mostStack_{name}", NOW, watched.reading).evaluate() == "ALARM"
    for name in ("oldest_message_4", "no_pods_7", "dead_letters_4"):
        assert Alarm(watched.cloudwatch, f"mostStack_{name}", NOW, watched.reading).evaluate() == "OK"
