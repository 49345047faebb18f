"""The tables of docs/catalogs.md."""

from __future__ import annotations

from itertools import groupby

from recsim.catalogs.importing.kinds import KINDS
from tables.markdown import markdown, promises
from tables.results import result


def findings() -> str:
    """What an import looks for, and what it does about it."""
    rows = []
    for part, kinds in groupby(KINDS, key=lambda kind: kind.part):
        rows += [(part if row == 0 else "", kind.what, kind.done) for row, kind in enumerate(kinds)]
    return markdown(("of", "what is found", "what is done"), rows, left=3)


def imports() -> str:
    """How long imports take, and how much memory."""
    return promises(result("import"), "pandas") + "; once each."
