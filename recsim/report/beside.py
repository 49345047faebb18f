"""Files beside a page: tables of all estimates for programs, and links that work wherever the page lies."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

import pandas as pd

from recsim.files import write_table, write_text
from recsim.report.offline import Estimate, Offline

KINDS = {".estimates.csv": "all estimates as a table", ".estimates.parquet": "the same for pandas and others"}


def estimates_beside(found: Offline, page: Path) -> list[tuple[str, str]]:
    """Writes all estimates beside `page` as CSV and as Parquet; returns their links and what they hold."""
    table = estimates_table(found)
    paths = [page.with_suffix(ending) for ending in KINDS]
    write_text(paths[0], table.to_csv(index=False, lineterminator="\n"))
    write_table(paths[1], table)
    return [(quote(path.name), what) for path, what in zip(paths, KINDS.values(), strict=True)]


def estimates_table(found: Offline) -> pd.DataFrame:
    """One row per policy, estimator and objective, with the columns of `recsim.report.offline.Estimate`."""
    return pd.DataFrame([estimate.model_dump() for estimate in found.estimates], columns=list(Estimate.model_fields))


def files_beside(run: Path, files: Sequence[tuple[str, str]], page: Path) -> list[tuple[str, str]]:
    """Links to files of a run folder from a page that may lie elsewhere."""
    return [(quote(Path(os.path.relpath(run / name, page.resolve().parent)).as_posix()), what) for name, what in files]
