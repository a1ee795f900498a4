"""What a plan costs in a month, before it is deployed."""

from collections.abc import Mapping
from typing import Any

from infra.cost.estimate import Calculator, template_of
from infra.cost.prices import price_book
from utils.deploy.console import say, warn


def show_cost(raw: Mapping[str, Any]) -> None:
    """Print what is paid each month in any case, and for the use. ``raw``: config.yaml as it is written."""
    book = price_book()
    try:
        bill = Calculator(template_of(raw), book).bill()
    except KeyError as error:
        warn(f"the price cannot be computed: infra/cost/prices.yaml has none of {error}")
        return
    fixed, million = (sum(line.total for line in lines) for lines in (bill.fixed, bill.pictures))
    say(f"    cost          about {fixed:.0f} USD a month while idle, by the prices of us-west-2")
    say(
        f"                  and {million:.0f} USD for a million images of {book['usage']['picture_seconds']:g} s of GPU"
    )
    say("                  each line of it: .venv/bin/python -m infra.cost config.yaml")
