"""test/load/run.sh with a locust that keeps a list of its calls."""

import shutil
from pathlib import Path

import pytest

from test.deploy.conftest import stamp_checkout
from test.support.clone import ROOT, fake, run

SCRIPT = "test/load/run.sh"


@pytest.fixture
def locust(clone: Path) -> Path:
    """The list of its calls, in a clone that has installed it."""
    shutil.copytree(ROOT / "test" / "load", clone / "test" / "load")
    folder = clone / ".venv" / "load" / "bin"
    folder.mkdir(parents=True)
    calls = fake(folder, "locust", f'echo "key $API_KEY" >>{folder}/locust.calls')
    fake(folder, "python", f"echo {clone}/.venv/load")
    shutil.copy(clone / "requirements" / "load.txt", clone / ".venv" / "load" / "installed-load.txt")
    stamp_checkout(clone / ".venv" / "load", clone)
    return calls


def test_it_calls_locust_with_where_to_send_and_listen(locust: Path, clone: Path, bin_: Path) -> None:
    # Given
    where = {"ENDPOINT": "http://127.0.0.1:8000/dev/", "API_KEY": "k", "TOPIC_ARN": "arn:aws:sns:r:1:t"}
    # When
    ended = run(clone, bin_, "--users", "3", script=SCRIPT, environment=where)
    # Then
    assert ended.returncode == 0, ended.stdout
    called, key = locust.read_text().splitlines()
    assert f"--locustfile {clone}/test/load/locustfile.py --host http://127.0.0.1:8000/dev --topic-arn" in called
    assert called.endswith("--users 3")
    assert key == "key k"
    assert "--api-key" not in called


def test_what_is_missing_is_named(locust: Path, clone: Path, bin_: Path) -> None:
    ended = run(clone, bin_, script=SCRIPT, environment={"ENDPOINT": "http://127.0.0.1:9"})
    assert ended.returncode == 1
    assert "give STACK_NAME, or ENDPOINT, API_KEY and TOPIC_ARN" in ended.stdout
    assert not locust.exists()
