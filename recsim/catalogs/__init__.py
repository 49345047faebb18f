"""Catalogues that come with the package, and generators of made-up ones."""

from pathlib import Path

BUNDLED = ("openclipart",)


def bundled_path(name: str) -> Path:
    """The folder of a bundled catalogue."""
    return Path(__file__).parent / name
