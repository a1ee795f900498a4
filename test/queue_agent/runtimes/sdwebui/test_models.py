"""Which model runs: the one that the task names, or none."""

import json
from typing import Any

import pytest
from aiohttp import web

from contract.runtimes import TaskType
from queue_agent.errors import PermanentError, RuntimeFault
from queue_agent.runtimes.base import Job
from queue_agent.runtimes.sdwebui import Adapter
from test.support.runtimes import run_job
from test.support.sdwebui import Client, scripted, serve, serve_simulator
from utils.simulators.base import Options
from utils.simulators.sdwebui import make_app

from .conftest import Connect, MakeJob


class Watched:
    """A simulated WebUI that counts the calls that change something."""

    def __init__(self, options: Options) -> None:
        self.calls: list[str] = []
        self.app = make_app(options)
        self.app.middlewares.append(self._count)

    @web.middleware
    async def _count(self, request: web.Request, handler: Any) -> web.StreamResponse:
        if request.method == "POST":
            self.calls.append(request.path.rpartition("/")[2])
        response: web.StreamResponse = await handler(request)
        return response


@pytest.fixture
def watched() -> Watched:
    return Watched(Options(models=("alpha.safetensors", "beta.safetensors"), seconds_per_step=0))


def _asking(model: str) -> dict[str, Any]:
    return {"alwayson_scripts": {"sd_model_checkpoint": model}}


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
    result = await run_job(dynamic, make_job(**_asking(name)))

    # Then
    _, models = await webui.get("sd-models")
    ran = next(model for model in models if model["hash"] == result.ran.model_hash)
    assert ran["title"].startswith(title)


async def test_a_task_chooses_its_model_by_its_hash_once_the_runtime_knows_it(
    dynamic: Adapter, make_job: MakeJob
) -> None:
    # Given
    known = await run_job(dynamic, make_job(**_asking("beta")))
    await run_job(dynamic, make_job(**_asking("alpha")))
    assert known.ran.model_hash is not None

    # When
    result = await run_job(dynamic, make_job(**_asking(known.ran.model_hash)))

    # Then
    assert result.ran.model == "beta"


async def test_the_model_is_switched_only_when_another_one_is_loaded(
    watched: Watched, connect: Connect, make_job: MakeJob
) -> None:
    # Given
    async with serve(watched.app) as client, connect(client, dynamic_model=True) as adapter:
        # When
        for name in ("alpha", "alpha.safetensors", "beta", "beta.safetensors", "alpha"):
            await run_job(adapter, make_job(**_asking(name)))

    # Then
    assert watched.calls == ["txt2img", "txt2img", "options", "txt2img", "txt2img", "options", "txt2img"]


async def test_a_runtime_that_changed_its_model_in_between_is_switched_back(
    watched: Watched, connect: Connect, make_job: MakeJob
) -> None:
    # Given
    async with serve(watched.app) as client, connect(client, dynamic_model=True) as adapter:
        await run_job(adapter, make_job(**_asking("beta")))
        await client.post("options", {"sd_model_checkpoint": "alpha"})

        # When
        result = await run_job(adapter, make_job(**_asking("beta")))

    # Then
    assert result.ran.model == "beta"


async def test_an_unknown_model_is_looked_for_once_and_fails_with_the_models_there_are(
    watched: Watched, connect: Connect, make_job: MakeJob
) -> None:
    # Given
    async with serve(watched.app) as client, connect(client, dynamic_model=True) as adapter:
        # When
        with pytest.raises(PermanentError) as caught:
            await run_job(adapter, make_job(**_asking("delta")))

    # Then
    assert caught.value.type == "unknown-model"
    assert caught.value.message == ("there is no model 'delta'; there are: alpha.safetensors, beta.safetensors")
    assert watched.calls == ["refresh-checkpoints"], "nothing was generated"


async def test_a_model_that_arrived_since_the_start_is_found_after_a_refresh(
    connect: Connect, make_job: MakeJob
) -> None:
    # Given
    items = [{"title": "alpha.safetensors", "model_name": "alpha"}]

    def refresh() -> None:
        items.append({"title": "delta.safetensors", "model_name": "delta"})

    answers = {
        "sd-models": lambda: items,
        "refresh-checkpoints": refresh,
        "options": {"sd_model_checkpoint": None},
        "txt2img": {"images": ["aW1hZ2U="], "info": json.dumps({"sd_model_name": "delta"})},
    }
    async with serve(scripted(answers)) as client, connect(client, dynamic_model=True) as adapter:
        # When
        result = await run_job(adapter, make_job(**_asking("delta")))

    # Then
    assert result.ran.model == "delta"


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
    result = await run_job(adapter, make_job(**_asking("alpha.safetensors")))
    with pytest.raises(PermanentError, match="this runtime keeps its model, which is not beta"):
        await run_job(adapter, make_job(**_asking("beta")))

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


async def test_an_unknown_model_in_override_settings_fails_although_the_runtime_would_take_the_current_one(
    adapter: Adapter, make_job: MakeJob
) -> None:
    # When / Then
    with pytest.raises(PermanentError, match="there is no model 'delta'"):
        await run_job(adapter, make_job(override_settings={"sd_model_checkpoint": "delta"}))


async def test_two_different_models_in_one_task_are_refused(dynamic: Adapter, make_job: MakeJob) -> None:
    # When / Then
    with pytest.raises(PermanentError, match="asks for two models: beta in alwayson_scripts and alpha in override"):
        await run_job(dynamic, make_job(**_asking("beta"), override_settings={"sd_model_checkpoint": "alpha"}))


@pytest.mark.parametrize(
    ("content", "field"),
    [
        (_asking(["beta"]), "alwayson_scripts.sd_model_checkpoint"),  # type: ignore[arg-type]  # what a caller may send
        ({"override_settings": {"sd_model_checkpoint": 7}}, "override_settings.sd_model_checkpoint"),
    ],
)
async def test_a_model_that_is_no_name_is_refused(
    dynamic: Adapter, make_job: MakeJob, content: dict[str, Any], field: str
) -> None:
    # When / Then
    with pytest.raises(PermanentError, match=f"content.{field}: must be the name of a model"):
        await run_job(dynamic, make_job(**content))


async def test_a_model_that_the_runtime_could_not_load_is_told_before_anything_is_generated(
    connect: Connect, make_job: MakeJob
) -> None:
    # Given
    async with serve(scripted({})) as client, connect(client, dynamic_model=True) as adapter:
        # When
        with pytest.raises(RuntimeFault) as caught:
            await run_job(adapter, make_job(**_asking("beta")))

    # Then
    assert caught.value.type == "model-not-loaded"
    assert "did not load beta.safetensors, it stays with alpha.safetensors" in caught.value.message


@pytest.mark.parametrize("info", [json.dumps({"sd_model_name": "alpha"}), "no JSON", None])
async def test_a_runtime_that_ran_another_model_than_it_says_to_have_loaded_delivers_nothing(
    connect: Connect, make_job: MakeJob, info: str | None
) -> None:
    # Given
    answers = {
        "options": {"sd_model_checkpoint": "beta"},
        "txt2img": {"images": ["aW1hZ2U="], "parameters": {}, "info": info},
    }
    async with serve(scripted(answers)) as client, connect(client, dynamic_model=True) as adapter:
        # When
        with pytest.raises(RuntimeFault) as caught:
            await run_job(adapter, make_job(**_asking("beta")))

    # Then
    assert caught.value.type == "model-mismatch"
    assert "asked for the model beta.safetensors" in caught.value.message


@pytest.mark.parametrize("models", [None, {}, [{"name": "alpha"}], ["alpha"]])
async def test_a_runtime_that_lists_no_models_is_at_fault_itself(
    connect: Connect, make_job: MakeJob, models: Any
) -> None:
    # Given
    async with serve(scripted({"sd-models": models})) as client, connect(client, dynamic_model=True) as adapter:
        # When / Then
        with pytest.raises(RuntimeFault, match="/sd-models lists no models"):
            await run_job(adapter, make_job(**_asking("beta")))


async def test_a_runtime_that_tells_no_options_is_at_fault_itself(connect: Connect, make_job: MakeJob) -> None:
    # Given
    async with serve(scripted({"options": []})) as client, connect(client, dynamic_model=True) as adapter:
        # When / Then
        with pytest.raises(RuntimeFault, match="/options is no object"):
            await run_job(adapter, make_job(**_asking("beta")))


async def test_a_long_list_of_models_is_cut(connect: Connect, make_job: MakeJob) -> None:
    # Given
    items = [{"title": f"m{number}", "model_name": f"m{number}"} for number in range(60)]
    answers = {"sd-models": items, "refresh-checkpoints": None}
    async with serve(scripted(answers)) as client, connect(client, dynamic_model=True) as adapter:
        # When / Then
        with pytest.raises(PermanentError, match="m48, m49 and 10 more"):
            await run_job(adapter, make_job(**_asking("beta")))


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
            await run_job(adapter, make_job(**_asking("alpha")))

        # When
        answers["sd-models"] = listed("11bb")
        result = await run_job(adapter, make_job(**_asking("alpha")))

    # Then
    assert result.ran.model_hash == "11bb"


async def test_forge_s_options_are_understood_though_they_do_not_show_the_title(
    connect: Connect, make_job: MakeJob
) -> None:
    # Given
    options = Options(models=("alpha.safetensors", "beta.safetensors"), seconds_per_step=0, flavour="forge")
    async with serve_simulator(options) as client, connect(client, dynamic_model=True) as adapter:
        # When
        result = await run_job(adapter, make_job(**_asking("beta.safetensors")))

    # Then
    assert result.ran.model == "beta"
