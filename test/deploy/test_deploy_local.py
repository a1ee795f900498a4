"""deploy.sh --local on machines that have much or little."""

import shutil
from pathlib import Path

import pytest

from test.support.clone import fake, run


def test_without_python_it_says_how_to_install_it(clone: Path, bin_: Path) -> None:
    # Given
    fake(bin_, "apt-get", "exit 0")
    # When
    ended = run(clone, bin_, "--local")
    # Then
    assert ended.returncode == 1
    assert "Python 3.11 or later is needed" in ended.stdout
    assert "sudo apt-get install python3 python3-venv" in ended.stdout


def test_an_older_python_does_not_do(clone: Path, bin_: Path) -> None:
    fake(bin_, "python3", "exit 1")
    ended = run(clone, bin_, "--local")
    assert ended.returncode == 1
    assert "Python 3.11 or later is needed" in ended.stdout


def test_python_without_its_venv_module_says_how_to_install_that(clone: Path, bin_: Path) -> None:
    # Given
    fake(bin_, "python3", "[[ $2 == *ensurepip* ]] && exit 1; [[ $2 == *print* ]] && echo python3.12; exit 0")
    # When
    ended = run(clone, bin_, "--local")
    # Then
    assert ended.returncode == 1
    assert "python3.12 cannot make virtual environments" in ended.stdout
    assert "sudo apt-get install python3.12-venv" in ended.stdout


def test_packages_that_cannot_be_installed_show_why_and_are_tried_again(clone: Path, bin_: Path) -> None:
    # Given
    fake_python(clone, bin_, pip="echo Collecting a; echo ERROR: no route to the index; exit 1")
    # When
    ends = [run(clone, bin_, "--local") for _ in range(2)]
    # Then
    for ended in ends:
        assert ended.returncode == 1
        assert "ERROR: no route to the index" in ended.stdout
        assert "error: the packages could not be installed; the whole log is" in ended.stdout
    assert calls(clone) == ["pip", "pip"]


def test_packages_are_installed_once_and_again_when_the_lock_changes(clone: Path, bin_: Path) -> None:
    # Given
    fake_python(clone, bin_, pip="exit 0")
    # When
    first, second = run(clone, bin_, "--local"), run(clone, bin_, "--local")
    with (clone / "requirements" / "local.txt").open("a") as lock:
        lock.write("# changed\n")
    third = run(clone, bin_, "--local")
    # Then
    assert first.returncode == second.returncode == third.returncode == 0, first.stdout
    assert "Installing about " in first.stdout
    assert "Installing" not in second.stdout
    packages, checkout = "pip", "pip"
    assert calls(clone) == [packages, checkout, "utils.local", "utils.local", packages, "utils.local"]


def test_options_go_to_the_local_platform_wherever_they_stand(clone: Path, bin_: Path, tmp_path: Path) -> None:
    # Given
    fake_python(clone, bin_, pip="exit 0")
    # When
    ended = run(clone, bin_, "--once", "--local", "--config", "my own.yaml", cwd=tmp_path)
    # Then
    assert "<--once> <--config> <my own.yaml>" in ended.stdout


@pytest.mark.parametrize("words", [["-h"], ["--help"]])
def test_help_says_what_there_is(words: list[str], clone: Path, bin_: Path) -> None:
    ended = run(clone, bin_, *words)
    assert ended.returncode == 0
    assert ended.stdout.startswith("Usage: deploy.sh [OPTION…] ")


def test_with_its_packages_there_one_command_gives_the_images(installed: Path, bin_: Path, tmp_path: Path) -> None:
    # When
    ended = run(installed, bin_, "--local", "--once", "--port", "0", "--seconds-per-step", "0.001", cwd=tmp_path)
    # Then
    assert ended.returncode == 0, ended.stdout
    for said in ("endpoint", "API key", "bucket", "topic ARN", "AWS endpoint", "curl -sS http://127.0.0.1:"):
        assert said in ended.stdout
    images = list((installed / "output").glob("output*/*/*.png"))
    assert len(images) == ended.stdout.count("\ncompleted ") == 5
    assert all(str(image.relative_to(tmp_path)) in ended.stdout for image in images)
    assert not list((tmp_path / "home").iterdir())


def fake_python(clone: Path, bin_: Path, *, pip: str) -> None:
    """A Python that keeps a list of the modules that it was to run, and does ``pip`` for pip."""
    python = f"""
[ "$1" = -P ] && shift
case "$1 $2" in
  "-c "*) ;;
  "-m venv") mkdir -p "{clone}/.venv/bin"; cp "$0" "{clone}/.venv/bin/python" ;;
  "-m pip") echo pip >>"{clone}/calls"; {pip} ;;
  "-m "*) echo "$2" >>"{clone}/calls"; shift 2; printf "<%s> " "$@" ;;
  *) echo "Python 3.12.0" ;;
esac"""
    fake(bin_, "python3", python)
    (bin_ / "mkdir").symlink_to(str(shutil.which("mkdir")))


def calls(clone: Path) -> list[str]:
    return (clone / "calls").read_text().split()
