"""Reports that people act on: which policy, how sure, and what would change the answer; from a run or from a log alone.

A report is a self-contained HTML page, Markdown that reads well in a terminal, or JSON for programs.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from recsim.catalog import Catalog

__all__ = [
    "FORMS",
    "Form",
    "render_evaluation",
    "render_report",
    "write_catalog_page",
    "write_evaluation",
    "write_report",
]

Form = Literal["html", "markdown", "json"]
FORMS = {"html": ".html", "markdown": ".md", "json": ".json"}


def write_report(run: Path, catalog: Catalog | None = None, *, out: Path | None = None, form: Form = "html") -> Path:
    """Writes the report of a finished run; beside a page, the offline estimates as CSV and Parquet.

    Args:
        run: the run folder; `config.yaml`, `manifest.json` and `metrics.json` are needed, the rest is shown if there.
        catalog: where pictures of items come from; by default the catalogue that the config names.
        out: where it goes; by default `run`/report.html, .md or .json.
        form: `html`, `markdown` or `json`.

    Returns:
        Where it is.

    Raises:
        FileNotFoundError: if the run folder, or a file that every finished run has, is missing.
        ValueError: if a file of the run is not what it should be; the message names file and place. If there is no such
            form.
    """
    from recsim.files import write_text
    from recsim.report.beside import estimates_beside, files_beside
    from recsim.report.page import run_page
    from recsim.report.read import read_run

    run = Path(run)
    path = out or run / f"report{_ending(form)}"
    if form == "html":
        found = read_run(run)
        page = run_page(found, catalog, files_beside(run, found.files, path), estimates_beside(found.offline, path))
        write_text(path, page)
    else:
        write_text(path, render_report(run, form=form))
    return path


def render_report(run: Path, *, form: Literal["markdown", "json"] = "markdown") -> str:
    """The report of a finished run as text; raises as `write_report`."""
    from recsim.report.markdown import run_markdown
    from recsim.report.read import read_run
    from recsim.report.told import run_json

    _ending(form)
    found = read_run(Path(run))
    return run_markdown(found) if form == "markdown" else run_json(found, Path(run))


def write_evaluation(found: dict[str, Any], out: Path, *, form: Form = "html", catalog: Catalog | None = None) -> Path:
    """Writes the report of an evaluation of a log; beside a page, all estimates as CSV and Parquet.

    Args:
        found: what `Evaluation.to_dict` returns, with any of the optional keys of `recsim.report.offline.Offline`.
        out: where it goes. Beside `page.html` stand `page.estimates.csv` and `page.estimates.parquet`.
        form: `html`, `markdown` or `json`.
        catalog: where pictures of items come from, if `found` has `examples`.

    Returns:
        Where it is.

    Raises:
        ValueError: if `found` is not what it should be; the message names the place. If there is no such form.
    """
    from recsim.files import write_text
    from recsim.report.beside import estimates_beside
    from recsim.report.page import evaluation_page
    from recsim.report.read import read_evaluation

    _ending(form)
    out = Path(out)
    if form == "html":
        offline = read_evaluation(found)
        write_text(out, evaluation_page(offline, catalog, estimates_beside(offline, out)))
    else:
        write_text(out, render_evaluation(found, form=form))
    return out


def render_evaluation(found: dict[str, Any], *, form: Literal["markdown", "json"] = "markdown") -> str:
    """The report of an evaluation of a log as text; raises as `write_evaluation`."""
    from recsim.report.markdown import evaluation_markdown
    from recsim.report.read import read_evaluation
    from recsim.report.told import evaluation_json

    _ending(form)
    offline = read_evaluation(found)
    return evaluation_markdown(offline) if form == "markdown" else evaluation_json(found, offline)


def write_catalog_page(catalog: Catalog, out: Path, *, n_items: int = 24, seed: int = 0) -> Path:
    """Writes a page that shows a catalogue: its card, counts, items with their neighbours, and what was flagged.

    Args:
        catalog: what is shown.
        out: where the page goes.
        n_items: how many items are shown with the items that each modality holds to be nearest.
        seed: which ones; the same seed shows the same.

    Returns:
        Where it is.
    """
    from recsim.files import write_text
    from recsim.report.catalog_page import catalog_page

    out = Path(out)
    write_text(out, catalog_page(catalog, n_items=n_items, seed=seed))
    return out


def _ending(form: str) -> str:
    if form not in FORMS:
        raise ValueError(f"there is no report as {form!r}; choose from {', '.join(FORMS)}.")
    return FORMS[form]
