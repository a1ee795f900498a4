"""What is held, kept in files for a successor."""

import logging
import time
from pathlib import Path

import pytest

from queue_agent.aws.journal import HeldMessage, LeaseJournal


def a_message(message_id: str = "m1", *, left: float = 20) -> HeldMessage:
    now = time.time()
    return HeldMessage(
        message_id=message_id, receipt="r", body="{}", receives=1, first_received=now, expires=now + left
    )


def test_a_successor_finds_what_was_held_with_its_run_and_job(tmp_path: Path) -> None:
    # Given an agent that held two messages and had begun with one
    journal = LeaseJournal(tmp_path / "state")
    waiting, running = a_message("a"), a_message("b")
    journal.hold(waiting)
    journal.hold(running)
    journal.begin("b", 2)
    journal.accept("b", "prompt-1")
    journal.renew("b", running.expires + 5)
    # When its successor looks
    first, second = LeaseJournal(tmp_path / "state").take_over()
    # Then the one that was begun comes first
    assert (first.message_id, first.runs, first.job_ref) == ("b", 2, "prompt-1")
    assert first.expires == running.expires + 5
    assert second == waiting
    # And nothing is found twice
    assert LeaseJournal(tmp_path / "state").take_over() == []


def test_what_ended_or_expired_is_not_taken_over(tmp_path: Path) -> None:
    journal = LeaseJournal(tmp_path)
    journal.hold(a_message("ended"))
    journal.forget("ended")
    journal.hold(a_message("expired", left=-1))
    assert LeaseJournal(tmp_path).take_over() == []
    assert list(tmp_path.iterdir()) == []


def test_a_second_run_forgets_the_job_of_the_first(tmp_path: Path) -> None:
    journal = LeaseJournal(tmp_path)
    journal.hold(a_message())
    journal.begin("m1", 1)
    journal.accept("m1", "old")
    journal.begin("m1", 2)
    (held,) = LeaseJournal(tmp_path).take_over()
    assert (held.runs, held.job_ref) == (2, None)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"message_id": "x"}', '{"unknown": 1}'])
def test_a_file_that_cannot_be_read_is_logged_and_removed(
    text: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "broken.json").write_text(text)
    assert LeaseJournal(tmp_path).take_over() == []
    assert "cannot be read" in caplog.text
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_takes_nothing_is_logged_once_and_costs_no_task(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("in the way")
    journal = LeaseJournal(tmp_path / "file" / "state")
    for number in range(3):
        journal.hold(a_message(str(number)))
    journal.begin("1", 1)
    journal.forget("1")
    assert sum(record.levelno == logging.WARNING for record in caplog.records) == 1


def test_without_a_folder_nothing_is_kept() -> None:
    journal = LeaseJournal(None)
    journal.hold(a_message())
    journal.begin("m1", 1)
    journal.forget("m1")
    assert journal.take_over() == []
