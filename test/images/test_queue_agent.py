"""The queue agent's image, as far as it shows without Docker: its recipe, and what its installation script makes."""

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from importlib import metadata
from pathlib import Path

import pytest
import yaml

from contract.wire import encode_task
from test.support.aws import REGION, Aws, embedded
from test.support.platform import until
from test.support.world import a_task

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "images" / "queue-agent"
DOCKERFILE = (FOLDER / "Dockerfile").read_text()
USER = 65532
"""As the chart runs it."""

LIMIT = 60
MEGABYTE = 2**20


def pins() -> dict[str, str]:
    lock = (ROOT / "requirements" / "agent.txt").read_text()
    found = re.findall(r"(?m)^([a-z0-9._-]+)==(\S+?)(?: ;.*)? \\$", lock)
    return dict(found)


@pytest.fixture(scope="module")
def tree() -> Iterator[Path]:
    """What the script installs, read-only. Packages come from this environment instead of an index."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    try:
        make_fake_pip(folder / "bin")
        subprocess.run(
            ["sh", str(FOLDER / "install.sh"), str(ROOT), str(folder / "queue-agent")],
            env={"PATH": f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}"},
            check=True,
            timeout=LIMIT,
        )
        for path in [*folder.rglob("*"), folder]:
            path.chmod(0o555 if path.is_dir() else 0o444)
        yield folder / "queue-agent"
    finally:
        for path in [folder, *folder.rglob("*")]:
            path.chmod(0o755)
        shutil.rmtree(folder)


def make_fake_pip(folder: Path) -> None:
    """A Python whose pip copies the packages that the lock pins. They are held to the lock's versions."""
    folder.mkdir()
    script = folder / "python"
    script.write_text(
        f"""#!{sys.executable}
import os, sys
if sys.argv[1:4] != ["-m", "pip", "install"]:
    os.execv({sys.executable!r}, ["python", *sys.argv[1:]])
sys.path[:0] = [{str(ROOT)!r}, {str(ROOT / "src")!r}]
from test.images.test_queue_agent import copy_packages
assert "--require-hashes" in sys.argv
copy_packages(sys.argv[sys.argv.index("--target") + 1])
"""
    )
    script.chmod(0o755)


def copy_packages(target: str) -> None:
    for name, version in pins().items():
        try:
            package = metadata.distribution(name)
        except metadata.PackageNotFoundError:
            continue  # of another system, such as colorama
        assert package.version == version, f"{name} {package.version} is installed, and the lock has {version}"
        for file in package.files or ():
            if ".." not in file.parts and "__pycache__" not in file.parts:
                place = Path(target) / file
                place.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(file.locate(), place)


def python_for_others() -> str | None:
    """A Python of this version that a user without rights may run."""
    name = f"python{sys.version_info.major}.{sys.version_info.minor}"
    for found in (sys.executable, f"/usr/bin/{name}", f"/usr/local/bin/{name}"):
        real = Path(found).resolve()
        if real.exists() and all(part.stat().st_mode & 0o001 for part in (real, *real.parents)):
            return found
    return None


def started(tree: Path, environment: Mapping[str, str]) -> "subprocess.Popen[str]":
    python = python_for_others()
    if python is None:
        pytest.skip("no Python of this version that another user may run")
    root = os.geteuid() == 0
    return subprocess.Popen(
        [python, "-m", "queue_agent"],
        env={"PYTHONPATH": str(tree), "PYTHONDONTWRITEBYTECODE": "1", **environment},
        cwd="/",
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        user=USER if root else None,
        group=USER if root else None,
        extra_groups=[] if root else None,
    )


@pytest.fixture
def aws() -> Iterator[Aws]:
    with embedded() as aws:
        yield aws


@pytest.fixture
def webui() -> Iterator[str]:
    """The address of a simulated WebUI."""
    words = [sys.executable, "-m", "utils.simulators", "sdwebui", "--port", "0", "--seconds-per-step", "0.001"]
    python_path = f"{ROOT}{os.pathsep}{ROOT / 'src'}"
    with subprocess.Popen(
        words,
        env={**os.environ, "PYTHONPATH": python_path},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        assert process.stdout is not None
        yield process.stdout.readline().split()[-1]
        process.terminate()


@pytest.mark.slow
def test_it_serves_a_task_as_another_user_from_a_read_only_tree(tree: Path, aws: Aws, webui: str) -> None:
    # Given
    sqs, s3 = aws.client("sqs"), aws.client("s3")
    queue = sqs.create_queue(QueueName="tasks")["QueueUrl"]
    topic = aws.client("sns").create_topic(Name="callbacks")["TopicArn"]
    s3.create_bucket(Bucket="pictures", CreateBucketConfiguration={"LocationConstraint": REGION})
    sqs.send_message(QueueUrl=queue, MessageBody=encode_task(a_task("t1")))
    environment = {
        **{name: value for name, value in aws.environment.items() if name != "PATH"},
        "SQS_QUEUE_URL": queue,
        "SNS_TOPIC_ARN": topic,
        "S3_BUCKET": "pictures",
        "RUNTIME_TYPE": "sdwebui",
        "RUNTIME_NAME": "sdruntime",
        "API_BASE_URL": webui,
        "HEALTH_PORT": "0",
    }
    agent = started(tree, environment)

    def stored() -> list[str]:
        return [entry["Key"] for entry in s3.list_objects_v2(Bucket="pictures").get("Contents", ())]

    # When
    try:
        until(lambda: agent.poll() is not None or any(key.endswith(".out") for key in stored()), LIMIT)
    finally:
        agent.send_signal(signal.SIGTERM)
        printed, _ = agent.communicate(timeout=LIMIT)
    # Then
    assert agent.returncode == 0, printed
    assert sorted(key.rpartition(".")[2] for key in stored()) == ["out", "png"], printed
    assert '"action": "started"' in printed


def test_wrong_settings_end_it_with_a_reason(tree: Path) -> None:
    agent = started(tree, {})
    printed, _ = agent.communicate(timeout=LIMIT)
    assert agent.returncode == 2
    assert "SQS_QUEUE_URL" in printed


def test_it_stays_small(tree: Path) -> None:
    """Beside about 45 MB of the base image; compressed, it is a third of this."""
    size = sum(path.stat().st_size for path in tree.rglob("*") if path.is_file())
    assert size < 100 * MEGABYTE
    assert {path.name for path in (tree / "botocore" / "data").iterdir() if path.is_dir()} >= {"s3", "sns", "sqs"}
    assert not (tree / "botocore" / "data" / "ec2").exists()


def instructions(name: str) -> list[str]:
    joined = DOCKERFILE.replace("\\\n", " ")
    return [line.partition(" ")[2].strip() for line in joined.splitlines() if line.startswith(f"{name} ")]


def test_the_recipe_runs_the_agent_itself_and_not_as_root() -> None:
    assert instructions("USER") == [f"{USER}:{USER}"]
    assert instructions("CMD") == ['["python", "-m", "queue_agent"]']
    assert instructions("ENTRYPOINT") == ["[]"]
    assert instructions("HEALTHCHECK")
    assert len(instructions("FROM")) == 2
    assert "org.opencontainers.image.version" in instructions("LABEL")[0]


def test_the_recipe_copies_what_is_there_and_the_script_needs() -> None:
    for line in instructions("COPY"):
        if not line.startswith("--from"):
            assert (ROOT / line.split()[0]).exists(), line
    allowed = (FOLDER / "Dockerfile.dockerignore").read_text().splitlines()
    assert {f"!{line.split()[0]}" for line in instructions("COPY") if not line.startswith("--from")} <= set(allowed)


def test_its_version_is_what_the_chart_runs() -> None:
    chart = yaml.safe_load((ROOT / "charts" / "sd-on-eks" / "Chart.yaml").read_text())
    assert f"VERSION={chart['appVersion']}" in instructions("ARG")
