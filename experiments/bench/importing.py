"""All rows of `recsim bench import`: seconds, CPU-seconds and memory of imports, each in a process of its own."""

from __future__ import annotations

import os
import resource
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from recsim.experiments.bench.large import alone
from recsim.experiments.bench.machine import machine
from recsim.experiments.bench.measures import CPU_SECONDS, GIB, SECONDS, measure
from recsim.experiments.errors import UserError, input_errors
from recsim.experiments.progress import Advance, Display
from recsim.experiments.run_folder import all_versions
from recsim.experiments.threads import threads

ENCODERS = {"models": ("minilm", "efficientnet-lite0"), "plain": ("hashing", "histogram")}
ROWS = (*ENCODERS, "large")
WORDS = 2000  # of which made-up texts are drawn
COARSE = 8  # pixels a side of the colours that made-up images are enlarged from


@dataclass(frozen=True)
class ImportSizes:
    """What is made up and imported. The promise holds for the default sizes.

    Attributes:
        n_items: items of the row ``large``.
        pixels: a side of their images.
        text_words: words of each text.
    """

    n_items: int = 100_000
    pixels: int = 32
    text_words: int = 30


def bench(
    rows: Sequence[str], table: Path | None, images: Path | None, sizes: ImportSizes, display: Display
) -> dict[str, Any]:
    """One import a row, with an empty cache of embeddings.

    Args:
        rows: ``models`` and ``plain`` import `table` with the encoders of `ENCODERS`, ``large`` a made-up one.
        table: the file to import.
        images: its folder of images.
        sizes: of what is made up.
        display: where progress is told.

    Raises:
        UserError: if a row is unknown or lacks its table, or the table cannot be imported.
    """
    for row in rows:
        if row not in ROWS:
            raise UserError(f"there is no row {row!r} to measure; choose from {', '.join(ROWS)}.")
        if row in ENCODERS and table is None:
            raise UserError(f"the row {row!r} imports a table of yours: name it, or measure --only large.")
    measures: list[dict[str, Any]] = []
    with threads(1):
        for row in (row for row in ROWS if row in rows):
            with display.stage(f"bench {row}", 100) as progress, tempfile.TemporaryDirectory() as place:
                measures += _row(row, Path(place), table, images, sizes, progress)
    return {**asdict(sizes), "measures": measures, "machine": machine(), "versions": all_versions()}


def made_up_shop(folder: Path, sizes: ImportSizes, progress: Advance) -> tuple[Path, Path]:
    """A table of items with random words and prices, and images of random colours; equal sizes give equal files."""
    from PIL import Image

    draw = np.random.Generator(np.random.Philox(0))
    images = folder / "images"
    images.mkdir()
    words = np.array([f"word{number}" for number in range(WORDS)])
    chosen = draw.integers(0, WORDS, (sizes.n_items, sizes.text_words))
    prices = np.round(draw.lognormal(3.49, 1.02, sizes.n_items), 2)
    rows = pd.DataFrame(
        {
            "item_id": [f"item-{number}" for number in range(sizes.n_items)],
            "title": [" ".join(words[one[:4]]) for one in chosen],
            "text": [" ".join(words[one]) for one in chosen],
            "category": [f"category {number % 20}" for number in range(sizes.n_items)],
            "price": prices,
            "image": [f"{number}.png" for number in range(sizes.n_items)],
        }
    )
    rows.to_csv(folder / "items.csv", index=False)
    for number in range(sizes.n_items):
        coarse = Image.fromarray(draw.integers(0, 256, (COARSE, COARSE, 3), dtype=np.uint8))
        coarse.resize((sizes.pixels, sizes.pixels)).save(images / f"{number}.png", compress_level=1)
        if number % 1000 == 0:
            progress(50 * number // sizes.n_items)
    return folder / "items.csv", images


def _row(
    row: str, place: Path, table: Path | None, images: Path | None, sizes: ImportSizes, progress: Advance
) -> list[dict[str, Any]]:
    if row == "large":
        table, images = made_up_shop(place, sizes, progress)
    assert table is not None
    encoders = ENCODERS["plain" if row == "large" else row]
    with input_errors():
        found = alone(_import, table, images, place, encoders)
    what = "made-up items" if row == "large" else f"items of {table.resolve().parent.name}"
    label = f"{found['items']:,} {what} by {' and '.join(encoders)}"
    peak, seconds, cpu = found.pop("peak_bytes") / 2**30, found.pop("seconds"), found.pop("cpu_seconds")
    return [
        measure(f"import_{row}", label, SECONDS, [seconds], sizes, **found),
        measure(f"import_{row}_cpu", f"{label}: CPU", CPU_SECONDS, [cpu], sizes),
        measure(f"import_{row}_memory", f"{label}: memory", GIB, [peak], sizes),
    ]


def _import(table: Path, images: Path | None, place: Path, encoders: tuple[str, str]) -> dict[str, Any]:
    """Seconds by the clock and of all processors, and peak memory of this process."""
    from recsim.catalogs.importing.options import ImportOptions
    from recsim.catalogs.importing.run import import_catalog

    options = ImportOptions(text_encoder=encoders[0], image_encoder=encoders[1], threads=1)
    with threads(1):
        started = time.perf_counter()
        made = import_catalog(table, place / "catalog", images, options, cache=place / "embeddings.sqlite")
        seconds = time.perf_counter() - started
    unit = 1 if sys.platform == "darwin" else 1024  # of ru_maxrss, in bytes
    return {
        "seconds": seconds,
        "cpu_seconds": sum(os.times()[:2]),
        "peak_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit,
        "rows": made.n_rows,
        "items": made.n_items,
        "counts": made.counts,
    }
