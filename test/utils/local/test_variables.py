"""The variables of a running local platform, as a shell reads them."""

import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from test.support.platform import addresses_of
from utils.local.running import claim, write
from utils.local.variables import main


def test_a_shell_that_evaluates_them_reaches_the_platform(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    # Given
    addresses = replace(
        addresses_of("http://127.0.0.1:9"),
        endpoint="http://127.0.0.1:8000/dev/",
        api_key="key",
        bucket="bucket",
        topic_arn="arn:aws:sns:us-east-1:123456789012:callbacks",
    )
    with claim(tmp_path):
        write(tmp_path, addresses)
        # When
        code = main(["--output", str(tmp_path)])
    script = capsys.readouterr().out + 'echo "$ENDPOINT $API_KEY $BUCKET $TOPIC_ARN $AWS_ENDPOINT_URL"'
    done = subprocess.run(["bash", "-eu", "-c", script], capture_output=True, text=True, check=True, env={})
    # Then
    assert code == 0
    assert done.stdout.split() == [
        addresses.endpoint,
        addresses.api_key,
        addresses.bucket,
        addresses.topic_arn,
        addresses.aws_endpoint_url,
    ]


def test_without_a_platform_nothing_is_printed_and_the_error_says_what_to_do(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--output", str(tmp_path)]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith(f"error: no platform runs with the output folder {tmp_path}; start it")
