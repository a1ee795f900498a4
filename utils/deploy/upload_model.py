"""Copy a model from the web into a bucket: streamed, checked by its SHA-256, and resumed after an interruption."""

import argparse
import re
import sys
import urllib.parse
from collections.abc import Sequence

from utils.deploy import buckets, model_folders, models
from utils.deploy.account import open_account
from utils.deploy.console import DeployError, run, step, warn
from utils.deploy.models import AGAIN, SD_1_5, Model

ENDINGS = (".safetensors", ".ckpt")
"""What the runtimes read."""


def main(argv: Sequence[str] | None = None) -> int:
    arguments = _read(argv)
    return run(lambda: _copy(arguments), again=AGAIN)


def _copy(arguments: argparse.Namespace) -> None:
    model = _model(arguments)
    account = open_account(arguments.region)
    buckets.check(account, arguments.bucket, without="Or name another with -b.")
    model_folders.make(account, arguments.bucket, model_folders.missing(account, arguments.bucket))
    if not arguments.folders_only:
        step("Model", "at the speed of your network")
        models.copy(account, arguments.bucket, model)


def _model(arguments: argparse.Namespace) -> Model:
    if not arguments.url:
        return SD_1_5
    name = arguments.name or urllib.parse.unquote(urllib.parse.urlsplit(arguments.url).path.rpartition("/")[2])
    if not name.endswith(ENDINGS) or "/" in name:
        raise DeployError(
            f"{name!r} is not the name of a model that runtimes read",
            f"Name it with --name FILE; it ends in {' or '.join(ENDINGS)}.",
        )
    return Model(arguments.url, f"{arguments.folder}/{name}", arguments.sha256)


def _read(argv: Sequence[str] | None) -> argparse.Namespace:
    """Exits with a message when they are wrong. The bucket without -b, as in the AWS guidance, is accepted."""
    parser = _parser()
    arguments = parser.parse_args(argv)
    if arguments.bare_bucket and arguments.bucket:
        parser.error(f"two buckets are named, {arguments.bucket} and {arguments.bare_bucket}")
    if arguments.bare_bucket:
        warn(f"the bucket is named with -b here: upload-model.sh -b {arguments.bare_bucket}")
        arguments.bucket = arguments.bare_bucket
    if not arguments.bucket:
        parser.error("the bucket is missing; name it with -b")
    return arguments


def _checksum(text: str) -> str:
    if not re.fullmatch(r"[0-9a-fA-F]{64}", text):
        raise argparse.ArgumentTypeError("must be 64 hexadecimal digits")
    return text.lower()


def _url(text: str) -> str:
    if not re.match(r"https?://[^/]", text):
        raise argparse.ArgumentTypeError("must begin with https:// or http://")
    return text


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="upload-model.sh", description=__doc__)
    add = parser.add_argument
    add("-b", "--bucket", metavar="NAME", help="where to; it must exist")
    add("bare_bucket", nargs="?", metavar="BUCKET", help=argparse.SUPPRESS)
    add("-R", "--region", help="of the bucket; default: the environment's, the profile's, or that of this machine")
    add("--url", type=_url, help="where from (default: Stable Diffusion 1.5 from the Hugging Face hub)")
    add(
        "--folder",
        default="Stable-diffusion",
        choices=model_folders.FOLDERS,
        metavar="KIND",
        help="default: %(default)s",
    )
    add("--name", metavar="FILE", help="of the model in the bucket (default: as in the URL)")
    add("--folders-only", action="store_true", help="make the folders that WebUI expects, and copy no model")
    add("--sha256", type=_checksum, metavar="HEX", help="of the file; default: what the Hugging Face hub states")
    return parser


if __name__ == "__main__":
    sys.exit(main())
