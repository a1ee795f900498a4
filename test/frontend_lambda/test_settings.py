"""The front door's environment."""

import pytest

from contract.catalog import Catalog, RuntimeEntry
from contract.runtimes import RuntimeType
from frontend_lambda.settings import read

CATALOG = Catalog((RuntimeEntry("comfy", RuntimeType.COMFYUI),))
GOOD = {
    "INPUT_TOPIC_ARN": "arn:aws-cn:sns:cn-north-1:123456789012:tasks",
    "OUTPUT_BUCKET": "bucket",
    "QUEUE_URL_PREFIX": "https://sqs.cn-north-1.amazonaws.com.cn/123456789012/sdoneks_",
    "RUNTIMES": CATALOG.to_env(),
    "TASKS_TABLE": "tasks",
    "TASK_RETENTION_DAYS": "30",
}


def test_settings_are_read_from_the_environment() -> None:
    settings = read({**GOOD, "LOGLEVEL": "debug", "AWS_ENDPOINT_URL": "http://127.0.0.1:5000"})

    assert (settings.input_topic_arn, settings.output_bucket) == (GOOD["INPUT_TOPIC_ARN"], "bucket")
    assert settings.catalog == CATALOG
    assert settings.log_level == "DEBUG"
    assert settings.endpoint_url == "http://127.0.0.1:5000"
    assert (settings.tasks_table, settings.task_retention) == ("tasks", 30 * 86_400)


def test_what_may_be_missing_has_a_default_and_the_region_is_the_topics() -> None:
    settings = read(GOOD)

    assert (settings.log_level, settings.endpoint_url, settings.region) == ("INFO", None, "cn-north-1")


def test_everything_wrong_is_told_at_once() -> None:
    with pytest.raises(
        ValueError, match=r"OUTPUT_BUCKET is not set; INPUT_TOPIC_ARN must be .*; LOGLEVEL must be one of"
    ):
        read({**GOOD, "OUTPUT_BUCKET": "", "INPUT_TOPIC_ARN": "tasks", "LOGLEVEL": "loud"})


@pytest.mark.parametrize("arn", ["arn:aws:sns", "arn:aws:sqs:us-east-1:123456789012:tasks", "arn:::::"])
def test_a_topic_that_is_none_is_refused(arn: str) -> None:
    with pytest.raises(ValueError, match="INPUT_TOPIC_ARN must be the ARN of an SNS topic"):
        read({**GOOD, "INPUT_TOPIC_ARN": arn})


@pytest.mark.parametrize("days", ["0", "-1", "a month"])
def test_a_retention_that_is_no_number_of_days_is_refused(days: str) -> None:
    with pytest.raises(ValueError, match="TASK_RETENTION_DAYS must be a whole number of days"):
        read({**GOOD, "TASK_RETENTION_DAYS": days})


def test_a_catalogue_that_cannot_be_read_is_refused() -> None:
    with pytest.raises(ValueError, match="catalogue cannot be read"):
        read({**GOOD, "RUNTIMES": "{"})


@pytest.mark.parametrize("price", ["0", "-1", "nan", "inf", "half a dollar"])
def test_a_price_that_is_none_is_refused(price: str) -> None:
    with pytest.raises(ValueError, match="GPU_HOUR_PRICE must be US dollars for an hour"):
        read({**GOOD, "GPU_HOUR_PRICE": price})
