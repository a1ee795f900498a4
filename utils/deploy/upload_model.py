"""Copy a model from the web into a bucket: streamed, checked by its SHA-256, and resumed when it was cut off."""

import argparse
import re
import sys
import urllib.parse
from collections.abc import Sequence

from utils.deploy import buckets, models
from utils.deploy.account import open_account
from utils.deploy.console import DeployError, run, step
from utils.deploy.models import AGAIN, SD_1_5, Model

ENDINGS = (".safetensors", ".ckpt")
"""What the runtimes read."""

FOLDERS = (
    "CLIP", "Codeformer", "ControlNet", "ESRGAN", "GFPGAN", "LDSR", "Lora", "RealESRGAN", "ScuNET", "Stable-diffusion",
    "SwinIR", "VAE", "VAE-approx", "embeddings", "hypernetworks",
)  # fmt: skip
"""The kinds of models, as the runtimes look for them."""


def main(words: Sequence[str] | None = None) -> int:
    arguments = _parser().parse_args(words)
    return run(lambda: _copy(arguments), again=AGAIN)


def _copy(arguments: argparse.Namespace) -> None:
    model = _model(arguments)
    account = open_account(arguments.region)
    buckets.check(account, arguments.bucket, without="Or name another with -b.")
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
    add("-b", "--bucket", required=True, metavar="NAME", help="where to; it must be there")
    add("-R", "--region", help="of the bucket; default: the environment's, the profile's, or that of this machine")
    add("--url", type=_url, help="where from (default: Stable Diffusion 1.5 from the Hugging Face hub)")
    add("--folder", default="Stable-diffusion", choices=FOLDERS, metavar="KIND", help="default: %(default)s")
    add("--name", metavar="FILE", help="of the model in the bucket (default: as in the URL)")
    add("--sha256", type=_checksum, metavar="HEX", help="of the file; default: what the Hugging Face hub tells")
    return parser


if __name__ == "__main__":
    sys.exit(main())
