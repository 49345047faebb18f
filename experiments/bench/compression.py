"""All rows of `recsim bench compression`: time, size and neighbours of encoders as they are and exported."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recsim.catalog import Catalog, load_catalog
from recsim.experiments.bench.machine import machine
from recsim.experiments.errors import UserError, input_errors
from recsim.experiments.progress import Advance, Display
from recsim.experiments.run_folder import all_versions
from recsim.experiments.threads import threads
from recsim.modalities import Encoder
from recsim.modalities.compression import NAMES, export_encoder
from recsim.modalities.exported import exported_encoder
from recsim.torch_threads import one_torch_thread

NEIGHBOURS = 10
ASKED = 0.95  # share of neighbours that an exported encoder keeps
FORMS = ("torch", "onnx", "onnx int8")
NAME_OF = {kind: name for name, kind in NAMES.items()}

Embedding = NDArray[np.float32]


def bench(
    rows: Sequence[str], catalog: str, most: Mapping[str, int], repeats: int, seed: int, display: Display
) -> dict[str, Any]:
    """Every form of every encoder on one thread.

    Args:
        rows: of ``text`` and ``image``.
        catalog: whose items are encoded.
        most: how many texts and images, at most.
        repeats: parts of the items that are timed one by one, after a first item.
        seed: of the items that are drawn where there are more.
        display: where it is told how far this is.

    Raises:
        UserError: if a row is unknown or the catalogue has too few items for it.
    """
    for row in rows:
        if row not in NAME_OF:
            raise UserError(f"there is no row {row!r} to measure; choose from {', '.join(NAME_OF)}.")
    with input_errors():
        shop = load_catalog(catalog)
    measures: list[dict[str, Any]] = []
    with threads(1), one_torch_thread(), tempfile.TemporaryDirectory() as place:
        for row in (row for row in NAME_OF if row in rows):
            items = drawn(raw_items(shop, row), most[row], seed)
            if len(items) <= NEIGHBOURS or len(items) < repeats:
                raise UserError(
                    f"{catalog} has {len(items)} items with {row}, too few to have {NEIGHBOURS} neighbours."
                )
            with display.stage(f"bench {row}", 100) as progress:
                measures += measured_forms(row, items, repeats, Path(place), progress)
    return {
        "catalog": shop.name,
        "neighbours": NEIGHBOURS,
        "asked": ASKED,
        "repeats": repeats,
        "seed": seed,
        "measures": measures,
        "machine": machine(),
        "versions": all_versions(),
    }


def raw_items(catalog: Catalog, row: str) -> list[Any]:
    """What is encoded of the items that have it: texts or image files."""
    if row == "text":
        return [text for text in catalog.table["text"] if text]
    return [path for path in map(catalog.image_path, range(len(catalog))) if path is not None]


def drawn(items: list[Any], most: int, seed: int) -> list[Any]:
    """At most `most` of the items, drawn without replacement."""
    order = np.random.Generator(np.random.Philox(seed)).permutation(len(items))[:most]
    return [items[row] for row in order]


def measured_forms(row: str, items: list[Any], repeats: int, place: Path, progress: Advance) -> list[dict[str, Any]]:
    """A measure for each form of an encoder; the first is what the others' neighbours are compared with."""
    name = NAME_OF[row]
    found: list[dict[str, Any]] = []
    reference: NDArray[np.int64] | None = None
    for form in FORMS:
        encoder, size = made(name, form, place)

        def told(share: float, before: int = len(found)) -> None:
            progress(int(100 * (before + share) / len(FORMS)))

        embedding, seconds = timed(encoder, items, repeats, told)
        nearest = neighbours(embedding)
        reference = nearest if reference is None else reference
        kept = agreement(reference, nearest)
        found.append(
            {
                "encoder": name,
                "form": form,
                "items": len(items),
                "cpu_seconds_per_1000": round(statistics.median(seconds), 3),
                "repeats": [round(one, 3) for one in seconds],
                "megabytes": round(size / 1e6, 1),
                "neighbours_kept": round(kept, 4),
                "kept": kept >= ASKED,
            }
        )
    return found


def made(name: str, form: str, place: Path) -> tuple[Encoder[Any], int]:
    """An encoder in one of the forms, and the bytes of its weights, or of its folder where it is exported."""
    if form == "torch":
        encoder = as_it_is(name)
        return encoder, encoder.weight_bytes
    folder = export_encoder(name, place / f"{name} {form}", int8=form == "onnx int8")
    exported = exported_encoder(folder)
    assert exported is not None
    return exported, sum(file.stat().st_size for file in folder.iterdir())


def as_it_is(name: str) -> Any:
    """The encoder of torch."""
    from recsim.modalities.image import ImageEncoder
    from recsim.modalities.text import TextEncoder

    return TextEncoder() if NAMES[name] == "text" else ImageEncoder()


def timed(
    encoder: Encoder[Any], items: list[Any], repeats: int, progress: Callable[[float], None]
) -> tuple[Embedding, list[float]]:
    """The embedding of the items, and CPU-seconds for 1,000 of them, measured on each of `repeats` parts."""
    encoder.encode(items[:1])
    rows, seconds = [], []
    for part in np.array_split(np.arange(len(items)), repeats):
        started = time.process_time()
        rows.append(encoder.encode([items[row] for row in part]))
        seconds.append((time.process_time() - started) / len(part) * 1000)
        progress(len(seconds) / repeats)
    return np.concatenate(rows), seconds


def neighbours(embedding: Embedding, count: int = NEIGHBOURS) -> NDArray[np.int64]:
    """(m, count) numbers of the other items of largest cosine, in no order that matters."""
    rows = embedding.astype(np.float64)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    cosines = rows @ rows.T
    np.fill_diagonal(cosines, -np.inf)
    return np.argsort(-cosines, axis=1, kind="stable")[:, :count]


def agreement(one: NDArray[np.int64], other: NDArray[np.int64]) -> float:
    """Mean share of an item's neighbours in `one` that are its neighbours in `other`.

    >>> agreement(np.array([[1, 2], [0, 2]]), np.array([[2, 1], [3, 2]]))
    0.75
    """
    return float(np.mean([len(set(left) & set(right)) / len(left) for left, right in zip(one, other, strict=True)]))
