"""``python -m infra.cost``."""

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from infra.app import ROOT
from infra.config.errors import ConfigError
from infra.config.model import load_config
from infra.cost.estimate import MILLION, Bill, Calculator, tables, template_of
from infra.cost.prices import price_book
from infra.node import StackPackagesMissing


def main(words: Sequence[str] | None = None) -> int:
    """Print the tables. Returns 1 after telling what is wrong with the config, or has no price."""
    arguments = _arguments(words)
    book = price_book()
    if arguments.picture_seconds is not None:
        book["usage"]["picture_seconds"] = arguments.picture_seconds
    if arguments.gpu_hour_price is not None:
        book["prices"] |= {"gpu": "at your price", "gpu_spot_hour": arguments.gpu_hour_price}

    def bill_of(raw: Mapping[str, Any]) -> Bill:
        return Calculator(template_of(raw), book).bill().of(arguments.pictures)

    try:
        load_config(arguments.config)
        raw = yaml.safe_load(arguments.config.read_text(encoding="utf-8"))
        print("\n".join(tables(raw, bill_of, arguments.pictures)))  # noqa: T201
    except ConfigError as error:
        print(error, file=sys.stderr)  # noqa: T201
        return 1
    except StackPackagesMissing as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201
        return 1
    except KeyError as error:
        print(f"infra/cost/prices.yaml has no price of {error}; add it there", file=sys.stderr)  # noqa: T201
        return 1
    return 0


def _arguments(words: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m infra.cost",
        description="What a stack costs in a month, by the prices in infra/cost/prices.yaml.",
    )
    parser.add_argument("config", type=Path, nargs="?", default=ROOT / "config.yaml", metavar="CONFIG")
    parser.add_argument("--pictures", type=int, default=MILLION, metavar="N", help="a month; default one million")
    parser.add_argument("--picture-seconds", type=float, metavar="S", help="GPU time of one; default 1.5 s")
    parser.add_argument("--gpu-hour-price", type=float, metavar="USD", help="of a node; default g5.2xlarge on Spot")
    return parser.parse_args(words)


if __name__ == "__main__":
    sys.exit(main())
