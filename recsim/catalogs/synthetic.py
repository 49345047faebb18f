"""Made-up catalogues for tests and benchmarks."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import pandas as pd

from recsim.catalog import Catalog, row_blocks
from recsim.modality import Modality

LATENT_DIM = 8
WITHIN_CATEGORY_SD = 0.6
OWN_NOISE_SD = 0.2
PRICE_LOG_MEAN, PRICE_LOG_SD = 3.49, 1.02
POPULARITY_LOG_SD = 1.0


def synthetic_catalog(
    n_items: int = 100,
    n_categories: int = 5,
    dims: Mapping[str, int] | None = None,
    seed: int = 0,
    missing: float = 0.0,
) -> Catalog:
    """A catalogue whose items cluster by category, and whose modalities agree about which items are alike.

    Every item has a hidden vector z = centre of its category + 0.6 × noise. The embedding of each modality is a random
    linear image of z plus 0.2 × noise of its own. Item i is in category i mod `n_categories`. Prices and popularity are
    log-normal. Equal arguments give an equal catalogue.

    Args:
        n_items: m, at least `n_categories`.
        n_categories: at least 1.
        dims: columns of each modality; by default ``{"text": 16, "image": 16}``.
        seed: 0 or more.
        missing: probability with which an item lacks a modality, for each item and modality on its own; in [0, 1).
    """
    dims = {"text": 16, "image": 16} if dims is None else dict(dims)
    _check_arguments(n_items, n_categories, dims, missing)
    draw = np.random.Generator(np.random.Philox(seed))
    category = np.arange(n_items) % n_categories
    centres = draw.standard_normal((n_categories, LATENT_DIM))
    latent = centres[category] + WITHIN_CATEGORY_SD * draw.standard_normal((n_items, LATENT_DIM))
    modalities = {name: _modality(name, latent, dim, missing, draw) for name, dim in dims.items()}
    card = f"# synthetic\n\n{n_items} made-up items in {n_categories} categories, seed {seed}.\n"
    return Catalog("synthetic", _table(category, draw), modalities, card)


def _check_arguments(n_items: int, n_categories: int, dims: Mapping[str, int], missing: float) -> None:
    if not 1 <= n_categories <= n_items:
        raise ValueError(
            f"a synthetic catalogue of {n_items} items cannot have {n_categories} categories: "
            "ask for at least one category, and for at least one item in each."
        )
    for name, dim in dims.items():
        if dim < 1:
            raise ValueError(f"modality {name!r} is to have {dim} dimensions: ask for at least 1.")
    if not 0.0 <= missing < 1.0:
        raise ValueError(f"missing is {missing}: it is a probability below 1.")


def _modality(
    name: str, latent: npt.NDArray[np.float64], dim: int, missing: float, draw: np.random.Generator
) -> Modality:
    n_items, latent_dim = latent.shape
    projection = draw.standard_normal((latent_dim, dim)) / np.sqrt(latent_dim)
    embedding = np.empty((n_items, dim), np.float32)
    for rows in row_blocks(n_items):
        image = latent[rows] @ projection
        embedding[rows] = image + OWN_NOISE_SD * draw.standard_normal(image.shape)
    return Modality(name, embedding, np.greater_equal(draw.random(n_items), missing))


def _table(category: npt.NDArray[np.int64], draw: np.random.Generator) -> pd.DataFrame:
    n_items = len(category)
    width = len(str(category.max()))
    names = [f"category_{number:0{width}d}" for number in category]
    titles = [f"Item {row}" for row in range(n_items)]
    return pd.DataFrame(
        {
            "item_id": [f"item-{row:06d}" for row in range(n_items)],
            "title": titles,
            "text": [f"{title} of {name}" for title, name in zip(titles, names, strict=True)],
            "category": names,
            "price": np.round(draw.lognormal(PRICE_LOG_MEAN, PRICE_LOG_SD, n_items), 2),
            "created": "",
            "popularity": draw.lognormal(0.0, POPULARITY_LOG_SD, n_items),
        }
    )
