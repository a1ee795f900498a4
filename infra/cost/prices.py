"""What things cost: prices.yaml."""

from pathlib import Path
from typing import Any

import yaml

PRICES = Path(__file__).parent / "prices.yaml"


def price_book() -> dict[str, Any]:
    """Prices in US dollars, usage, and where the prices come from, as the file holds them."""
    book: dict[str, Any] = yaml.safe_load(PRICES.read_text(encoding="utf-8"))
    return book
