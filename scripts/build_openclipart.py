"""Makes the bundled catalogue from its raw source: a folder with catalogue.csv and images/.

Example:
    python scripts/build_openclipart.py path/to/openclipart --out recsim/catalogs/openclipart
"""

from __future__ import annotations

import argparse
import re
import shutil
from collections.abc import Callable, Sequence
from datetime import date
from math import sqrt
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
from rich.progress import Progress
from scipy.special import erfinv

from recsim.catalog import Catalog
from recsim.modalities.cache import EmbeddingCache
from recsim.modalities.image import ImageEncoder
from recsim.modalities.making import make_modality
from recsim.modalities.text import TextEncoder

NAME = "openclipart"
DIM = 64
PRICE_LOG_MEAN, PRICE_LOG_SD = 3.49, 1.02  # 283 real shop items: RL4RS, dataset/item_info.csv
PRICE_CATEGORY_SD = 0.5
PRICE_SEED = 1
POPULARITY_GINI = 0.5314  # item exposure in the standard feed of KuaiRand-27K
POPULARITY_LOG_SD = float(2 * erfinv(POPULARITY_GINI))  # the Gini index of a log-normal is erf(sd / 2)
POPULARITY_SEED = 2
YEAR_FIRST = re.compile(r"(\d{4})[-/](\d{2})[-/](\d{2})(?!\d)")
HERE = Path(__file__).parent


def main(arguments: Sequence[str] | None = None) -> None:
    """Builds the catalogue and prints what it is."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=Path, help="folder with catalogue.csv and images/")
    parser.add_argument("--out", type=Path, default=HERE.parent / "recsim" / "catalogs" / NAME)
    chosen = parser.parse_args(arguments)
    catalog = build(chosen.source)
    catalog.save(chosen.out, dtype="float16", overwrite=True)
    shutil.copyfile(HERE / "openclipart_license.txt", chosen.out / "LICENSE")
    print(Catalog.load(chosen.out))


def build(source: Path) -> Catalog:
    """The catalogue, encoded from texts and images; embeddings are kept in the user's cache."""
    table = read_table(source)
    texts, images = table["text"].to_list(), [source / "images" / name for name in table["image"]]
    text_encoder, image_encoder = TextEncoder(), ImageEncoder()
    present = np.ones(len(table), dtype=np.bool_)
    with EmbeddingCache() as cache:
        with Progress() as shown:
            text = cache.encode(text_encoder, texts, _bar(shown, "Encoding texts", len(texts)))
            image = cache.encode(image_encoder, images, _bar(shown, "Encoding images", len(images)))
        modalities = {
            "text": make_modality("text", text_encoder, texts, present, source="text", dim=DIM, cache=cache),
            "image": make_modality("image", image_encoder, images, present, source="image", dim=DIM, cache=cache),
        }
    return Catalog(NAME, table, modalities, card(table, text, image), source / "images")


def read_table(source: Path) -> pd.DataFrame:
    """The source's table in the columns of a catalogue, with drawn prices and popularity."""
    raw = pd.read_csv(source / "catalogue.csv", dtype=str, keep_default_na=False)
    return pd.DataFrame(
        {
            "item_id": raw["item_id"],
            "title": raw["title"],
            "text": raw["text"],
            "category": raw["category"],
            "price": draw_prices(raw["category"]),
            "created": raw["date"].map(iso_date),
            "popularity": draw_popularity(len(raw)),
            "image": raw["image"].str.removeprefix("images/"),
            "description": raw["description"],
            "tags": raw["tags"],
            "subcategory": raw["subcategory"],
            "creator": raw["creator"],
        }
    )


def iso_date(written: str) -> str:
    """2005-04-22 for 2005/04/22 or 2005-04-22 10:00; empty for what is not a date or leaves its day and month open."""
    found = YEAR_FIRST.match(written)
    if found is None:
        return ""
    try:
        return date(*map(int, found.groups())).isoformat()
    except ValueError:
        return ""


def draw_prices(category: pd.Series[str]) -> npt.NDArray[np.float64]:
    """(m,) log-normal prices with an offset for each category; log-mean and log-sd over all items are exact."""
    draw = np.random.Generator(np.random.Philox(PRICE_SEED))
    names, index = np.unique(category.to_numpy(dtype=object), return_inverse=True)
    between = _standard(draw.standard_normal(len(names))[index])
    within = draw.standard_normal(len(index))
    logs = PRICE_CATEGORY_SD * between + sqrt(PRICE_LOG_SD**2 - PRICE_CATEGORY_SD**2) * within
    prices = np.exp(PRICE_LOG_MEAN + PRICE_LOG_SD * _standard(logs))
    return np.asarray(np.round(prices, 2), dtype=np.float64)


def draw_popularity(n_items: int) -> npt.NDArray[np.float64]:
    """(m,) log-normal popularity, not yet scaled to sum to 1."""
    draw = np.random.Generator(np.random.Philox(POPULARITY_SEED))
    return np.asarray(draw.lognormal(0.0, POPULARITY_LOG_SD, n_items))


def gini(values: npt.NDArray[np.float64]) -> float:
    """Gini index: 0 where all values are equal, close to 1 where one has everything."""
    ordered = np.sort(values)
    rank = np.arange(1, len(ordered) + 1)
    return float(((2 * rank - len(ordered) - 1) * ordered).sum() / (len(ordered) * ordered.sum()))


def kept_variance(embedding: npt.NDArray[np.float32]) -> float:
    """Share of the variance of the unit-norm rows that the first `DIM` principal components keep."""
    rows = embedding.astype(np.float64)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    variances = np.linalg.svd(rows - rows.mean(axis=0), compute_uv=False) ** 2
    return float(variances[:DIM].sum() / variances.sum())


def card(table: pd.DataFrame, text: npt.NDArray[np.float32], image: npt.NDArray[np.float32]) -> str:
    """The catalogue's card, with its figures taken from the data."""
    sizes = table["category"].value_counts()
    return (
        (HERE / "openclipart_card.md")
        .read_text(encoding="utf-8")
        .format(
            items=len(table),
            categories=len(sizes),
            largest=", ".join(f"{name} {size}" for name, size in sizes.head(3).items()) + ", …",
            smallest_size=sizes.min(),
            largest_size=sizes.max(),
            described=(table["description"] != "").mean(),
            dated=(table["created"] != "").mean(),
            creators=table.loc[table["creator"] != "", "creator"].nunique(),
            dim=DIM,
            text_variance=kept_variance(text),
            image_variance=kept_variance(image),
            price_log_mean=PRICE_LOG_MEAN,
            price_log_sd=PRICE_LOG_SD,
            price_category_sd=PRICE_CATEGORY_SD,
            price_seed=PRICE_SEED,
            popularity_log_sd=POPULARITY_LOG_SD,
            popularity_target_gini=POPULARITY_GINI,
            popularity_seed=POPULARITY_SEED,
            gini=gini(table["popularity"].to_numpy()),
        )
    )


def _bar(shown: Progress, what: str, total: int) -> Callable[[int], None]:
    """Moves a bar to how much is done."""
    bar = shown.add_task(what, total=total)
    return lambda done: shown.update(bar, completed=done)


def _standard(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return np.asarray((values - values.mean()) / values.std())


if __name__ == "__main__":
    main()
