"""The table of the task API in the template."""

from typing import Any

from test.infra.reading import the_one


def test_items_expire_and_are_paid_by_the_request(default: dict[str, Any]) -> None:
    table = the_one(default, "AWS::DynamoDB::Table")

    assert table["TableName"] == "sdoneks_tasks"
    assert table["BillingMode"] == "PAY_PER_REQUEST"
    assert table["TimeToLiveSpecification"] == {"AttributeName": "ttl", "Enabled": True}
    assert table["GlobalSecondaryIndexes"][0]["Projection"] == {"ProjectionType": "KEYS_ONLY"}


def test_point_in_time_recovery_is_a_switch(default: dict[str, Any], everything: dict[str, Any]) -> None:
    recovery = [
        the_one(template, "AWS::DynamoDB::Table")["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"]
        for template in (default, everything)
    ]

    assert recovery == [False, True]
