"""Tasks over time, and the files that they are read from."""

from pathlib import Path

import pytest

from utils.planner import loads
from utils.planner.errors import PlannerError
from utils.planner.model import DAY, HOUR


def test_a_steady_load_has_its_rate_and_its_run_time() -> None:
    load = loads.steady(2.0, 8.0)

    assert len(load) == pytest.approx(2 * DAY, rel=0.02)
    assert load.work / len(load) == pytest.approx(8.0, rel=0.01)
    assert list(load.arrivals) == sorted(load.arrivals)
    assert load.arrivals[0] >= 0
    assert load.arrivals[-1] < load.length == DAY


def test_a_day_has_its_peak_at_noon_and_its_low_at_midnight() -> None:
    load = loads.daily(1.0, 1.0, low=0.2, days=2)

    hours = [sum(start <= arrival < start + HOUR for arrival in load.arrivals) for start in (0.0, 11.5 * HOUR)]
    assert hours[0] == pytest.approx(0.2 * HOUR, rel=0.15)
    assert hours[1] == pytest.approx(HOUR, rel=0.1)
    assert load.length == 2 * DAY


def test_a_burst_comes_at_once() -> None:
    load = loads.burst(100, 60, spread=0)

    assert set(load.arrivals) == {0.0}
    assert set(load.runs) == {60}


def test_the_same_seed_gives_the_same_load() -> None:
    assert loads.steady(0.1, 8, seed=1) == loads.steady(0.1, 8, seed=1)
    assert loads.steady(0.1, 8, seed=1) != loads.steady(0.1, 8, seed=2)


def test_too_many_tasks_and_none_are_refused() -> None:
    with pytest.raises(PlannerError, match=r"about 86,400,000 tasks; at most 5,000,000"):
        loads.steady(1000, 1)
    with pytest.raises(PlannerError, match="no tasks"):
        loads.varying([0.0], DAY, 1, length=DAY)


def test_a_trace_is_sorted_and_begins_with_its_first_task(tmp_path: Path) -> None:
    file = tmp_path / "tasks.csv"
    file.write_text("model,seconds,run_seconds\na,1700000060,3\nb,1700000000,5\n")

    load = loads.from_csv(file, 8.0)

    assert (list(load.arrivals), list(load.runs), load.length) == ([0.0, 60.0], [5.0, 3.0], 60.0)


def test_a_trace_without_run_times_gets_those_that_are_stated(tmp_path: Path) -> None:
    file = tmp_path / "tasks.csv"
    file.write_text("seconds\n" + "\n".join(map(str, range(1000))))

    load = loads.from_csv(file, 8.0)

    assert load.work / len(load) == pytest.approx(8.0, rel=0.05)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", r"must name a column seconds, got none"),
        ("time\n1\n", r"must name a column seconds, got time"),
        ("seconds\n", r"holds no tasks"),
        ("seconds\n1\nsoon\n", r"line 3: seconds must be a number, got 'soon'"),
        ("seconds\n0\n1e18\n", r"the load covers 11,574,074,074,074 days; at most 366 can be"),
        ("seconds\nnan\n", r"line 2: seconds must be a number, got 'nan'"),
        (
            "seconds,run_seconds\n1,-3\n",
            r"line 2: run_seconds must be a number above 0.001 and not above 36000, got '-3'",
        ),
        ("seconds,run_seconds\n1\n", r"line 2: run_seconds must be a number above 0.001 and not above 36000, got None"),
    ],
)
def test_a_wrong_trace_is_refused_with_its_line(tmp_path: Path, text: str, complaint: str) -> None:
    file = tmp_path / "tasks.csv"
    file.write_text(text)

    with pytest.raises(PlannerError, match=complaint):
        loads.from_csv(file, 8.0)


def test_a_trace_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    (tmp_path / "image.csv").write_bytes(b"\xff\xfe\x00")

    for name in ("image.csv", "missing.csv"):
        with pytest.raises(PlannerError, match=f"{name}: cannot be read"):
            loads.from_csv(tmp_path / name, 8.0)
