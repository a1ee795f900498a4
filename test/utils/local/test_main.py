"""The command line of the local platform: what it refuses before anything is started."""

from pathlib import Path

import pytest
import yaml

from utils.local.__main__ import main
from utils.local.ports import listen
from utils.local.running import claim, file_of

CONFIG = {
    "modelBucketArn": "arn:aws:s3:::models",
    "modelsRuntime": [{"name": "flow", "namespace": "default", "type": "comfyui"}],
}


@pytest.fixture
def argv(tmp_path: Path) -> list[str]:
    config = tmp_path / "config.yaml"
    config.write_text(yaml.safe_dump(CONFIG))
    return ["--once", "--config", str(config), "--output", str(tmp_path / "output"), "--port", "0"]


def test_a_port_that_is_taken_is_named(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with listen() as taken:
        port = taken.getsockname()[1]
        assert main([*argv, "--port", str(port)]) == 1
    assert f"error: port {port} cannot be used: Address already in use; give another --port" in capsys.readouterr().out


def test_two_platforms_do_not_share_an_output_folder(
    argv: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # Given
    output = tmp_path / "output"
    with claim(output):
        # When, then
        assert main(argv) == 1
    assert f"a platform already runs with this output folder, see {file_of(output)}; stop it" in capsys.readouterr().out


def test_an_output_folder_that_cannot_be_written_is_named(
    argv: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "output").write_text("a file")
    assert main(argv) == 1
    assert f"error: cannot write to {tmp_path / 'output' / '.platform'}: Not a directory" in capsys.readouterr().out


def test_an_attached_runtime_must_be_of_the_config(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*argv, "--runtime-url", "other=http://localhost:7860"]) == 1
    assert "has no such runtime; it has flow" in capsys.readouterr().out


def test_problems_of_the_config_are_all_told(
    argv: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "config.yaml").write_text(yaml.safe_dump({"modelsRuntime": [], "taskTimeout": 0}))
    assert main(argv) == 1
    printed = capsys.readouterr().out
    assert all(
        key in printed for key in ("config.yaml has 3 problems", "modelBucketArn", "modelsRuntime", "taskTimeout")
    )


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--runtime-url", "flow"], "must be NAME=URL"),
        (["--runtime-url", "flow=ftp://x"], "must be NAME=URL"),
        (["--replicas", "0"], "must be 1 or more, got 0"),
        (["--port", "70000"], "must be 0 to 65535, got 70000"),
        (["--timeout", "-1"], "must be a number of seconds, got -1"),
        (["--seconds-per-step", "nan"], "must be a number of seconds, got nan"),
        (["--onse"], "unrecognized arguments: --onse"),
    ],
)
def test_an_option_that_cannot_be_is_refused(
    more: list[str], said: str, argv: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as left:
        main([*argv, *more])
    assert left.value.code == 2
    assert said in capsys.readouterr().err
