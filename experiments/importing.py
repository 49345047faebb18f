"""`recsim catalog import`: options of the command line, a mapping in a YAML file, and the report of what was found."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from recsim.catalogs.importing.kinds import KIND_OF, LEFT_OUT
from recsim.catalogs.importing.mapping import ColumnMapping, mapping_of_flags
from recsim.catalogs.importing.options import ImportOptions
from recsim.catalogs.importing.run import Imported, import_catalog
from recsim.encoding import Source
from recsim.experiments.config_file import read_settings
from recsim.experiments.errors import input_errors
from recsim.experiments.progress import Display
from recsim.modalities.names import stand_in
from recsim.packages import INSTALL

EXAMPLE = 60  # characters of an example in the report
SENTENCES = ("guessed column", "missing column", "modality left out")  # kinds that are told one by one


def read_mapping(path: Path | None, flags: Sequence[str]) -> ColumnMapping:
    """The mapping in a YAML file, if there is one, with what flags such as ``title=product_name`` say instead.

    Raises:
        UserError: if the file or a flag cannot be used, with the line, the key and the remedy.
    """
    base = ColumnMapping() if path is None else read_settings(path, ColumnMapping)
    with input_errors():
        return mapping_of_flags(flags, base)


def run_import(
    source: Path, images: Path | None, out: Path, options: ImportOptions, *, overwrite: bool, display: Display
) -> Imported:
    """The import, with what is wrong with its input as `UserError`."""
    for sentence in _replaced(options, images is not None):
        display.note(sentence)
    with input_errors():
        return import_catalog(source, out, images, options, overwrite=overwrite, display=display)


def print_imported(found: Imported) -> None:
    """What was found, each kind once, and where the catalogue is; encoders that stand in were told before the work."""
    console = Console(highlight=False)
    for one in found.told:
        if one.what in SENTENCES:
            console.print(f"[bold]{one.what}[/]: {escape(one.found)}; {escape(one.done)}.")
    counts = {what: count for what, count in found.counts.items() if what not in (*SENTENCES, "encoder replaced")}
    if counts:
        console.print(_report(found, counts))
    left = sum(found.counts.get(what, 0) for what in LEFT_OUT)
    where = " All findings: findings.parquet in the catalogue." if found.counts else " Nothing odd was found."
    console.print(f"{found.n_rows:,} rows of the source: {found.n_items:,} items and {left:,} left out.{where}")
    console.print(f"Catalogue: {found.path}", soft_wrap=True, markup=False)


def _replaced(options: ImportOptions, with_images: bool) -> Iterator[str]:
    """Loudly and before hours of work: encoders that stand in for those whose packages are missing."""
    yield from replaced_encoder("text", options.text_encoder)
    if with_images:
        yield from replaced_encoder("image", options.image_encoder)


def replaced_encoder(source: Source, name: str) -> Iterator[str]:
    """A sentence, where "auto" has become an encoder that knows no meanings."""
    if plain := stand_in(source, name):
        yield (
            f"ATTENTION: {source}s are encoded by {plain!r}, which knows no meanings, as the packages of a better "
            f"encoder are not installed: run  {INSTALL}"
        )


def _report(found: Imported, counts: Mapping[str, int]) -> Table:
    table = Table(title="What was found", box=box.SIMPLE_HEAD, title_justify="left", title_style="bold")
    table.add_column("kind", overflow="fold", max_width=16)
    table.add_column("times", justify="right", no_wrap=True)
    table.add_column("what was done", overflow="fold", max_width=24)
    table.add_column("an example", overflow="fold")
    first = found.findings.drop_duplicates("what").set_index("what")
    for what, count in counts.items():
        example = str(first.loc[what, "found"])
        short = example if len(example) <= EXAMPLE else f"{example[:EXAMPLE]}…"
        table.add_row(what, f"{count:,}", KIND_OF[what].done, escape(short))
    return table
