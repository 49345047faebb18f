"""Items described in a sentence or two, and these descriptions as one more modality."""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np
import pandas as pd

from recsim.catalog import Catalog
from recsim.catalog_table import findings_table
from recsim.language.items import ItemTexts
from recsim.language.model import LanguageModel
from recsim.language.writing import written
from recsim.modalities import Encoder
from recsim.modalities.cache import EmbeddingCache
from recsim.modalities.derived import derived_card
from recsim.modalities.making import make_modality

MODALITY, WRITTEN, BY = "description", "description_written", "description_by"
TEMPLATE = "template"
TAGS = 5  # of an item that are named, the first
_PRICES = ("cheap", "of a middling price", "expensive")  # thirds of the items of its category
_BETWEEN = re.compile(r"[,;|]+")

Progress = Callable[[int], None]


def with_descriptions(
    catalog: Catalog,
    *,
    encoder: Encoder[str],
    model: LanguageModel | None = None,
    dim: int = 64,
    cache: EmbeddingCache | None = None,
    progress: Progress | None = None,
) -> Catalog:
    """The catalogue with a description of every item, and their embeddings as the modality `description`.

    The table has two columns more, `description_written` and `description_by`: the name of the model that wrote it, or
    "template". The modality's `encoding` has the source "description", so that `described` and
    `recsim.modalities.making.encode_with` bring other items into its space; corruptions of texts leave it as it is. It
    is fused like all others.

    Args:
        catalog: what is described; it has no such modality yet.
        encoder: of the descriptions.
        model: who writes them; by default a template does (`template_descriptions`), which also stands in, with a
            finding, where the model writes nothing.
        dim: most columns of the modality.
        cache: where embeddings are kept; by default in a temporary file.
        progress: called with the number of items described so far; the template needs no time.

    Raises:
        ValueError: if the catalogue has descriptions already, or the encoder tells no two of them apart.
    """
    if MODALITY in catalog.modalities:
        raise ValueError(
            f"the catalogue {catalog.name!r} has a modality {MODALITY!r} already: describe the catalogue that it was "
            "made from, or leave that modality out first."
        )
    texts, by = described(catalog, model, progress)
    everything = np.ones(len(catalog), bool)
    modality = make_modality(MODALITY, encoder, texts, everything, source="description", dim=dim, cache=cache)
    return catalog.replaced(
        table=catalog.table.assign(**{WRITTEN: texts, BY: by}),
        modalities={**catalog.modalities, MODALITY: modality},
        card=derived_card(catalog, "Descriptions", _card(by, encoder)),
        findings=pd.concat([catalog.findings, _findings(catalog, by, model)], ignore_index=True),
    )


def described(
    catalog: Catalog, model: LanguageModel | None = None, progress: Progress | None = None
) -> tuple[list[str], list[str]]:
    """(m,) descriptions, and (m,) who wrote each: the name of the model, or "template"."""
    plain = template_descriptions(catalog)
    if model is None:
        return plain, [TEMPLATE] * len(plain)
    items = ItemTexts(catalog)
    prompts = [
        f"An item of a catalogue. {items[item]}\n"
        "One plain sentence that says what the item is, for somebody who cannot see it:"
        for item in range(len(catalog))
    ]
    texts = written(prompts, model, progress=progress)
    return (
        [text or instead for text, instead in zip(texts, plain, strict=True)],
        [model.name if text else TEMPLATE for text in texts],
    )


def template_descriptions(catalog: Catalog) -> list[str]:
    """(m,) descriptions by a template: title, category, price level within the category, and the first tags.

    Tags come from a column ``tags``, where there is one, separated by commas, semicolons or bars.
    """
    tags = catalog.table["tags"] if "tags" in catalog.table.columns else [""] * len(catalog)
    columns = (catalog.table["title"], catalog.table["category"], _price_words(catalog), tags)
    return [_sentences(*map(str, row)) for row in zip(*columns, strict=True)]


def _sentences(title: str, category: str, price: str, tags: str) -> str:
    named = [tag.strip() for tag in _BETWEEN.split(tags) if tag.strip()][:TAGS]
    first = f"{title.strip().rstrip('.')}. " if title.strip() else ""
    last = f" It has to do with {', '.join(named)}." if named else ""
    return f"{first}It is in the category {category}{f', and {price} there' if price else ''}.{last}"


def _price_words(catalog: Catalog) -> list[str]:
    """(m,) the third of its category's prices in which an item's is; empty where all of them cost the same."""
    words = [""] * len(catalog)
    for category in range(len(catalog.categories)):
        items = np.flatnonzero(catalog.category == category)
        price = catalog.price[items]
        if np.ptp(price) == 0.0:
            continue
        third = np.searchsorted(np.quantile(price, [1 / 3, 2 / 3]), price)
        for item, level in zip(items.tolist(), third.tolist(), strict=True):
            words[item] = _PRICES[level]
    return words


def _card(by: list[str], encoder: Encoder[str]) -> str:
    writers = ", ".join(f"{by.count(name):,} by {name}" for name in dict.fromkeys(by))
    return f"Modality `{MODALITY}`: descriptions ({writers}) encoded by {encoder.name}."


def _findings(catalog: Catalog, by: list[str], model: LanguageModel | None) -> pd.DataFrame:
    """A row for each item about which the model wrote nothing."""
    if model is None:
        return findings_table(())
    found = f"language model {model.name} wrote nothing"
    return findings_table(
        (item, "no description", found, "described by the template")
        for item, name in zip(catalog.table["item_id"], by, strict=True)
        if name == TEMPLATE
    )
