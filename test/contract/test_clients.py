"""Clients as the stack writes them down, and what each may do."""

import pytest

from contract.clients import EVERYBODY, Client, Clients

WEB = Client("web", ("sd",), ("web", "shared/web"), "k1")
BATCH = Client("batch", key_id="k2")


@pytest.mark.parametrize("clients", [Clients(), Clients((WEB,)), Clients((BATCH, WEB))])
def test_the_environment_carries_every_client_whole(clients: Clients) -> None:
    assert Clients.from_env(clients.to_env()) == clients


def test_no_client_takes_no_room() -> None:
    assert Clients().to_env() == ""


def test_what_is_empty_takes_no_room() -> None:
    assert Clients((BATCH, Client("x"))).to_env() == '[["batch","k2"],["x"]]'


@pytest.mark.parametrize(
    "text",
    ["{}}", "[1]", "[[]]", '[["a","k",["r"],["p"],1]]', '[["a","k","r"]]', '[["a",1]]', '[["a","k",[1]]]', "[[[]]]"],
)
def test_anything_else_is_no_list_of_clients(text: str) -> None:
    with pytest.raises(ValueError, match="the clients cannot be read"):
        Clients.from_env(text)


def test_two_clients_of_one_name_are_refused() -> None:
    with pytest.raises(ValueError, match="two clients have the name web"):
        Clients((WEB, Client("web")))


def test_without_named_clients_every_key_and_every_task_is_the_default_clients() -> None:
    clients = Clients()

    assert [clients.by_key_id("any"), clients.by_key_id(None)] == [EVERYBODY, EVERYBODY]
    assert [clients.by_name("default"), clients.by_name("other"), clients.by_name(None)] == [EVERYBODY] * 3


def test_a_named_client_is_known_by_its_key_and_by_its_name() -> None:
    clients = Clients((WEB, BATCH))

    assert [clients.by_key_id("k2"), clients.by_name("web")] == [BATCH, WEB]
    assert [clients.by_key_id("k3"), clients.by_key_id(""), clients.by_key_id(None)] == [None] * 3
    assert [clients.by_name("other"), clients.by_name("default"), clients.by_name(None)] == [None] * 3


def test_a_client_without_a_key_is_not_that_of_a_request_without_one() -> None:
    assert Clients((Client("web"),)).by_key_id("") is None


def test_keys_are_added_by_name() -> None:
    assert Clients((Client("web"), Client("batch"))).with_keys({"web": "a", "batch": "b"}) == Clients(
        (Client("web", key_id="a"), Client("batch", key_id="b"))
    )


@pytest.mark.parametrize(
    ("prefix", "allowed"),
    [
        ("web", True),
        ("web/a", True),
        ("shared/web/a", True),
        ("webs", False),
        ("shared", False),
        ("batch", False),
        ("web/../batch", False),
        ("", False),
    ],
)
def test_a_prefix_allows_itself_and_what_is_below(prefix: str, allowed: bool) -> None:
    assert WEB.may_store(prefix) is allowed
    assert BATCH.may_store(prefix)


def test_runtimes_are_those_of_the_list_or_all() -> None:
    assert [WEB.may_use("sd"), WEB.may_use("comfy"), BATCH.may_use("comfy")] == [True, False, True]


def test_links_may_name_the_clients_folders_or_else_the_tasks() -> None:
    assert WEB.readable("web/a")[:-1] == ("web", "shared/web")
    assert BATCH.readable("out")[:-1] == ("out",)


@pytest.mark.parametrize(
    ("link", "fine"),
    [
        ("s3://results/web/1.png", True),
        ("S3://results/shared/web/x/1.png", True),
        ("s3://elsewhere/batch/1.png", True),
        ("https://example.com/batch/1.png", True),
        ("s3://results/batch/1.png", False),
        ("S3://results/batch/1.png", False),
        ("  s3://results/batch/1.png\n", False),
        ("s3://results/webs/1.png", False),
        ("s3://results/web/../batch/1.png", False),
        ("s3://results", False),
        ("s3://results/.platform/requests/1.json", False),
        ("s3://results/.platform/uploads/web/1/cat.png", True),
        ("s3://results/.platform/uploads/batch/1/cat.png", False),
        ("s3://results/.platform/uploads/web/../batch/1/cat.png", False),
    ],
)
def test_links_into_the_output_bucket_are_below_the_clients_prefixes(link: str, fine: bool) -> None:
    content = {"init_images": ["s3://results/web/ok.png", link]}

    problems = list(WEB.link_problems(content, "results"))

    assert [problem.field for problem in problems] == ([] if fine else ["init_images.1"])
    assert all("'web', 'shared/web'" in problem.problem for problem in problems)
    assert not list(BATCH.link_problems(content, "results"))


def test_a_task_reads_what_its_client_uploaded() -> None:
    assert WEB.readable("web/a") == ("web", "shared/web", ".platform/uploads/web")
    assert BATCH.readable("output") == ("output", ".platform/uploads/batch")
