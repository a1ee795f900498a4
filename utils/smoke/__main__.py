"""Send every sample request that a runtime serves, and show the answers. ``test/run.sh`` finds the arguments."""

import argparse
import asyncio
import os
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import botocore.session
import filetype
from botocore.exceptions import ClientError

from contract.callback import Callback, Status
from contract.runtimes import RuntimeType
from infra.config.api import Auth
from infra.config.errors import ConfigError
from infra.config.model import load_config
from queue_agent.aws.clients import Clients, open_clients
from utils.smoke.authorize import Authorize, by_key, by_signature
from utils.smoke.callbacks import Listener, download, listening
from utils.smoke.client import Answer, Target, callbacks_of, requests_for, send

ROOT = Path(__file__).parents[2]

REGION_IN_ARN = 3
TIMEOUT_SECONDS = 900.0
"""A cold start is a new node, an image and a model: minutes."""

COLUMNS = "{:<32} {:<10} {:>8}  {}"
STAGES = "{:<32} {:>10} {:>10} {:>10}"


def main(argv: Sequence[str] | None = None) -> int:
    """Returns 0 if every request was accepted and, where callbacks are awaited, made images that can be downloaded."""
    parser = _parser()
    arguments = parser.parse_args(argv)
    api_key = os.environ.get("API_KEY", "")
    if arguments.auth == Auth.API_KEY and not api_key:
        parser.error("the variable API_KEY must hold the API key")
    try:
        target = _target(arguments)
        authorize = _signing() if arguments.auth == Auth.AWS_IAM else by_key(api_key)
    except (ConfigError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0 if asyncio.run(_send(arguments, target, authorize)) else 1


def _signing() -> Authorize:
    """With the credentials and the region that the AWS CLI would use. Raises ValueError without them."""
    session = botocore.session.get_session()
    credentials, region = session.get_credentials(), session.get_config_variable("region")
    if credentials is None or region is None:
        raise ValueError("requests are signed, and no AWS credentials or no region (AWS_DEFAULT_REGION) can be found")
    return by_signature(credentials, region)


async def _send(arguments: argparse.Namespace, target: Target, authorize: Authorize) -> bool:
    requests = requests_for(target)
    if not requests:
        print(f"error: there is no sample request for {target.type}", file=sys.stderr)
        return False
    async with AsyncExitStack() as stack:
        listener = None
        if arguments.topic_arn:
            clients = await stack.enter_async_context(open_clients(arguments.topic_arn.split(":")[REGION_IN_ARN]))
            listener = await stack.enter_async_context(listening(clients, arguments.topic_arn))
        print(COLUMNS.format("REQUEST", "STATUS", "SECONDS", "ANSWER"))
        answers = []
        async for answer in send(arguments.endpoint, authorize, requests):
            print(COLUMNS.format(answer.request.name, answer.status or "none", f"{answer.seconds:.2f}", answer.text))
            answers.append(answer)
        accepted = all(answer.accepted for answer in answers)
        if listener is None:
            return accepted
        ends = await _wait(answers, listener, arguments.timeout)
        fetched = await _fetch(listener.clients, ends)
        _show_stages(answers, ends, fetched)
        return accepted and len(fetched) == len(answers)


@dataclass(frozen=True, slots=True)
class End:
    """A task's callback, and how many seconds after the last request it came."""

    name: str
    callback: Callback
    seconds: float


async def _wait(answers: Sequence[Answer], listener: Listener, seconds: float) -> list[End]:
    """Show the callbacks as they arrive, and return them."""
    began = time.monotonic()
    names = {answer.request.task_id: answer.request.name for answer in answers if answer.accepted}
    ends = []
    print(COLUMNS.format("\nCALLBACK", "STATUS", "SECONDS", "RESULT"))
    async for callback in callbacks_of(names, listener, seconds):
        result = " ".join(callback.image_url) or (callback.error.message if callback.error else "")
        end = End(names.pop(callback.id), callback, time.monotonic() - began)
        print(COLUMNS.format(end.name, callback.status, f"{end.seconds:.1f}", result))
        ends.append(end)
    for name in names.values():
        print(COLUMNS.format(name, "none", f"{time.monotonic() - began:.1f}", f"no callback within {seconds:g} s"))
    return ends


async def _fetch(clients: Clients, ends: Sequence[End]) -> dict[str, float]:
    """Download and check the files of completed tasks. Returns the seconds of each request whose files are right."""
    fetched = {}
    for end in ends:
        if end.callback.status is not Status.COMPLETED:
            continue
        began = time.monotonic()
        with tempfile.TemporaryDirectory() as folder:
            try:
                files = await download(clients, end.callback, Path(folder))
            except (ClientError, OSError, ValueError) as error:
                print(f"error: the files of {end.name} cannot be fetched: {error}", file=sys.stderr)
                continue
            problem = _problem(files[:-1]) if end.callback.output_url else "no .out is named"
        if problem:
            print(f"error: {end.name}: {problem}", file=sys.stderr)
        else:
            fetched[end.name] = time.monotonic() - began
    return fetched


def _problem(images: Sequence[Path]) -> str | None:
    """What is wrong with the files that a task made."""
    if not images:
        return "no image was made"
    wrong = [path.name for path in images if not filetype.is_image(str(path)) and not filetype.is_video(str(path))]
    return f"{', '.join(wrong)} is neither an image nor a video" if wrong else None


def _show_stages(answers: Sequence[Answer], ends: Sequence[End], fetched: Mapping[str, float]) -> None:
    """Seconds of each stage: until the answer, from the last request to the callback, to download the files."""
    came = {end.name: f"{end.seconds:.1f}" for end in ends}
    print(STAGES.format("\nSTAGES", "ANSWER", "CALLBACK", "FILES"))
    for answer in answers:
        name = answer.request.name
        files = f"{fetched[name]:.2f}" if name in fetched else "missing"
        print(STAGES.format(name, f"{answer.seconds:.2f}", came.get(name, "missing"), files))


def _target(arguments: argparse.Namespace) -> Target:
    """The runtime that is named, or else the first of its type in the config. Raises ConfigError, ValueError."""
    kind, link = RuntimeType(arguments.runtime_type), arguments.link or None
    if arguments.runtime:
        return Target(runtime=arguments.runtime, type=kind, model=arguments.model or None, link=link)
    for runtime in load_config(arguments.config).models_runtime:
        if runtime.type is kind:
            return Target(runtime=runtime.name, type=kind, model=runtime.model_filename, link=link)
    raise ValueError(f"{arguments.config} has no {kind} runtime; name the stack's with --runtime")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="test/run.sh", description=__doc__)
    add = parser.add_argument
    add("--endpoint", required=True, metavar="URL", help="of the API, with its stage; the key is in API_KEY")
    add("--auth", default=Auth.API_KEY, choices=[one.value for one in Auth], help="as APIGW.auth of the config has it")
    add("--runtime-type", default=RuntimeType.SDWEBUI, choices=[kind.value for kind in RuntimeType])
    add("--runtime", metavar="NAME", help="default: the first of its type in the config")
    add("--model", metavar="FILE", help="of the runtime that is named, for v1alpha1, which routes by model")
    add("--link", metavar="URL", help="an image to start from, instead of the sample image on the internet")
    add("--topic-arn", metavar="ARN", help="of the output topic; then callbacks are awaited")
    add("--timeout", type=float, default=TIMEOUT_SECONDS, metavar="S", help="for all callbacks (default: %(default)g)")
    add("--config", type=Path, default=ROOT / "config.yaml", metavar="PATH", help="default: config.yaml of the project")
    return parser


if __name__ == "__main__":
    sys.exit(main())
