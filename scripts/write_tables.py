"""Fill the tables of docs/*.md from the measured numbers in docs/results.

    python scripts/write_tables.py

A table stands between the lines `<!-- table: NAME -->` and `<!-- end -->`; NAME is a public function of the module of
its page in scripts/tables, which makes markdown of the JSON of a command or of constants. A test asserts that the
documents are what this script would write.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from inspect import getmembers, isfunction

from tables import (
    catalogs,
    corruption,
    coverage,
    encoders,
    evaluation,
    language,
    learning,
    preparing,
    results,
    speed,
    worlds,
)

from recsim.files import write_text

PAGES = (catalogs, corruption, coverage, encoders, evaluation, language, learning, preparing, speed, worlds)
TABLES: dict[str, Callable[[], str]] = {
    name: table
    for page in PAGES
    for name, table in getmembers(page, isfunction)
    if table.__module__ == page.__name__ and not name.startswith("_")
}
PLACE = re.compile(r"(<!-- table: (\w+) -->\n).*?(<!-- end -->)", flags=re.DOTALL)


def main() -> None:
    """Write the documents whose tables have changed, and name them."""
    for path in sorted(results.DOCS.glob("*.md")):
        text = path.read_text(encoding="utf-8")
        if (new := filled(text)) != text:
            write_text(path, new)
            print(path)


def filled(text: str) -> str:
    """A document with its tables made anew.

    Raises:
        KeyError: if a table is named that is not in `TABLES`.
    """
    return PLACE.sub(lambda match: f"{match[1]}{TABLES[match[2]]()}\n{match[3]}", text)


if __name__ == "__main__":
    main()
