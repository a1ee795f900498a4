"""Where a task's objects lie."""

import re

from hypothesis import given
from hypothesis import strategies as st

from contract.object_keys import (
    ATTEMPTS_PREFIX,
    CODE_LENGTH,
    REQUESTS_PREFIX,
    RESERVED_PREFIX,
    ObjectKeys,
    output_location,
)
from contract.task import MAX_ID_LENGTH, MAX_PREFIX_BYTES

MAX_KEY_BYTES = 1024
"""S3's limit."""

MESSAGE = "5fea7756-0ea4-451a-a703-a558b933e274"

KEYS = ObjectKeys("bucket", "team/output", "test-t2i", MESSAGE)


def test_names_are_task_id_then_a_code_then_a_number() -> None:
    stem = rf"team/output/test-t2i/test-t2i-[a-z2-7]{{{CODE_LENGTH}}}"
    assert re.fullmatch(rf"{stem}-1\.png", KEYS.image_key(1, "png"))
    assert re.fullmatch(rf"{stem}\.out", KEYS.record_key)
    assert KEYS.image_key(12, "gif") == f"team/output/test-t2i/test-t2i-{KEYS.code}-12.gif"
    assert KEYS.url(KEYS.record_key) == f"s3://bucket/{KEYS.record_key}"


def test_all_objects_of_a_task_lie_in_the_folder_that_the_front_door_named() -> None:
    folder = output_location("bucket", "team/output", "test-t2i")
    assert folder == "s3://bucket/team/output/test-t2i"
    assert KEYS.url(KEYS.record_key).startswith(f"{folder}/")
    assert KEYS.url(KEYS.image_key(1, "png")).startswith(f"{folder}/")


def test_the_code_is_known_and_stays_since_redelivered_messages_look_for_it() -> None:
    """The start of the base32 of the SHA-256 of the identity; another formula would not find older records."""
    assert KEYS.code == "lx4h6i4bt444j"


@given(st.uuids(), st.integers(0, 50))
def test_a_redelivered_message_finds_the_same_names(message: object, turn: int) -> None:
    first, again = (ObjectKeys("b", "p", "a", str(message), turn) for _ in range(2))
    assert first == again
    assert first.record_key == again.record_key
    assert re.fullmatch(rf"[a-z2-7]{{{CODE_LENGTH}}}", first.code)


def test_two_tasks_of_the_same_id_do_not_overwrite_each_other() -> None:
    other = ObjectKeys("bucket", "team/output", "test-t2i", "another-message")
    assert other.record_key != KEYS.record_key


@given(st.uuids())
def test_a_taken_code_gives_way_to_another_one(message: object) -> None:
    keys = ObjectKeys("b", "p", "a", str(message))
    codes = {keys.code}
    for _ in range(3):
        keys = keys.next_turn()
        codes.add(keys.code)
    assert len(codes) > 1
    assert keys.turn == 3


def test_all_messages_of_a_request_share_their_objects() -> None:
    # Given two messages of one request, and one of another
    first, again = (ObjectKeys("b", "p", "a", message, request_id="r-1") for message in ("m-1", "m-2"))
    other = ObjectKeys("b", "p", "a", "m-1", request_id="r-2")

    # Then
    assert (first.record_key, first.attempts_key) == (again.record_key, again.attempts_key)
    assert first.record_key != other.record_key
    assert first.next_turn().record_key == again.next_turn().record_key


def test_a_code_is_too_wide_to_be_met_twice_by_chance() -> None:
    """5 bits a character: of a thousand tasks with one id, no two may share a code."""
    assert CODE_LENGTH * 5 >= 64
    assert len({ObjectKeys("b", "p", "a", str(number)).code for number in range(20_000)}) == 20_000


def test_what_the_platform_keeps_for_itself_lies_where_no_task_may_write() -> None:
    assert KEYS.attempts_key == f".platform/attempts/{MESSAGE}.json"
    for prefix in (REQUESTS_PREFIX, ATTEMPTS_PREFIX):
        assert prefix.startswith(f"{RESERVED_PREFIX}/")


def test_the_task_id_is_never_cut_and_the_longest_names_still_fit_a_key() -> None:
    # Given the longest id and prefix that the contract takes
    task_id = "i" * MAX_ID_LENGTH
    keys = ObjectKeys("bucket", "p" * MAX_PREFIX_BYTES, task_id, MESSAGE)

    # When
    key = keys.image_key(100_000, "safetensors")

    # Then
    assert len(key.encode()) <= MAX_KEY_BYTES
    assert key.count(task_id) == 2
