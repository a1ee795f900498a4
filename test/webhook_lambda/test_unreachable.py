"""Receivers that are left alone for a while."""

from webhook_lambda.unreachable import MAX_KEPT, Unreachable


def test_a_receiver_is_a_clients_host_and_port_for_a_while() -> None:
    now = 0.0
    unreachable = Unreachable(30, clock=lambda: now)
    unreachable.add("a", "https://receiver.example/one?token=1")
    assert ("a", "https://receiver.example/two") in unreachable
    assert ("a", "https://receiver.example:8443/one") not in unreachable
    assert ("b", "https://receiver.example/one") not in unreachable
    now = 31
    assert ("a", "https://receiver.example/one") not in unreachable


def test_an_answer_ends_it() -> None:
    unreachable = Unreachable(30)
    unreachable.add("a", "https://receiver.example/")
    unreachable.remove("a", "https://receiver.example/other")
    assert ("a", "https://receiver.example/") not in unreachable


def test_it_stays_small_and_forgets_the_old_for_the_new() -> None:
    now = 0.0
    unreachable = Unreachable(30, clock=lambda: now)
    for number in range(2 * MAX_KEPT):
        unreachable.add("a", f"https://r{number}.example/")
    assert ("a", "https://r0.example/") in unreachable
    assert ("a", f"https://r{MAX_KEPT}.example/") not in unreachable
    now = 31
    unreachable.add("a", "https://new.example/")
    assert ("a", "https://new.example/") in unreachable
