"""What was done to which message."""

from queue_agent.aws.recent_ids import RecentIds


def test_the_oldest_ids_are_forgotten() -> None:
    # Given room for two
    recent = RecentIds(limit=2)
    for message_id in ("a", "b", "a", "c"):
        recent.add(message_id)
    # Then the two that were added last are known
    assert ["a" in recent, "b" in recent, "c" in recent] == [True, False, True]
