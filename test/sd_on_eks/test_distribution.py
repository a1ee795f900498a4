"""The client's own distribution, in an environment that has nothing else."""

import shutil
import subprocess
import sys
import venv
import zipfile
from importlib import metadata
from pathlib import Path

import pytest
from mcp import Client, StdioServerParameters
from packaging.requirements import Requirement

from test.e2e.conftest import platform
from test.support.platform import Running
from utils.local.services import ROOT

__all__ = ["platform"]

pytestmark = pytest.mark.slow

SOURCE = ROOT / "src" / "sd_on_eks"

SECONDS = 100

PROGRAM = """
import sys
from sd_on_eks import Client, text_to_image

with Client() as client:
    (image,) = client.run(text_to_image("a lighthouse", steps=2, width=64, height=64), timeout=60)
    print(image.save("image.png").read_bytes()[1:4].decode())
print(sorted({"contract", "boto3", "click", "aiohttp"} & sys.modules.keys()))
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from a copy, so that nothing around the folder can help."""
    folder = tmp_path_factory.mktemp("client")
    source = folder / "source"
    shutil.copytree(SOURCE, source, ignore=shutil.ignore_patterns("__pycache__"))
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-d", str(folder)],
        cwd=source,
        check=True,
        capture_output=True,
        timeout=SECONDS,
    )
    (built,) = folder.glob("*.whl")
    return built


class Environment:
    """A new virtual environment; packages are copied from this one, as no index is asked."""

    def __init__(self, folder: Path) -> None:
        venv.create(folder / "venv", with_pip=False, symlinks=True)
        self._folder = folder
        self.bin = folder / "venv" / "bin"
        (self.site,) = (folder / "venv" / "lib").glob("python3.*/site-packages")

    def install(self, wheel: Path, *extras: str) -> None:
        """What pip would install: the wheel, and all that it requires, and no more."""
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(self.site)
        (info,) = self.site.glob("sd_on_eks-*.dist-info")
        needed = [(text, extras) for text in metadata.Distribution.at(info).requires or []]
        done: set[str] = set()
        while needed:
            text, asked = needed.pop()
            requirement = Requirement(text)
            wanted = [not requirement.marker or requirement.marker.evaluate({"extra": extra}) for extra in ("", *asked)]
            if any(wanted) and str(requirement) not in done:
                done.add(str(requirement))
                found = metadata.distribution(requirement.name)
                assert found.version in requirement.specifier
                needed += [(other, tuple(requirement.extras)) for other in found.requires or []]
                self._copy(found)

    def run(self, *command: str, **environment: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [str(self.bin / command[0]), *command[1:]],
            cwd=self._folder,
            env={"HOME": str(self._folder), **environment},
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )

    def _copy(self, found: metadata.Distribution) -> None:
        for file in found.files or ():
            if ".." not in file.parts and "__pycache__" not in file.parts:
                target = self.site / file
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(str(file.locate()), target)


@pytest.fixture
def bare(tmp_path: Path) -> Environment:
    return Environment(tmp_path)


def credentials(platform: Running) -> dict[str, str]:
    return {"SDONEKS_ENDPOINT": platform.addresses.endpoint, "SDONEKS_API_KEY": platform.addresses.api_key}


def metadata_of(wheel: Path) -> str:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        return archive.read(name).decode()


def test_the_wheel_holds_the_client_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()

    modules = {path.relative_to(SOURCE.parent).as_posix() for path in SOURCE.rglob("*.py")}
    assert {name for name in names if ".dist-info/" not in name} == {*modules, "sd_on_eks/py.typed"}


def test_the_wheel_works_in_a_bare_environment(wheel: Path, bare: Environment, platform: Running) -> None:
    bare.install(wheel)

    ran = bare.run("python", "-I", "-c", PROGRAM, **credentials(platform))

    assert ran.stdout.splitlines() == ["PNG", "[]"], ran.stderr


def test_the_command_comes_with_its_extra(wheel: Path, bare: Environment, platform: Running) -> None:
    bare.install(wheel)
    without = bare.run("python", "-m", "sd_on_eks", "runtimes")
    bare.install(wheel, "cli")

    shown = bare.run("python", "-m", "sd_on_eks", "runtimes", **credentials(platform))

    assert (without.returncode, 'pip install "sd-on-eks[cli]"' in without.stderr) == (2, True)
    assert shown.stdout.splitlines()[1].split()[0] == "sdruntime", shown.stderr
    (script,) = metadata.Distribution.at(next(bare.site.glob("sd_on_eks-*.dist-info"))).entry_points
    assert (script.name, script.value) == ("sdoneks", "sd_on_eks.__main__:main")


def test_the_operators_commands_are_not_part_of_it(wheel: Path, bare: Environment) -> None:
    bare.install(wheel, "cli")

    ran = bare.run("python", "-m", "sd_on_eks", "ops", "watch")

    assert ran.returncode == 2
    assert "call it in a checkout" in ran.stderr


async def test_assistants_are_served_with_an_extra(wheel: Path, bare: Environment, platform: Running) -> None:
    bare.install(wheel, "cli")
    without = bare.run("python", "-m", "sd_on_eks", "mcp", **credentials(platform))
    assert (without.returncode, 'pip install "sd-on-eks[mcp]"' in without.stderr) == (2, True)
    bare.install(wheel, "mcp")

    environment = {"HOME": str(bare.site), **credentials(platform)}
    server = StdioServerParameters(
        command=str(bare.bin / "python"), args=["-m", "sd_on_eks", "mcp"], env=environment, cwd=bare.site
    )
    async with Client(server, read_timeout_seconds=SECONDS) as client:
        shown = await client.call_tool("list_runtimes")

    assert shown.structured_content is not None
    assert shown.structured_content["runtimes"][0]["name"] == "sdruntime"


def test_the_versions_of_both_projects_name_the_same_packages(wheel: Path) -> None:
    """What the client requires is among what the checkout installs and tests it with."""
    text = metadata_of(wheel)
    named = {
        Requirement(line.removeprefix("Requires-Dist: ")).name for line in text.splitlines() if "Requires-Dist" in line
    }
    lock = (ROOT / "requirements" / "dev.txt").read_text()

    assert named
    assert all(f"\n{name}==" in f"\n{lock}" for name in named)
