"""Which model runs: the one that the task names, or none."""

import json
from typing import Any

import pytest

from contract.runtimes import TaskType
from queue_agent.errors import PermanentError, RuntimeFault
from queue_agent.runtimes.base import Job
from queue_agent.runtimes.sdwebui import Adapter
from test.support.runtimes import run_job
from test.support.sdwebui import Client, scripted, serve, serve_simulator
from utils.simulators.base import Options

from .conftest import Connect, MakeJob, Watched, asking


@pytest.mark.parametrize(
    ("name", "title"),
    [
        ("beta.safetensors", "beta.safetensors"),
        ("beta", "beta.safetensors"),
        ("beta.safetensors [0123abcd]", "beta.safetensors"),
        ("art/beta.safetensors", "art/beta.safetensors"),
        ("art_beta", "art/beta.safetensors"),
        ("gamma.safetensors", "art/gamma.safetensors"),
        ("alpha.safetensors", "alpha.safetensors"),
    ],
)
async def test_a_task_chooses_its_model_by_any_of_its_names(
    webui: Client, dynamic: Adapter, make_job: MakeJob, name: str, title: str
) -> None:
    # When
    result = await run_job(dynamic, make_job(**asking(name)))

    # Then
    _, models = await webui.get("sd-models")
    ran = next(model for model in models if model["hash"] == result.ran.model_hash)
    assert ran["title"].startswith(title)


async def test_a_task_chooses_its_model_by_its_hash_once_the_runtime_knows_it(
    dynamic: Adapter, make_job: MakeJob
) -> None:
    # Given
    known = await run_job(dynamic, make_job(**asking("beta")))
    await run_job(dynamic, make_job(**asking("alpha")))
    assert known.ran.model_hash is not None

    # When
    result = await run_job(dynamic, make_job(**asking(known.ran.model_hash)))

    # Then
    assert result.ran.model == "beta"


async def test_the_model_is_switched_only_when_another_one_is_loaded(
    watched: Watched, connect: Connect, make_job: MakeJob
) -> None:
    # Given
    async with serve(watched.app) as client, connect(client, dynamic_model=True) as adapter:
        # When
        for name in ("alpha", "alpha.safetensors", "beta", "beta.safetensors", "alpha"):
            await run_job(adapter, make_job(**asking(name)))

    # Then
    assert watched.calls == ["txt2img", "txt2img", "options", "txt2img", "txt2img", "options", "txt2img"]


async def test_a_runtime_that_changed_its_model_in_between_is_switched_back(
    watched: Watched, connect: Connect, make_job: MakeJob
) -> None:
    # Given
    async with serve(watched.app) as client, connect(client, dynamic_model=True) as adapter:
        await run_job(adapter, make_job(**asking("beta")))
        await client.post("options", {"sd_model_checkpoint": "alpha"})

        # When
        result = await run_job(adapter, make_job(**asking("beta")))

    # Then
    assert result.ran.model == "beta"


@pytest.mark.parametrize("content", [{}, {"alwayson_scripts": {}}, {"alwayson_scripts": {"sd_model_checkpoint": ""}}])
async def test_a_task_that_names_no_model_runs_on_the_one_that_is_loaded(
    dynamic: Adapter, make_job: MakeJob, content: dict[str, Any]
) -> None:
    # When
    result = await run_job(dynamic, make_job(**content))

    # Then
    assert result.ran.model == "alpha"


async def test_a_runtime_with_a_fixed_model_runs_it_and_refuses_another(adapter: Adapter, make_job: MakeJob) -> None:
    # When
    result = await run_job(adapter, make_job(**asking("alpha.safetensors")))
    with pytest.raises(PermanentError, match="this runtime keeps its model, which is not beta"):
        await run_job(adapter, make_job(**asking("beta")))

    # Then
    assert result.ran.model == "alpha"


async def test_upscaling_needs_no_model(dynamic: Adapter) -> None:
    # Given
    content = {"alwayson_scripts": {"sd_model_checkpoint": "delta"}, "image": "nothing"}

    # When / Then
    with pytest.raises(PermanentError, match="Invalid encoded image"):
        await run_job(dynamic, Job(id="task", tasktype=TaskType.EXTRA_SINGLE_IMAGE, content=content))


async def test_override_settings_choose_the_model_for_one_task(adapter: Adapter, make_job: MakeJob) -> None:
    # When
    other = await run_job(adapter, make_job(override_settings={"sd_model_checkpoint": "art_beta"}))
    usual = await run_job(adapter, make_job())

    # Then
    assert (other.ran.model, usual.ran.model) == ("beta", "alpha")


async def test_two_different_models_in_one_task_are_refused(dynamic: Adapter, make_job: MakeJob) -> None:
    # When / Then
    with pytest.raises(PermanentError, match="asks for two models: beta in alwayson_scripts and alpha in override"):
        await run_job(dynamic, make_job(**asking("beta"), override_settings={"sd_model_checkpoint": "alpha"}))


@pytest.mark.parametrize(
    ("content", "field"),
    [
        (asking(["beta"]), "alwayson_scripts.sd_model_checkpoint"),  # type: ignore[arg-type]  # what a caller may send
        ({"override_settings": {"sd_model_checkpoint": 7}}, "override_settings.sd_model_checkpoint"),
    ],
)
async def test_a_model_that_is_no_name_is_refused(
    dynamic: Adapter, make_job: MakeJob, content: dict[str, Any], field: str
) -> None:
    # When / Then
    with pytest.raises(PermanentError, match=f"content.{field}: must be the name of a model"):
        await run_job(dynamic, make_job(**content))


async def test_a_model_file_that_was_replaced_is_known_by_its_new_hash(connect: Connect, make_job: MakeJob) -> None:
    # Given
    def listed(short_hash: str) -> list[dict[str, Any]]:
        title = f"alpha.safetensors [{short_hash}]"
        return [
            {"title": title, "model_name": "alpha", "hash": short_hash, "sha256": short_hash, "filename": "/m/alpha"}
        ]

    answers: dict[str, Any] = {
        "sd-models": listed("00aa"),
        "txt2img": {"images": ["aW1hZ2U="], "info": json.dumps({"sd_model_name": "alpha", "sd_model_hash": "11bb"})},
    }
    async with serve(scripted(answers)) as client, connect(client, dynamic_model=True) as adapter:
        with pytest.raises(RuntimeFault, match="asked for the model alpha"):
            await run_job(adapter, make_job(**asking("alpha")))

        # When
        answers["sd-models"] = listed("11bb")
        result = await run_job(adapter, make_job(**asking("alpha")))

    # Then
    assert result.ran.model_hash == "11bb"


async def test_forge_s_options_are_understood_though_they_do_not_show_the_title(
    connect: Connect, make_job: MakeJob
) -> None:
    # Given
    options = Options(models=("alpha.safetensors", "beta.safetensors"), seconds_per_step=0, flavour="forge")
    async with serve_simulator(options) as client, connect(client, dynamic_model=True) as adapter:
        # When
        result = await run_job(adapter, make_job(**asking("beta.safetensors")))

    # Then
    assert result.ran.model == "beta"
