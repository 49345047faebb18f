"""Numbers that say what a history holds: counts by category, what the clicked items are like, what a model reads in it.

A source of features learns what it must from the histories of some users, and gives what turns any histories into
features: `source(histories)(others)` is (n, d). It is never told a hidden interest.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from scipy.special import log_softmax

from recsim.catalog import Catalog
from recsim.language.cache import RememberedModel
from recsim.language.interest_histories import Histories
from recsim.language.items import TITLE
from recsim.language.model import LanguageModel
from recsim.language.quoting import quoted

Floats = NDArray[np.float64]
Features = Callable[[Histories], Floats]
Source = Callable[[Histories], Features]

CONTENT_FREE = ("N/A", "", "[MASK]")  # Zhao et al. 2021, section 5: their average is the content-free input
SMOOTHING = 1.0  # positions of an average item, so that a category shown once is not judged by one answer


def category_counts(catalog: Catalog) -> Source:
    """Features (n, 3C) by category: share of clicks, share of what was passed over, and log lift of the click rate.

    The lift is log((clicks + a r) / (shown + a) / r) at the user's own click rate r, a = `SMOOTHING`, and 0 where r is.
    """
    member = _members(catalog)

    def features(histories: Histories) -> Floats:
        clicked, passed = (counts(len(catalog)) @ member for counts in (histories.clicked, histories.passed))
        shown = clicked + passed
        rate = clicked.sum(axis=1, keepdims=True) / np.maximum(shown.sum(axis=1, keepdims=True), 1.0)
        known = np.where(rate > 0.0, rate, 1.0)
        lift = np.log(np.where(rate > 0.0, (clicked + SMOOTHING * known) / ((shown + SMOOTHING) * known), 1.0))
        return np.concatenate([_shares(clicked), _shares(passed), lift], axis=1)

    return lambda others: features


def mean_embeddings(embedding: NDArray[np.float32], n_items: int) -> Source:
    """Features (n, 2d + 1): mean embedding (m, d) of what was clicked and of what was passed over, and log(1 + clicks).

    A user vector as the mean of what was consumed: Okura et al. 2017, "Embedding-based news recommendation for millions
    of users", section 4.1 (the baseline of their recurrent users).

    Raises:
        ValueError: if there is not one row an item.
    """
    if embedding.shape[0] != n_items:
        raise ValueError(f"the embedding has {embedding.shape[0]} rows for {n_items} items; one an item is needed.")
    rows = embedding.astype(np.float64)

    def features(histories: Histories) -> Floats:
        clicked, passed = histories.clicked(n_items), histories.passed(n_items)
        clicks = np.asarray(clicked.sum(axis=1)).reshape(-1, 1)
        return np.concatenate([_mean(clicked, rows), _mean(passed, rows), np.log1p(clicks)], axis=1)

    return lambda others: features


def by_category(scores: Callable[[Histories], Features], catalog: Catalog) -> Source:
    """Features (n, C): the mean by category of scores (n, m) of the items, such as those of a collaborative model."""
    member = _members(catalog)
    share = member / member.sum(axis=0)

    def source(others: Histories) -> Features:
        score = scores(others)
        return lambda histories: score(histories) @ share

    return source


def model_scores(model: LanguageModel, catalog: Catalog, most: int = 10) -> Source:
    """Features (n, C): what a language model takes a person for who clicked these titles, as log probabilities.

    The probability of each category's name after the prompt, over that after content-free prompts (contextual
    calibration, Zhao et al. 2021, "Calibrate before use", equation 1 with the diagonal W of section 5), normalised over
    the categories. Nothing is learned. Titles are other people's text: in quotation marks, one may say anything to the
    model, and what it says counts for the users who clicked it.

    Args:
        model: which is asked once a history.
        catalog: the items.
        most: clicked items named, the newest.
    """
    names = [f" {name}" for name in catalog.categories]
    titles = [quoted(title, TITLE) for title in catalog.table["title"]]
    remembered = model if isinstance(model, RememberedModel) else RememberedModel(model)

    def answers(prompts: list[str]) -> Floats:
        """(n, C) log probabilities, normalised over the categories."""
        return np.asarray(log_softmax(remembered.log_probs(prompts, names), axis=1))

    def features(histories: Histories) -> Floats:
        prompts = [prompt_of([titles[i] for i in histories.newest(row, most)]) for row in range(len(histories))]
        free = np.exp(answers([prompt_of([quoted(text)]) for text in CONTENT_FREE])).mean(axis=0)
        calibrated: Floats = log_softmax(answers(prompts) - np.log(free), axis=1)
        return calibrated

    return lambda others: features


def prompt_of(titles: list[str]) -> str:
    """The question that follows what a person clicked, newest first."""
    clicked = ", ".join(titles) if titles else "nothing yet"
    return f"This person clicked on: {clicked}.\nThis person is interested in the category:"


def _members(catalog: Catalog) -> Floats:
    """(m, C) float64, 1 where an item is of a category."""
    return np.eye(len(catalog.categories))[catalog.category]


def _shares(counts: Floats) -> Floats:
    shares: Floats = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1.0)
    return shares


def _mean(counts: csr_matrix, rows: Floats) -> Floats:
    """(n, d), the mean row by counts (n, m); 0 where there are none."""
    total = np.maximum(np.asarray(counts.sum(axis=1)).reshape(-1, 1), 1.0)
    mean: Floats = (counts @ rows) / total
    return mean
