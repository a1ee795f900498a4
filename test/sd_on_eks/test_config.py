"""Where the client finds the API."""

from pathlib import Path

import pytest

from sd_on_eks.config import Config, file_path, read_file, write_file
from sd_on_eks.errors import ConfigError

URL = "https://a1.execute-api.eu-west-1.amazonaws.com/dev"


def environment(tmp_path: Path, **values: str) -> dict[str, str]:
    return {"SDONEKS_CONFIG": str(tmp_path / "config.toml"), **values}


def test_arguments_come_before_the_environment_and_that_before_the_file(tmp_path: Path) -> None:
    write_file(tmp_path / "config.toml", Config(f"{URL}/file", "file"))

    assert Config.of(environment=environment(tmp_path)) == Config(f"{URL}/file", "file")
    found = Config.of(None, "given", environment(tmp_path, SDONEKS_ENDPOINT=f"{URL}/", SDONEKS_API_KEY="no"))
    assert found == Config(URL, "given")


def test_the_file_holds_any_key_and_is_its_owners_only(tmp_path: Path) -> None:
    file, key = tmp_path / "folder" / "config.toml", 'a"b\\c'

    write_file(file, Config(URL, key))

    assert read_file(file) == {"endpoint": URL, "api_key": key}
    assert file.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("values", "missing"), [({}, "endpoint"), ({"SDONEKS_ENDPOINT": URL}, "API key")], ids=["nothing", "no key"]
)
def test_what_is_missing_is_said_with_how_to_set_it(values: dict[str, str], missing: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=f"no {missing} is known: set SDONEKS_ENDPOINT"):
        Config.of(environment=environment(tmp_path, **values))


@pytest.mark.parametrize("url", ["a1.amazonaws.com/dev", "ftp://a1/dev", "https://", "https://a:x/", f"{URL}?a=b"])
def test_what_is_no_endpoint_is_refused(url: str) -> None:
    with pytest.raises(ConfigError, match="the endpoint"):
        Config.of(url, "key", {})


def test_a_key_is_not_sent_in_the_clear_to_another_machine() -> None:
    assert Config.of("http://127.0.0.1:8000/dev/", "key", {}).endpoint == "http://127.0.0.1:8000/dev"
    with pytest.raises(ConfigError, match="must begin with https"):
        Config.of("http://10.0.0.1/dev", "key", {})


def test_a_key_that_no_header_carries_is_refused_without_showing_it() -> None:
    with pytest.raises(ConfigError) as refused:
        Config.of(URL, "secret\nkey", {})

    assert "secret" not in str(refused.value)
    assert "secret" not in repr(Config(URL, "secret"))


@pytest.mark.parametrize("text", ["endpoint = ", "endpoint = 1"])
def test_a_broken_file_is_named(text: str, tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text(text)

    with pytest.raises(ConfigError, match=r"config\.toml"):
        Config.of(environment=environment(tmp_path))


def test_the_file_is_in_the_users_own_folder() -> None:
    assert file_path({"XDG_CONFIG_HOME": "/x"}) == Path("/x/sd-on-eks/config.toml")
    assert file_path({}) == Path.home() / ".config" / "sd-on-eks" / "config.toml"
