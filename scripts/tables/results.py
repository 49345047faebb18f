"""The measured numbers that tables are made of."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from recsim.files import read_json

DOCS = Path(__file__).resolve().parents[2] / "docs"


def result(name: str) -> Any:
    """What a command has written to docs/results."""
    return read_json(DOCS / "results" / f"{name}.json")
