"""``running.json``: written whole, for its owner only, and by one platform at a time."""

import stat
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from test.support.platform import addresses_of
from utils.local.running import AlreadyRunning, NotRunning, claim, file_of, read, write

ADDRESSES = addresses_of("http://127.0.0.1:9")


def test_what_is_written_is_read_until_the_platform_ends(tmp_path: Path) -> None:
    with claim(tmp_path):
        # When
        write(tmp_path, ADDRESSES)
        # Then
        assert read(tmp_path) == ADDRESSES
        assert stat.S_IMODE(file_of(tmp_path).stat().st_mode) == 0o600
    with pytest.raises(NotRunning, match=f"no platform runs with the output folder {tmp_path}; start it"):
        read(tmp_path)


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"endpoint": "x"}', '{"unknown": 1}'])
def test_a_file_of_something_else_is_no_platform(text: str, tmp_path: Path) -> None:
    # Given
    file_of(tmp_path).parent.mkdir()
    file_of(tmp_path).write_text(text)
    # When, then
    with pytest.raises(NotRunning):
        read(tmp_path)


def test_a_reader_never_sees_half_a_file(tmp_path: Path) -> None:
    with claim(tmp_path):
        # Given a writer at work
        write(tmp_path, ADDRESSES)
        long = replace(ADDRESSES, bucket="b" * 100_000)

        def work() -> None:
            for _ in range(200):
                write(tmp_path, long)

        writer = threading.Thread(target=work)
        writer.start()
        # When, then
        while writer.is_alive():
            assert read(tmp_path) in (ADDRESSES, long)
        writer.join()


def test_one_platform_owns_a_folder(tmp_path: Path) -> None:
    with claim(tmp_path), pytest.raises(AlreadyRunning), claim(tmp_path):
        raise AssertionError
    with claim(tmp_path):
        pass


def test_a_platform_that_was_killed_owns_nothing(tmp_path: Path) -> None:
    # Given a process that claims the folder, and is killed
    code = (
        "import sys, pathlib, os, signal\n"
        "from utils.local.running import claim\n"
        "with claim(pathlib.Path(sys.argv[1])):\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    assert subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=False).returncode == -9
    # When, then
    with claim(tmp_path):
        pass
