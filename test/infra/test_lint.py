"""The templates as CloudFormation's own linter sees them, for the regions that they are for."""

from pathlib import Path

import pytest
from cfnlint import api  # type: ignore[import-untyped]  # the package has no types
from cfnlint.config import ManualArgs  # type: ignore[import-untyped]  # the package has no types

from test.infra.configs import CHINA, EVERYTHING, OPEN, REGIONS, SHARED, SIGNED
from test.infra.synthesis import Synthesis

REDUNDANT_DEPENDENCY = "W3005"
"""CDK writes down every dependency; that some also follow from a reference is no fault."""


@pytest.mark.parametrize(
    ("name", "regions"),
    [
        ("default", ["us-west-2", "us-east-1"]),
        ("everything", ["us-west-2", "us-east-1"]),
        ("shared", ["us-west-2"]),
        ("china", ["cn-northwest-1"]),
        ("signed", ["us-west-2"]),
        ("open", ["us-west-2"]),
    ],
)
def test_a_template_is_clean(name: str, regions: list[str], synthesise: Synthesis) -> None:
    # Given
    configs = {"everything": EVERYTHING, "shared": SHARED, "china": CHINA, "signed": SIGNED, "open": OPEN}
    config = configs.get(name)
    (path,) = synthesise(name, config, region=REGIONS.get(name)).glob("*.template.json")

    # When
    found = api.lint(path.read_text(), config=ManualArgs(regions=regions, ignore_checks=[REDUNDANT_DEPENDENCY]))

    # Then
    assert not found


def test_the_linter_sees_what_is_wrong(tmp_path: Path) -> None:
    # Given
    path = tmp_path / "wrong.json"
    path.write_text('{"Resources": {"Queue": {"Type": "AWS::SQS::Queue", "Properties": {"VisibilityTimeout": "x"}}}}')

    # When
    found = api.lint(path.read_text(), config=ManualArgs(regions=["us-west-2"]))

    # Then
    assert [match.rule.id for match in found] == ["E3012"]
