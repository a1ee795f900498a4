"""The catalogue that the stack writes and the front door reads."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract.catalog import MAX_ENV_BYTES, Catalog, RuntimeEntry
from contract.policy import TaskPolicy
from contract.runtimes import RuntimeType

ENTRIES = st.builds(
    RuntimeEntry,
    name=st.text(min_size=1, max_size=20),
    type=st.sampled_from(RuntimeType),
    model=st.none() | st.text(min_size=1, max_size=20),
    dynamic=st.booleans(),
    task_policy=st.sampled_from([TaskPolicy(), TaskPolicy(max_steps=7, denied_nodes=())]),
)


@given(st.lists(ENTRIES, max_size=5, unique_by=(lambda entry: entry.name, lambda entry: entry.model or entry.name)))
def test_what_is_written_is_read_again(entries: list[RuntimeEntry]) -> None:
    catalog = Catalog(tuple(entries))

    assert Catalog.from_env(catalog.to_env()) == catalog


def test_forty_five_runtimes_with_usual_names_fit_in_a_lambda_environment() -> None:
    # Given as many runtimes as a stack can hold, with names and models of usual length
    entries = (
        RuntimeEntry(f"sdruntime-team-{number:02}", RuntimeType.SDWEBUI, f"v1-5-pruned-emaonly-{number:02}.safetensors")
        for number in range(45)
    )

    # When / Then
    assert len(Catalog(tuple(entries)).to_env().encode()) <= MAX_ENV_BYTES


def test_a_catalogue_too_long_for_the_environment_is_refused_with_its_size() -> None:
    entries = tuple(RuntimeEntry(f"{number:03}" * 20, RuntimeType.COMFYUI) for number in range(60))

    with pytest.raises(ValueError, match=r"60 runtimes takes \d+ bytes"):
        Catalog(entries).to_env()


def test_policies_too_long_for_the_environment_are_refused_with_what_to_do() -> None:
    policy = TaskPolicy(allowed_nodes=tuple(f"Node{number}" for number in range(400)))
    entry = RuntimeEntry("comfy", RuntimeType.COMFYUI, task_policy=policy)

    with pytest.raises(ValueError, match=r"1 runtimes takes \d+ bytes.* shorten their taskPolicy"):
        Catalog((entry,)).to_env()


def test_a_model_may_be_set_where_it_may_be_chosen() -> None:
    static, dynamic = (RuntimeEntry("sd", RuntimeType.SDWEBUI, "m", dynamic=value) for value in (False, True))

    assert "sd_model_checkpoint" not in static.policy.allowed_settings
    assert "sd_model_checkpoint" in dynamic.policy.allowed_settings


@pytest.mark.parametrize(
    ("first", "second", "shared"),
    [
        (RuntimeEntry("a", RuntimeType.SDWEBUI, "m"), RuntimeEntry("a", RuntimeType.SDWEBUI, "n"), "name a"),
        (RuntimeEntry("a", RuntimeType.SDWEBUI, "m"), RuntimeEntry("b", RuntimeType.SDWEBUI, "m"), "model m"),
    ],
)
def test_two_runtimes_may_share_neither_a_name_nor_a_model(
    first: RuntimeEntry, second: RuntimeEntry, shared: str
) -> None:
    with pytest.raises(ValueError, match=shared):
        Catalog((first, second))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "7",
        "[7]",
        '[["a"]]',
        '[["a","nosuchtype"]]',
        '[["a","comfyui",1]]',
        '[["a","comfyui",null,0,{"x":1}]]',
        '[["a","comfyui",null,0,7]]',
        "[" * 9999,
    ],
)
def test_anything_else_in_the_environment_is_one_clear_error(text: str) -> None:
    with pytest.raises(ValueError, match="catalogue cannot be read"):
        Catalog.from_env(text)


def test_a_runtime_is_found_by_its_name_and_by_the_model_that_it_loads() -> None:
    static = RuntimeEntry("static", RuntimeType.SDWEBUI, "model.safetensors")
    dynamic = RuntimeEntry("dynamic", RuntimeType.SDWEBUI, dynamic=True)
    catalog = Catalog((static, dynamic))

    assert catalog.named("static") is static
    assert catalog.named("nosuch") is None
    assert catalog.loading("model.safetensors") is static
    assert catalog.loading("other.safetensors") is None
    assert catalog.dynamic() == (dynamic,)
