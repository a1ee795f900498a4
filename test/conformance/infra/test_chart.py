"""The chart takes the values that the templates give it."""

import json
import re
from collections.abc import Mapping
from typing import Any

import pytest

from test.charts.chart import lint
from test.infra.configs import CHINA, EVERYTHING, REGIONS, THREE
from test.infra.reading import of_type
from test.infra.synthesis import Synthesis, template_in


@pytest.mark.parametrize(("name", "config"), [("three", THREE), ("everything", EVERYTHING), ("china", CHINA)])
def test_the_chart_takes_every_releases_values(name: str, config: Mapping[str, Any], synthesise: Synthesis) -> None:
    # Given
    template = template_in(synthesise(name, config, region=REGIONS.get(name)))
    releases = of_type(template, "Custom::AWSCDK-EKS-HelmChart").values()

    # When CloudFormation fills in what it made
    region = REGIONS.get(name, "us-west-2")
    known = {"Region": region, "AccountId": "123456789012", "URLSuffix": "amazonaws.com"}
    values = [
        json.loads(re.sub("<([A-Za-z0-9.]+)>", lambda found: known.get(found[1], "made"), one["Values"]))
        for one in releases
    ]
    ours = [one for one in values if "runtime" in one]

    # Then
    assert len(ours) == len(config["modelsRuntime"])
    for one in ours:
        lint(one)
