"""Which webhooks a task may ask for."""

import pytest

from contract.webhook import EVENTS, MAX_URL_LENGTH, webhook_problem

GOOD = [
    "https://example.com/hook",
    "https://example.com:8443/hook?token=a%20b",
    "https://EXAMPLE.com./",
    "https://93.184.215.14/",
    "https://[2606:2800:21f:cb07::1]/hook",
    "https://xn--bcher-kva.example/",
]

BAD = [
    (7, "must be a URL"),
    (None, "must be a URL"),
    ("", "printable"),
    ("http://example.com/", "https://"),
    ("ftp://example.com/", "https://"),
    ("//example.com/", "https://"),
    ("https:///hook", "host"),
    ("https://user:secret@example.com/", "neither a user"),
    ("https://user@example.com/", "neither a user"),
    ("https://example.com/#part", "fragment"),
    ("https://example.com:0/", "port"),
    ("https://example.com:99999/", "must be a URL"),
    ("https://exa mple.com/", "printable"),
    ("https://example.com/\r\nX: y", "printable"),
    ("https://bücher.example/", "printable"),
    ("https://example.com\\@10.0.0.1/", "backslash"),
    ("https://[::1", "must be a URL"),
    ("https://a..b/", "host"),
    ("https://" + "a" * 64 + ".example/", "host"),
    ("https://" + "a." * 130 + "example/", "host"),
    ("https://[2600::1%25eth0]/", "host"),
    *(
        (f"https://{host}/", "public")
        for host in ("10.0.0.1", "169.254.169.254", "[fd00:ec2::254]", "[::ffff:10.0.0.1]")
    ),
    *((f"https://{host}/", "public") for host in ("localhost", "LOCALHOST.", "a.localhost", "127.0.0.1", "[::1]")),
    *((f"https://{host}/", "host") for host in ("2130706433", "0x7f.1", "127.1", "0177.0.0.1.", "0x")),
    ("https://example.com/" + "a" * MAX_URL_LENGTH, "2048"),
]


@pytest.mark.parametrize("url", GOOD)
def test_a_public_https_url_is_taken(url: str) -> None:
    assert list(webhook_problem(url, list(EVENTS))) == []


@pytest.mark.parametrize(("url", "text"), BAD)
def test_another_url_is_refused_with_what_is_allowed(url: object, text: str) -> None:
    (problem,) = webhook_problem(url, ["ended"])
    assert problem.field == "options.webhook.url"
    assert text in problem.problem


def test_no_secret_of_a_url_is_shown() -> None:
    for url in ("https://user:hunter2@example.com/", "http://example.com/hunter2", "https://10.0.0.1/hunter2"):
        assert "hunter2" not in str(next(webhook_problem(url, ["ended"])))


@pytest.mark.parametrize(
    "url", ["http://localhost:8080/", "http://127.0.0.1:1/a", "http://[::1]/", "https://localhost/"]
)
def test_the_local_platform_takes_receivers_on_its_own_machine(url: str) -> None:
    assert list(webhook_problem(url, ["ended"], allow_loopback=True)) == []
    assert list(webhook_problem(url, ["ended"])) != []


@pytest.mark.parametrize("url", ["http://example.com/", "http://10.0.0.1/", "https://10.0.0.1/", "http://0.0.0.0/"])
def test_the_local_platform_takes_no_other_private_or_plain_address(url: str) -> None:
    assert list(webhook_problem(url, ["ended"], allow_loopback=True)) != []


@pytest.mark.parametrize("events", [["started"], ["ended"], ["ended", "started"], ("started", "ended")])
def test_events_are_one_or_more_of_those_that_exist(events: object) -> None:
    assert list(webhook_problem(GOOD[0], events)) == []


@pytest.mark.parametrize("events", [None, [], "ended", ["done"], [None], [["ended"]], ["ended", "ended"], {"ended": 1}])
def test_other_events_are_refused(events: object) -> None:
    (problem,) = webhook_problem(GOOD[0], events)
    assert problem.field == "options.webhook.events"


def test_every_problem_is_named_at_once() -> None:
    assert [problem.field for problem in webhook_problem("http://a.example", [])] == [
        "options.webhook.url",
        "options.webhook.events",
    ]
