"""From a run folder to one self-contained HTML page: which policy, how sure, and what the log alone would have said."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from recsim.catalog import Catalog

__all__ = ["write_report"]


def write_report(run: Path, catalog: Catalog | None = None, *, out: Path | None = None) -> Path:
    """Writes the report of a finished run.

    Args:
        run: the run folder; `config.yaml`, `manifest.json` and `metrics.json` are needed, the rest is shown if there.
        catalog: where pictures of items come from; by default the catalogue that the config names.
        out: where the page goes; by default `run`/report.html.

    Returns:
        Where it is.

    Raises:
        FileNotFoundError: if the run folder, or a file that every finished run has, is missing.
        ValueError: if a file of the run is not what it should be; the message names file and place.
    """
    from recsim.files import write_text
    from recsim.report.page import render
    from recsim.report.read import read_run

    page = render(read_run(Path(run)), catalog)
    path = out or Path(run) / "report.html"
    write_text(path, page)
    return path
