"""The images that the stack builds: which, from what, and under which names."""

import json
from pathlib import Path
from typing import Any

import pytest

from contract.runtimes import RuntimeType
from infra.config.errors import ConfigError
from infra.config.model import parse_config
from infra.images import AGENT, ROOT, image_build, image_builds
from test.infra.configs import CHINA, COMFYUI, ONE, THREE
from test.infra.reading import of_type, the_one
from test.infra.synthesis import Synthesis


def names(config: dict[str, Any]) -> list[str]:
    return [build.name for build in image_builds(parse_config(config))]


def with_image(container: str, **image: str) -> dict[str, Any]:
    (runtime,) = ONE["modelsRuntime"]
    return {**ONE, "modelsRuntime": [{**runtime, "extraValues": {"runtime": {container: {"image": image}}}}]}


def test_the_agents_image_and_one_for_each_type_in_use_are_built() -> None:
    more = {**THREE, "modelsRuntime": [*THREE["modelsRuntime"], {**COMFYUI, "name": "second"}]}

    assert names(ONE) == [AGENT, "sdwebui"]
    assert names(more) == [AGENT, "sdwebui", "comfyui", "invokeai"]


@pytest.mark.parametrize(
    ("container", "image", "built"),
    [
        ("inferenceApi", {"repository": "public.ecr.aws/x/sdwebui"}, [AGENT]),
        ("inferenceApi", {"tag": "mine"}, [AGENT]),
        ("queueAgent", {"repository": "registry.example/agent"}, ["sdwebui"]),
        ("queueAgent", {"repository": ""}, [AGENT, "sdwebui"]),
    ],
)
def test_an_image_that_the_config_names_is_not_built(container: str, image: dict[str, str], built: list[str]) -> None:
    assert names(with_image(container, **image)) == built


def test_a_registry_with_copies_of_all_images_needs_no_builds_unless_asked_for() -> None:
    copies = {**ONE, "addOns": {"imageRegistry": "registry.example"}}

    assert names(copies) == []
    assert names({**copies, "images": {"build": True}}) == [AGENT, "sdwebui"]
    assert names({**ONE, "images": {"build": False}}) == []


def test_names_follow_from_the_stacks() -> None:
    build = image_build("Mine", "comfyui")

    assert (build.project, build.repository) == ("Mine-comfyui", "mine/comfyui")
    assert build.reference == f"mine/comfyui:{build.tag}"


@pytest.mark.parametrize("name", [AGENT, *(kind.value for kind in RuntimeType)])
def test_the_sources_hold_what_the_build_needs_and_no_more(name: str) -> None:
    # When
    sources = image_build("x", name).sources

    # Then
    assert {"images/build.sh", f"images/{name}/Dockerfile"} <= set(sources)
    assert not [source for source in sources if "__pycache__" in source]
    assert ("src/queue_agent/__main__.py" in sources) == (name == AGENT)
    assert ("src/image_kit/server.py" in sources) == (name == "imagekit")


def test_the_tag_follows_the_content_of_the_sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Given a copy of an image's sources
    build = image_build("x", "comfyui")
    for source in build.sources:
        (tmp_path / source).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / source).write_bytes((ROOT / source).read_bytes())
    monkeypatch.setattr("infra.images.ROOT", tmp_path)

    # Then
    assert image_build("y", "comfyui").tag == build.tag
    (tmp_path / "images" / "comfyui" / "Dockerfile").write_text("FROM scratch")
    assert image_build("x", "comfyui").tag != build.tag


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("mirror", "https://public.ecr.aws/docker/library"),
        ("mirror", "public.ecr.aws/docker/library/python:3.13"),
        ("packageIndex", "pypi"),
        ("sourceHost", "github.com"),
    ],
)
def test_a_wrong_mirror_is_refused_with_what_is_allowed(key: str, value: str) -> None:
    with pytest.raises(ConfigError, match=rf"images\.{key}: must be .*{value}"):
        parse_config({**ONE, "images": {key: value}})


def environment(project: dict[str, Any]) -> dict[str, str]:
    return {one["Name"]: one["Value"] for one in project["Environment"]["EnvironmentVariables"]}


def test_a_project_builds_its_image_from_an_asset_and_pushes_it_to_its_repository(default: dict[str, Any]) -> None:
    # Given
    build = image_build("sdoneks", "sdwebui")

    # When
    project = the_one(default, "AWS::CodeBuild::Project", "ImagesProjectsdwebui")
    repository = the_one(default, "AWS::ECR::Repository", "ImagesRepositorysdwebui")

    # Then
    assert project["Name"] == build.project
    assert project["Source"]["Location"].endswith(".zip")
    assert json.loads(project["Source"]["BuildSpec"])["phases"]["build"]["commands"] == ["sh images/build.sh"]
    assert environment(project) == {
        "IMAGE_NAME": "sdwebui",
        "REGISTRY": "<AccountId>.dkr.ecr.<Region>.<URLSuffix>",
        "REPOSITORY": build.repository,
        "TAG": build.tag,
        "VERSION": "0.1.0",
        "MIRROR": "public.ecr.aws/docker/library",
        "PACKAGE_INDEX": "",
        "SOURCE_HOST": "https://github.com",
    }
    assert project["TimeoutInMinutes"] == 60
    assert (repository["RepositoryName"], repository["ImageTagMutability"]) == (build.repository, "IMMUTABLE")
    assert repository["ImageScanningConfiguration"] == {"ScanOnPush": True}
    assert repository["EmptyOnDelete"] is True


def test_builds_log_to_one_group_with_a_stream_for_each_image(default: dict[str, Any]) -> None:
    groups = of_type(default, "AWS::Logs::LogGroup")
    for project in of_type(default, "AWS::CodeBuild::Project").values():
        logs = project["LogsConfig"]["CloudWatchLogs"]
        group = groups[logs["GroupName"].strip("<>")]
        assert (group["LogGroupName"], group["RetentionInDays"]) == ("/aws/codebuild/sdoneks-images", 30)
        assert logs["StreamName"] == environment(project)["IMAGE_NAME"]


def test_builds_are_started_when_all_that_they_need_is_there(default: dict[str, Any]) -> None:
    # When
    (start,) = [one for one in default["Resources"].values() if one["Type"] == "Custom::ImageStart"]
    projects = of_type(default, "AWS::CodeBuild::Project")

    # Then
    assert projects.keys() <= set(start["DependsOn"])
    listed = {(one["Project"], one["Tag"]) for one in start["Properties"]["Builds"]}
    assert listed == {(project["Name"], environment(project)["TAG"]) for project in projects.values()}
    for name in projects:
        depends = default["Resources"][name]["DependsOn"]
        assert [one for one in depends if one.startswith("ImagesRoleDefaultPolicy")]
        assert [one for one in depends if one.startswith("ImagesRepository")]


def test_the_sources_are_published_in_the_projects_layout(synthesise: Synthesis) -> None:
    # When
    assembly = synthesise("default")

    # Then
    folders = {tuple(sorted(path.name for path in one.iterdir())) for one in assembly.glob("asset.*") if one.is_dir()}
    assert ("images", "requirements", "src") in folders
    assert ("images",) in folders


def test_pods_run_the_images_that_the_stack_builds(default: dict[str, Any], unwatched: dict[str, Any]) -> None:
    def images(template: dict[str, Any]) -> list[Any]:
        charts = of_type(template, "Custom::AWSCDK-EKS-HelmChart").values()
        (values,) = [json.loads(chart["Values"]) for chart in charts if chart["Release"] == "sdruntime"]
        return [values["runtime"][container].get("image") for container in ("queueAgent", "inferenceApi")]

    registry = "<AccountId>.dkr.ecr.<Region>.<URLSuffix>"
    assert images(default) == [
        {"repository": f"{registry}/{build.repository}", "tag": build.tag} for build in image_builds(parse_config(ONE))
    ]
    assert images(unwatched) == [None, None]
    assert not of_type(unwatched, "AWS::CodeBuild::Project")
    assert "ImageBuildProjects" not in unwatched["Outputs"]


def test_mirrors_reach_the_build(everything: dict[str, Any], china: dict[str, Any]) -> None:
    told = environment(the_one(everything, "AWS::CodeBuild::Project", "ImagesProjectsdwebui"))
    chinese = environment(the_one(china, "AWS::CodeBuild::Project", "ImagesProjectcomfyui"))

    assert told["MIRROR"] == "123456789012.dkr.ecr.us-east-1.amazonaws.com/library"
    assert (told["PACKAGE_INDEX"], told["SOURCE_HOST"]) == ("https://packages.example/simple", "https://git.example")
    assert chinese["MIRROR"] == CHINA["images"]["mirror"]
