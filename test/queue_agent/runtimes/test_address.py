"""The runtime's address, as charts name it."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from yarl import URL

from queue_agent.runtimes.address import base_url


@pytest.mark.parametrize(
    ("value", "url"),
    [
        ("http://localhost:8080", "http://localhost:8080"),
        ("http://localhost:8080/", "http://localhost:8080"),
        ("http://localhost:8080/sdapi/v1/", "http://localhost:8080"),
        ("http://localhost:8080/sdapi/v1", "http://localhost:8080"),
        ("localhost:8080", "http://localhost:8080"),
        ("localhost:8080/sdapi/v1/", "http://localhost:8080"),
        (" localhost ", "http://localhost"),
        ("http://localhost:80/", "http://localhost"),
        ("https://localhost:443", "https://localhost"),
        ("https://runtime.internal/webui/sdapi/v1/?x=1#y", "https://runtime.internal/webui"),
        ("http://[::1]:8080/", "http://[::1]:8080"),
    ],
)
def test_the_runtime_is_found_in_whichever_form_a_chart_names_it(value: str, url: str) -> None:
    assert base_url(value) == URL(url)


@pytest.mark.parametrize(
    "value", ["http://", "ftp://localhost:8080", "http://localhost:99999", "http://[::1", "://x", ":80"]
)
def test_what_is_no_address_of_a_runtime_is_refused(value: str) -> None:
    with pytest.raises(ValueError, match="must be the runtime's address, such as http://localhost:8080"):
        base_url(value)


HOSTS = st.from_regex(r"[a-z][a-z0-9]{0,10}(\.[a-z]{1,5})?", fullmatch=True)


@given(
    HOSTS,
    st.sampled_from([80, 443]) | st.integers(1, 65535),
    st.sampled_from(["", "/", "/sdapi/v1", "/sdapi/v1/"]),
    st.booleans(),
)
def test_the_paths_of_the_runtimes_api_can_be_put_behind_its_address(
    host: str, port: int, path: str, with_scheme: bool
) -> None:
    # When
    url = base_url(f"{'http://' if with_scheme else ''}{host}:{port}{path}")

    # Then
    assert (url.scheme, url.host, url.port) == ("http", host, port)
    assert str(url / "sdapi/v1/txt2img").removeprefix("http://").partition("/")[2] == "sdapi/v1/txt2img"
    assert base_url(url) == url


@given(st.text())
def test_any_text_is_an_address_or_refused_with_a_value_error(text: str) -> None:
    with suppress(ValueError):
        assert base_url(text).host
