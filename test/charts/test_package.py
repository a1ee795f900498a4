"""The chart as a package: pushed, served and found again as the guide says; its version is the project's."""

import functools
import json
import re
import tarfile
import tomllib
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import yaml

from test.charts.chart import CHART, KUBERNETES, ROOT, STACK, run_helm
from test.charts.registry import Registry, serving

VERSION = str(yaml.safe_load((CHART / "Chart.yaml").read_text())["version"])
VALUES = json.dumps(STACK)


@pytest.fixture
def package(tmp_path: Path) -> Path:
    run_helm("package", str(CHART), "--destination", str(tmp_path))
    return tmp_path / f"sd-on-eks-{VERSION}.tgz"


@pytest.fixture
def registry() -> Iterator[Registry]:
    server = Registry()
    with serving(server):
        yield server


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_arguments: object) -> None:
        """Say nothing."""


def test_the_package_holds_the_chart_and_nothing_else(package: Path) -> None:
    with tarfile.open(package) as archive:
        names = {Path(name).relative_to("sd-on-eks").as_posix() for name in archive.getnames()}

    kept = {path.relative_to(CHART).as_posix() for path in CHART.rglob("*") if path.is_file()}
    assert names == kept


def test_what_was_pushed_to_a_registry_renders_from_there(package: Path, registry: Registry) -> None:
    # When
    place = f"oci://{registry.host}/sd-on-eks/charts/"
    run_helm("push", str(package), place, "--plain-http")

    # Then
    options = ("--version", VERSION, "--plain-http", "--kube-version", KUBERNETES, "-f", "-")
    text = run_helm("template", "sdruntime", f"{place}sd-on-eks", *options, stdin=VALUES)
    assert "kind: ScaledObject" in text


def test_what_lies_on_an_http_server_renders_from_there(package: Path) -> None:
    # Given
    run_helm("repo", "index", str(package.parent))
    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(_Quiet, directory=str(package.parent)))

    # When
    with serving(server):
        place = ("--repo", f"http://127.0.0.1:{server.server_port}/", "--version", VERSION)
        options = ("--kube-version", KUBERNETES, "-f", "-")
        text = run_helm("template", "sdruntime", "sd-on-eks", *place, *options, stdin=VALUES)

    # Then
    assert "kind: ScaledObject" in text


def test_chart_and_agent_carry_the_projects_version() -> None:
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

    assert chart["version"] == chart["appVersion"] == project["version"]


def test_the_newest_version_of_the_changelog_is_the_charts() -> None:
    versions = re.findall(r"^## \[?v?(\d+\.\d+\.\d+)", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)

    assert versions[:1] == [VERSION]


def test_the_page_of_the_chart_names_this_version() -> None:
    text = (ROOT / "docs" / "en" / "reference" / "chart.md").read_text()

    assert f"sd-on-eks-{VERSION}.tgz" in text
    assert f'chartVersion: "{VERSION}"' in text
