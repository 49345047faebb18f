"""All rows of `recsim bench encoders`: how fast texts and images are encoded, and how large the encoders are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import numpy as np

from recsim.catalog import Catalog, load_catalog
from recsim.experiments.bench.machine import machine
from recsim.experiments.bench.measures import ITEMS, Effort, measure, rates
from recsim.experiments.errors import UserError, input_errors
from recsim.experiments.progress import Display
from recsim.experiments.run_folder import all_versions
from recsim.experiments.threads import threads
from recsim.modalities import Encoder
from recsim.modalities.names import image_encoder, text_encoder
from recsim.packages import MissingPackage
from recsim.streams import sub_seed


@dataclass(frozen=True)
class EncoderSizes:
    """What is encoded, and with what.

    Attributes:
        catalog: a bundled catalogue or a folder.
        n: items, drawn from it with `seed`; all where it has no more.
        seed: 0 or more.
        text: names of encoders of texts.
        image: names of encoders of images.
        device: where their models compute; on another one than the CPU, what it does is not in the CPU-seconds.
        dtype: in which they compute.
    """

    catalog: str = "openclipart"
    n: int = 64
    seed: int = 0
    text: Sequence[str] = ("hashing", "glove", "minilm")
    image: Sequence[str] = ("histogram", "efficientnet-lite0")
    device: str = "cpu"
    dtype: str = "float32"


def bench(sizes: EncoderSizes, effort: Effort, display: Display) -> dict[str, Any]:
    """Medians over the repeats, after a first time, on one thread and without a cache; of what could not be, why.

    Raises:
        UserError: if there is no such catalogue or encoder, or no item that an encoder could read, or
            the packages of all encoders are missing.
    """
    with input_errors():
        catalog = load_catalog(sizes.catalog)
    measures: list[dict[str, Any]] = []
    missing: list[dict[str, str]] = []
    with threads(1):
        for source, names in (("text", sizes.text), ("image", sizes.image)):
            items = _items(catalog, source, sizes) if names else []
            for name in names:
                try:
                    measures.append(_measured(source, name, items, sizes, effort, display))
                except UserError as error:
                    if not isinstance(error.__cause__, MissingPackage):
                        raise
                    missing.append({"label": f"{source} by {name}", "why": str(error)})
    if missing and not measures:
        raise UserError(missing[0]["why"])
    return {
        **asdict(sizes),
        **asdict(effort),
        "measures": measures,
        "missing": missing,
        "machine": machine(),
        "versions": all_versions(),
    }


def _measured(
    source: str, name: str, items: Sequence[Any], sizes: EncoderSizes, effort: Effort, display: Display
) -> dict[str, Any]:
    """A row."""
    with display.stage(f"bench {name}", effort.repeats) as progress, input_errors():
        encoder = _encoder(source, name, sizes)
        found = rates(partial(_encode, encoder, items), effort, progress)
    size = getattr(encoder, "weight_bytes", None)
    label = f"{source} by {encoder.name}"
    return measure(encoder.name, label, ITEMS, found, sizes, dim=encoder.dim, weight_bytes=size)


def _encode(encoder: Encoder[Any], items: Sequence[Any]) -> int:
    return len(encoder.encode(items))


def _encoder(source: str, name: str, sizes: EncoderSizes) -> Encoder[Any]:
    make = text_encoder if source == "text" else image_encoder
    return make(name, device=sizes.device, dtype=sizes.dtype)


def _items(catalog: Catalog, source: str, sizes: EncoderSizes) -> list[Any]:
    draw = np.random.Generator(np.random.Philox(sub_seed(sizes.seed, "items")))
    rows = draw.permutation(len(catalog)).tolist()
    texts = catalog.table["text"]
    found = [texts.iloc[row] if source == "text" else catalog.image_path(row) for row in rows]
    given = [item for item in found if item][: sizes.n]
    if not given:
        raise UserError(f"the items of catalogue {catalog.name!r} have no {source}, so there is nothing to encode.")
    return given
