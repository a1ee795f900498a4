"""How the agent shows a link."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from queue_agent.inputs.links import shown_link


@pytest.mark.parametrize(
    ("link", "shown"),
    [
        ("https://files.example.com/a/cat.png", "https://files.example.com/a/cat.png"),
        ("https://u:secret@files.example.com/cat.png?sig=secret#secret", "https://files.example.com/cat.png"),
        ("s3://photos/a/cat.png", "s3://photos/a/cat.png"),
        ("s3://photos/a/me@home.png?versionId=secret", "s3://photos/a/me@home.png"),
    ],
)
def test_an_error_shows_a_link_without_query_and_credentials(link: str, shown: str) -> None:
    assert shown_link(link) == shown


@given(
    st.sampled_from(["http", "https", "s3"]),
    st.sampled_from(["", "SECRET@", "user:SECRET@", "user:SEC?SECRET@", "user:SEC/SECRET@", "user:SEC#SECRET@"]),
    st.sampled_from(["host", "host:80", "host:99999", "[::1", "xn--", ""]),
    st.sampled_from(["", "/path", "/p@th", "/%zz"]),
    st.sampled_from(["", "?SECRET", "?a=b&SECRET", "?mail=a@b&c=SECRET", "#SECRET", "#a@SECRET", "?a#SECRET"]),
)
def test_no_secret_of_a_link_is_shown_be_it_readable_or_not(
    scheme: str, credentials: str, host: str, path: str, rest: str
) -> None:
    # When
    shown = shown_link(f"{scheme}://{credentials}{host}{path}{rest}")

    # Then
    assert shown.startswith(f"{scheme}:")
    assert "SEC" not in shown
