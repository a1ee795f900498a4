"""The agent's settings, from an environment as charts write it."""

from ipaddress import ip_network

import pytest
from pydantic import ValidationError
from yarl import URL

from contract.errors import ContractError
from contract.runtimes import RuntimeType
from queue_agent.settings import MAX_LEASE_SECONDS, read_settings

REQUIRED = {
    "AWS_DEFAULT_REGION": "us-west-2",
    "SQS_QUEUE_URL": "https://sqs.us-west-2.amazonaws.com/123456789012/sdruntime",
    "SNS_TOPIC_ARN": "arn:aws:sns:us-west-2:123456789012:output",
    "S3_BUCKET": "outputs",
    "RUNTIME_TYPE": "sdwebui",
    "RUNTIME_NAME": "sdruntime",
    "API_BASE_URL": "http://localhost:8080/sdapi/v1/",
}
"""What existing charts set."""


def refusal(**environment: str) -> dict[str, str]:
    """What is said of an environment that is fine but for these variables."""
    with pytest.raises(ContractError) as caught:
        read_settings({**REQUIRED, **environment})
    return {problem.field: problem.problem for problem in caught.value.problems}


def test_the_environment_of_existing_charts_is_enough() -> None:
    # When
    settings = read_settings({**REQUIRED, "DYNAMIC_SD_MODEL": "true", "LOGLEVEL": "debug", "PATH": "/usr/bin"})

    # Then
    assert settings.region == "us-west-2"
    assert settings.queue_url == REQUIRED["SQS_QUEUE_URL"]
    assert settings.topic_arn == REQUIRED["SNS_TOPIC_ARN"]
    assert settings.bucket == "outputs"
    assert settings.runtime_type is RuntimeType.SDWEBUI
    assert settings.runtime_name == "sdruntime"
    assert settings.runtime_url == URL("http://localhost:8080")
    assert settings.dynamic_model is True
    assert settings.log_level == "DEBUG"


def test_an_empty_name_of_a_table_means_none() -> None:
    assert read_settings({**REQUIRED, "TASKS_TABLE": ""}).tasks_table is None
    settings = read_settings({**REQUIRED, "TASKS_TABLE": "tasks", "GPU_HOUR_PRICE": "0.4968"})
    assert (settings.tasks_table, settings.gpu_hour_price) == ("tasks", 0.4968)


def test_every_other_setting_has_the_default_that_is_documented() -> None:
    settings = read_settings(REQUIRED)
    assert settings.dynamic_model is False
    assert settings.log_level == "INFO"
    assert settings.dead_letter_queue_url is None
    assert settings.task_timeout == 300
    assert settings.lease_seconds == 20
    assert settings.max_attempts == 3
    assert settings.runtime_away_limit == 900
    assert (settings.health_host, settings.health_port) == ("0.0.0.0", 8090)
    assert (settings.tasks_table, settings.task_retention_days) == (None, 30)
    assert (settings.webhooks_queue_url, settings.gpu_hour_price) == (None, None)
    assert settings.input_buckets == ()
    assert settings.allowed_link_hosts == ()
    assert settings.allow_loopback_links is False
    assert settings.max_link_bytes == 33_554_432
    assert settings.link_timeout == 30
    assert settings.running_callbacks is False


def test_our_own_settings_are_read() -> None:
    # When
    settings = read_settings(
        {
            **REQUIRED,
            "DEAD_LETTER_QUEUE_URL": "https://sqs/dead",
            "TASK_TIMEOUT": "600",
            "LEASE_SECONDS": "30",
            "MAX_ATTEMPTS": "5",
            "SHUTDOWN_GRACE": "20",
            "RUNTIME_AWAY_LIMIT": "1200",
            "HEALTH_PORT": "0",
            "HEALTH_HOST": "127.0.0.1",
            "INPUT_BUCKETS": "photos, masks,",
            "ALLOWED_LINK_HOSTS": "Files.Internal, 10.1.0.0/16, fd00::/8, 10.2.3.4",
            "MAX_LINK_BYTES": "1024",
            "LINK_TIMEOUT": "2.5",
            "RUNNING_CALLBACKS": "true",
        }
    )

    # Then
    assert settings.dead_letter_queue_url == "https://sqs/dead"
    assert (settings.task_timeout, settings.lease_seconds, settings.max_attempts) == (600, 30, 5)
    assert (settings.grace, settings.runtime_away_limit) == (20, 1200)
    assert (settings.health_host, settings.health_port) == ("127.0.0.1", 0)
    assert settings.input_buckets == ("photos", "masks")
    assert settings.allowed_networks == (ip_network("10.1.0.0/16"), ip_network("fd00::/8"))
    assert settings.allowed_names == {"files.internal", "10.2.3.4"}
    assert (settings.max_link_bytes, settings.link_timeout) == (1024, 2.5)
    assert settings.running_callbacks is True


def test_a_running_task_may_go_on_after_sigterm_for_as_long_as_it_may_take_at_all() -> None:
    assert read_settings({**REQUIRED, "TASK_TIMEOUT": "42"}).grace == 42
    assert read_settings({**REQUIRED, "TASK_TIMEOUT": "42", "SHUTDOWN_GRACE": "0"}).grace == 0


def test_an_empty_variable_is_as_good_as_none() -> None:
    """Charts write what a user left out as an empty string."""
    empty = dict.fromkeys(
        ["LOGLEVEL", "TASK_TIMEOUT", "DEAD_LETTER_QUEUE_URL", "INPUT_BUCKETS", "DYNAMIC_SD_MODEL"], ""
    )
    assert read_settings({**REQUIRED, **empty}) == read_settings(REQUIRED)


def test_all_that_is_missing_is_named_at_once() -> None:
    with pytest.raises(ContractError) as caught:
        read_settings({})
    assert {problem.field: problem.problem for problem in caught.value.problems} == dict.fromkeys(
        REQUIRED, "is required"
    )


@pytest.mark.parametrize("name", [name for name in REQUIRED if name not in {"RUNTIME_TYPE", "API_BASE_URL"}])
def test_a_required_variable_that_is_empty_is_required(name: str) -> None:
    assert refusal(**{name: ""}) == {name: "is required"}


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("RUNTIME_TYPE", "dalle", "must be 'sdwebui', 'comfyui', 'invokeai' or 'imagekit', got 'dalle'"),
        ("DYNAMIC_SD_MODEL", "perhaps", "must be a valid boolean, unable to interpret input, got 'perhaps'"),
        ("LOGLEVEL", "loud", "must be DEBUG, INFO, WARNING, ERROR or CRITICAL, got 'loud'"),
        ("TASK_TIMEOUT", "0", "must be greater than 0, got '0'"),
        ("TASK_TIMEOUT", "soon", "must be a valid number, unable to parse string as a number, got 'soon'"),
        ("TASK_TIMEOUT", "inf", "must be a finite number, got 'inf'"),
        ("TASK_TIMEOUT", "nan", "must be a finite number, got 'nan'"),
        ("LINK_TIMEOUT", "-1", "must be greater than 0, got '-1'"),
        ("LEASE_SECONDS", "0", "must be greater than or equal to 1, got '0'"),
        ("LEASE_SECONDS", "43201", f"must be less than or equal to {MAX_LEASE_SECONDS}, got '43201'"),
        ("LEASE_SECONDS", "1.5", "must be a valid integer, unable to parse string as an integer, got '1.5'"),
        ("MAX_ATTEMPTS", "0", "must be greater than or equal to 1, got '0'"),
        ("SHUTDOWN_GRACE", "-1", "must be greater than or equal to 0, got '-1'"),
        ("RUNTIME_AWAY_LIMIT", "0", "must be greater than 0, got '0'"),
        ("HEALTH_PORT", "65536", "must be less than or equal to 65535, got '65536'"),
        ("MAX_LINK_BYTES", "0", "must be greater than or equal to 1, got '0'"),
        ("RUNNING_CALLBACKS", "2", "must be a valid boolean, unable to interpret input, got '2'"),
    ],
)
def test_a_wrong_value_is_told_with_what_is_allowed(name: str, value: str, said: str) -> None:
    assert refusal(**{name: value}) == {name: said}


@pytest.mark.parametrize(
    "entry", ["10.0.0.0/33", "10.0.0.1/8", "fd00::/129", "http://minio:9000", "minio:9000", "*.internal", "a b", "a/b"]
)
def test_an_allowed_host_that_could_never_match_is_refused(entry: str) -> None:
    assert refusal(ALLOWED_LINK_HOSTS=f"files.internal,{entry}") == {
        "ALLOWED_LINK_HOSTS.1": f"must be a host name, an address or a network such as 10.1.0.0/16, got {entry!r}"
    }


def test_no_secret_of_the_environment_is_told_with_a_mistake() -> None:
    # Given a mistake in every variable, and a secret
    secret = {"AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI"}
    environment = {**secret, **dict.fromkeys(REQUIRED, "?"), "ALLOWED_LINK_HOSTS": "1/2/3", "TASK_TIMEOUT": "x"}

    # When
    with pytest.raises(ContractError) as caught:
        read_settings(environment)

    # Then
    assert "ALLOWED_LINK_HOSTS" in str(caught.value)
    assert "TASK_TIMEOUT" in str(caught.value)
    assert "wJalr" not in str(caught.value)


def test_settings_do_not_change() -> None:
    settings = read_settings(REQUIRED)
    with pytest.raises(ValidationError, match="frozen"):
        settings.bucket = "other"  # type: ignore[misc]  # what mypy refuses too


@pytest.mark.parametrize("value", ["http://", "ftp://localhost:8080", "http://localhost:99999", "http://[::1"])
def test_what_is_no_address_of_a_runtime_is_refused(value: str) -> None:
    assert refusal(API_BASE_URL=value) == {
        "API_BASE_URL": f"must be the runtime's address, such as http://localhost:8080, got {value!r}"
    }
