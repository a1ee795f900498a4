"""Callbacks, as subscribers receive them."""

import json

import pytest

from contract.callback import Callback, Cause, Status
from contract.task import MAX_CONTEXT_BYTES
from contract.wire import MAX_MESSAGE_BYTES
from queue_agent.errors import TransientError
from queue_agent.outcome.notifier import Notifier
from test.support.world import World
from utils.local.aws_proxy import Conditions, error_answer


def completed(images: int = 1, **fields: object) -> Callback:
    return Callback.model_validate(
        {
            "id": "dog",
            "result": True,
            "image_url": [f"s3://outputs/{'p' * 500}/dog/dog-abcd-{number}.png" for number in range(1, images + 1)],
            "output_url": "s3://outputs/p/dog/dog-abcd.out",
            "context": {"order": 7, "words": "ä\ud800\u2028"},
            "runtime": "sdruntime",
            "status": Status.COMPLETED,
            **fields,
        }
    )


async def test_a_subscriber_receives_the_callback_of_the_contract(world: World) -> None:
    # When
    await Notifier(world.clients.sns, world.topic_arn).notify(completed())

    # Then
    assert await world.callbacks() == [json.loads(json.dumps(completed().model_dump()))]


async def test_the_message_carries_the_attributes_that_subscribers_filter_by(world: World) -> None:
    # Given a subscriber to failures of one runtime
    await _only(world, {"runtime": ["sdruntime"], "status": ["failed"]})
    notifier = Notifier(world.clients.sns, world.topic_arn)

    # When
    await notifier.notify(completed(id="fine"))
    await notifier.notify(completed(id="other", runtime="other", status=Status.FAILED))
    await notifier.notify(completed(id="failed", status=Status.FAILED))

    # Then
    assert [callback["id"] for callback in await world.callbacks()] == ["failed"]


async def test_a_callback_too_large_for_sns_goes_without_the_places_that_out_holds_too(world: World) -> None:
    # Given
    callback = completed(images=600)
    assert len(json.dumps(callback.model_dump())) > MAX_MESSAGE_BYTES

    # When
    await Notifier(world.clients.sns, world.topic_arn).notify(callback)

    # Then
    (received,) = await world.callbacks()
    assert received["image_url"] == []
    assert received == {**json.loads(json.dumps(callback.model_dump())), "image_url": []}


@pytest.mark.parametrize("character", ["x", "\U0001f600", "\x00"])
async def test_a_cause_too_long_for_sns_is_cut_so_that_the_caller_is_told_at_all(world: World, character: str) -> None:
    # Given a runtime that told at great length what went wrong, and the largest context
    callback = Callback(
        id="dog",
        result=False,
        context="c" * (MAX_CONTEXT_BYTES - 2),
        runtime="sdruntime",
        status=Status.FAILED,
        error=Cause(type="runtime", message=character * 300_000),
    )

    # When
    await Notifier(world.clients.sns, world.topic_arn).notify(callback)

    # Then
    (received,) = await world.callbacks()
    assert received["context"] == callback.context
    assert received["error"]["type"] == "runtime"
    assert received["error"]["message"].startswith(character * 1000)
    assert received["error"]["message"].endswith("…")


async def test_a_callback_that_fits_is_not_touched(world: World) -> None:
    callback = completed(images=300, error=Cause(type="t", message="x" * 20_000))
    await Notifier(world.clients.sns, world.topic_arn).notify(callback)
    (received,) = await world.callbacks()
    assert len(received["image_url"]) == 300
    assert len(received["error"]["message"]) == 20_000


async def test_sns_being_away_is_the_surroundings_fault(world: World, conditions: Conditions) -> None:
    # Given
    conditions.failure = lambda call: error_answer("AuthorizationError", 403) if call.service == "sns" else None

    # Then
    with pytest.raises(TransientError, match="could not send the callback: AuthorizationError"):
        await Notifier(world.clients.sns, world.topic_arn).notify(completed())


async def _only(world: World, policy: dict[str, list[str]]) -> None:
    listed = await world.clients.sns.list_subscriptions_by_topic(TopicArn=world.topic_arn)
    await world.clients.sns.set_subscription_attributes(
        SubscriptionArn=listed["Subscriptions"][0]["SubscriptionArn"],
        AttributeName="FilterPolicy",
        AttributeValue=json.dumps(policy),
    )
