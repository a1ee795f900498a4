"""The bill follows from the template, and the README shows the present one."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from infra.app import ROOT
from infra.cost.__main__ import main
from infra.cost.estimate import GUIDE, Bill, Calculator

BOOK = yaml.safe_load((ROOT / "infra" / "cost" / "prices.yaml").read_text())

TIMEOUT = 240


def bill(template: dict[str, Any]) -> Bill:
    return Calculator(template, BOOK).bill()


def totals(made: Bill) -> dict[str, float]:
    return {line.what: line.total for line in (*made.fixed, *made.pictures)}


@pytest.mark.slow
def test_the_readme_shows_what_the_command_prints() -> None:
    # When
    printed = subprocess.run(
        [sys.executable, "-m", "infra.cost"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
        check=True,
    ).stdout

    # Then
    (shown,) = re.findall(r"<!-- cost -->\n(.*?)<!-- /cost -->", (ROOT / "infra" / "README.md").read_text(), re.DOTALL)
    assert shown == printed


@pytest.mark.slow
def test_ones_own_load_and_price_are_counted(capsys: pytest.CaptureFixture[str]) -> None:
    # When an image takes three seconds, of nodes at 0.2 dollars an hour
    assert main(["--pictures", "3000000", "--picture-seconds", "3", "--gpu-hour-price", "0.2"]) == 0

    # Then
    printed = capsys.readouterr().out
    assert "| 3,000,000 images | quantity |" in printed
    assert "| GPU nodes (at your price) | 2,500.00 | hours | 0.2 | 500.00 |" in printed
    assert "| API Gateway | 3.00 | million | 3.5 | 10.50 |" in printed


def test_a_config_that_is_not_there_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    missing = tmp_path / "config.yaml"
    assert main([str(missing)]) == 1
    assert f"{missing}" in capsys.readouterr().err


def test_a_type_without_a_price_is_told_with_the_file_that_needs_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # Given
    config = yaml.safe_load((ROOT / "config.yaml").read_text())
    path = tmp_path / "config.yaml"
    path.write_text(yaml.safe_dump({**config, "clusterComponents": {"instanceType": "m8g.large"}}))

    # When, then
    assert main([str(path)]) == 1
    assert "infra/cost/prices.yaml has no price of 'm8g.large'; add it there" in capsys.readouterr().err


def test_the_guides_lines_come_out_as_in_the_guide(default: dict[str, Any]) -> None:
    # When
    lines = totals(bill(default))

    # Then
    for what, usd in {
        "EKS cluster": 72.00,
        "GPU nodes (g5.2xlarge, Spot)": 207.00,
        "API Gateway": 3.50,
        "Lambda requests": 0.20,
        "SQS (receive and delete)": 0.80,
        "S3 PUT (image and record)": 10.00,
        "S3 storage": 3.29,
    }.items():
        assert lines[what] == pytest.approx(usd, abs=0.005)


def test_nat_gateways_are_counted(default: dict[str, Any], everything: dict[str, Any]) -> None:
    one, three = totals(bill(default)), totals(bill(everything))

    assert one["NAT gateway"] == pytest.approx(32.40)
    assert three["NAT gateway"] == pytest.approx(3 * 32.40)
    assert three["Its public address"] == pytest.approx(3 * 3.60)
    assert bill(default).total > GUIDE


def test_what_is_switched_off_costs_nothing(default: dict[str, Any], everything: dict[str, Any]) -> None:
    on, off = totals(bill(default)), totals(bill(everything))

    for what in (
        "Container Insights",
        "Traces (if all are kept)",
        "Metrics of the agents",
        "Key for the cluster's secrets",
    ):
        assert on[what] > 0
        assert what not in off
    assert "Flow logs" not in on
    assert off["Flow logs"] > 0


def test_an_alarm_costs_for_each_metric_that_it_looks_at(default: dict[str, Any], unwatched: dict[str, Any]) -> None:
    """Age, waiting, held, dead letters, undelivered of one runtime; four outcomes; throttling twice; suspended;
    busy seconds and completed tasks; dead letters of webhooks, and their errors twice."""
    on, off = totals(bill(default)), totals(bill(unwatched))

    assert on["Alarms"] == pytest.approx(17 * 0.10)
    assert on["Dashboard"] == pytest.approx(3)
    assert "Alarms" not in off
    assert "Dashboard" not in off


def test_an_agents_metric_costs_for_each_runtime_and_outcome(default: dict[str, Any], three: dict[str, Any]) -> None:
    # Given the pods of a million images run for 417 hours, and two outcomes happen
    months = 1_000_000 * 1.5 / 3600 / 720

    # Then six times and one gauge of the whole stack, two outcomes of it; and by runtime six and two outcomes
    assert totals(bill(default))["Metrics of the agents"] == pytest.approx(months * (9 + 8) * 0.30)
    assert totals(bill(three))["Metrics of the agents"] == pytest.approx(months * (9 + 3 * 8) * 0.30)


def test_a_fast_volume_costs_until_the_tuner_comes(everything: dict[str, Any]) -> None:
    # Given one of two runtimes has a fast volume
    hours = 1_000_000 * 1.5 / 3600
    untuned = {
        **everything,
        "Resources": {
            name: one for name, one in everything["Resources"].items() if not name.startswith("EbsThroughputTuner")
        },
    }

    # Then
    whole = hours / 720 / 2 * (875 * 0.04)
    assert totals(bill(untuned))["Their throughput"] == pytest.approx(whole)
    assert totals(bill(everything))["Their throughput"] == pytest.approx(whole * 300 / (4 * 3600))


def test_an_instance_type_without_a_price_is_named(default: dict[str, Any]) -> None:
    # Given
    book = {**BOOK, "prices": {**BOOK["prices"], "instance_hour": {}}}

    # Then
    with pytest.raises(KeyError, match=r"m7g\.large"):
        Calculator(default, book).bill()
