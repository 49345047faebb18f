"""A whole import, from a file and a folder of images to a catalogue."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any, Protocol

import pandas as pd

from recsim.catalog import Catalog
from recsim.catalog_files import check_target
from recsim.catalogs.importing.card import Origin, written_card
from recsim.catalogs.importing.columns import finished_columns
from recsim.catalogs.importing.encoding import Encoders, found_encoders, made_modalities
from recsim.catalogs.importing.findings import Finding, Findings
from recsim.catalogs.importing.kinds import LEFT_OUT
from recsim.catalogs.importing.locating import ImageFolder
from recsim.catalogs.importing.mapping import ColumnMapping, complete_mapping
from recsim.catalogs.importing.options import ImportOptions
from recsim.catalogs.importing.pictures import checked_images, located_images, tell_images, tell_unused
from recsim.catalogs.importing.reading import open_source
from recsim.catalogs.importing.rows import Items, read_items
from recsim.catalogs.importing.work import Work
from recsim.modalities.cache import EmbeddingCache
from recsim.paths import check_place


class Display(Protocol):
    """Where it is told what goes on, such as `recsim.experiments.progress`."""

    def stage(self, name: str, total: int) -> AbstractContextManager[Callable[[int], None]]:
        """A stage of the import; yields what takes the work done so far."""
        ...

    def note(self, sentence: str) -> None:
        """A sentence between stages."""
        ...


class Quiet:
    """Tells nothing."""

    @contextmanager
    def stage(self, name: str, total: int) -> Iterator[Callable[[int], None]]:
        """Ignores the work done."""
        yield lambda done: None

    def note(self, sentence: str) -> None:
        """Ignores the sentence."""


@dataclass(frozen=True)
class Imported:
    """What came of an import.

    Attributes:
        path: the catalogue.
        n_rows: of the source.
        n_items: of the catalogue.
        counts: how often each kind was found, in the order of the kinds.
        findings: as in `Catalog.findings`.
        told: findings about the whole source.
    """

    path: Path
    n_rows: int
    n_items: int
    counts: dict[str, int]
    findings: pd.DataFrame
    told: list[Finding]


def import_catalog(
    source: str | PathLike[str],
    out: str | PathLike[str],
    images: str | PathLike[str] | None = None,
    options: ImportOptions | None = None,
    *,
    overwrite: bool = False,
    cache: str | PathLike[str] | None = None,
    display: Display | None = None,
) -> Imported:
    """Makes a catalogue of a table and a folder of images; what is wrong or odd about them is in its findings.

    Killed at any moment, the same call goes on: embeddings are in the cache, and what was found about images is in a
    folder ``.NAME.import`` beside the catalogue, which is removed at the end. The same files give the same bytes.

    Args:
        source: a CSV, Parquet or JSON-lines file.
        out: the folder to write, whole or not at all.
        images: the folder to which names of images are relative; without one, the catalogue has no images.
        options: everything else.
        overwrite: whether a catalogue in `out` is replaced.
        cache: of embeddings; by default the user's, as in `recsim.modalities.cache`.
        display: where progress is told.

    Raises:
        FileNotFoundError: if the source or the folder of images is not there.
        FileExistsError: if `out` is taken.
        ValueError: if the source cannot be read, or nothing in it can become an item.
    """
    source, out, options, display = Path(source), Path(out), options or ImportOptions(), display or Quiet()
    check_target(out, overwrite, replace="pass --overwrite")
    check_place(out)
    out = out.absolute()
    findings = Findings()
    table = open_source(source, encoding=options.encoding, separator=options.separator)
    mapping = complete_mapping(options.mapping, table.columns, source, findings)
    folder = None if images is None else ImageFolder(Path(images))
    encoders = found_encoders(options, folder is not None, mapping.image, findings)
    with display.stage("read rows", 1):
        items = read_items(table, mapping, findings)
    out.parent.mkdir(parents=True, exist_ok=True)
    with Work(out, _image_inputs(folder, options)) as work:
        if work.started_anew:
            display.note(f"What an earlier import with other options or images left in {work.path} is not used.")
        catalog = _Import(source, mapping, encoders, options, findings, display).made(
            items, folder, work, out.name, cache
        )
        with display.stage("write the catalogue", 1):
            catalog.save(out, overwrite=overwrite)
    work.remove()
    return Imported(out, items.n_rows, len(catalog), findings.counts(), catalog.findings, findings.of_all())


def _image_inputs(folder: ImageFolder | None, options: ImportOptions) -> dict[str, Any]:
    """What the checks of images depend on."""
    from PIL import __version__, features

    where = None if folder is None else str(folder.path.absolute())
    versions = {"pillow": __version__, "webp": features.version("webp")}
    return {"images": where, "limits": vars(options.limits), "versions": versions}


@dataclass(frozen=True)
class _Import:
    """What all steps of an import need."""

    source: Path
    mapping: ColumnMapping
    encoders: Encoders
    options: ImportOptions
    findings: Findings
    display: Display

    def made(
        self, items: Items, folder: ImageFolder | None, work: Work, name: str, cache: str | PathLike[str] | None
    ) -> Catalog:
        """The catalogue, whose pictures are still in the work folder."""
        mapped = {ours for ours, _ in self.mapping.named()}
        named = items.table["category"] != ""
        items.table = finished_columns(
            items.table, mapped, self.options.columns, self.options.day(self.source), self.findings
        )
        items.table = self._with_pictures(items.table, folder, work)
        self._leave_out(items, named.to_numpy(), folder is not None)
        table = items.table.drop(columns="row")
        pictures = [work.pictures / file if folder and file else None for file in _column(table, "image")]
        with EmbeddingCache(None if cache is None else Path(cache)) as kept:
            modalities = made_modalities(
                _column(table, "text"),
                pictures,
                self.encoders,
                self.options.dim,
                self.findings,
                kept,
                self.display.stage,
            )
        name = self.options.name or name
        limits = None if folder is None else self.options.limits
        origin = Origin(self.source, self.options.day(self.source), self.mapping, limits)
        ids = dict(zip(items.table["row"].to_list(), _column(table, "item_id"), strict=True)) | items.left_out
        card = written_card(name, origin, items, modalities, self.findings)
        where = None if folder is None else work.pictures
        return Catalog(name, table, modalities, card, where, self.findings.table(ids))

    def _with_pictures(self, table: pd.DataFrame, folder: ImageFolder | None, work: Work) -> pd.DataFrame:
        """The table with the names of the pictures in the work folder as its column ``image``."""
        if folder is None:
            return table if self.mapping.image else table.drop(columns="image")
        files = self._files(table, folder)
        wanted = len({file for file in files if file})
        with self.display.stage("check images", wanted) as progress:
            checked = checked_images(files, folder, work, self.options.limits, self.options.threads, progress)
        tell_images(table["row"].to_list(), _column(table, "item_id"), files, checked, self.findings)
        return table.assign(image=[checked[file].name if file else "" for file in files])

    def _files(self, table: pd.DataFrame, folder: ImageFolder) -> list[str]:
        """The files that the column of images names, or those that are named like ids."""
        by_id = self.mapping.image is None
        if by_id:
            ids = set(_column(table, "item_id")) if self.mapping.item_id else set()
            if ids.isdisjoint(folder.by_stem()):
                done = "no item has an image; name the column with --column image=NAME"
                self.findings.add("missing column", "there is no column for image, nor files named like ids", done=done)
                return [""] * len(table)
            self.findings.add("guessed column", "image is the file in the folder that is named like the id")
        files = located_images(table, folder, by_id, self.findings)
        tell_unused(folder, files, self.findings)
        return files

    def _leave_out(self, items: Items, named: Any, with_images: bool) -> None:
        """Takes out the rows that say nothing, and tells which of the others nobody can perceive."""
        table = items.table
        blank = (table["text"] == "") & ((table["image"] == "") if with_images else True)
        gone = blank & ~named
        for row, item_id in zip(table["row"][gone].to_list(), _column(table[gone], "item_id"), strict=True):
            self.findings.add("row without content", "no category, no text and no image", row=row)
            items.left_out[row] = item_id
        self.findings.only("row without content", set(table["row"][gone].to_list()))
        for row in table["row"][blank & named].to_list():
            self.findings.add("nothing to perceive", "neither text nor image", row=row)
        items.table = table[~gone].reset_index(drop=True)
        if not len(items.table):
            raise ValueError(
                f"none of the {items.n_rows:,} rows of {self.source} can become an item ({', '.join(LEFT_OUT)}): check "
                "which columns are read, with --column title=NAME --column category=NAME."
            )


def _column(table: pd.DataFrame, name: str) -> list[str]:
    """A column of text; empty texts where there is none."""
    return [str(cell) for cell in table[name].to_list()] if name in table else [""] * len(table)
