"""Which categories a user is interested in, predicted from what the user was shown and clicked.

The truth is known because users are simulated: `category_affinity` of their hidden state. A predictor is taught with
the affinities of some users and asked about others.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from recsim.catalog import Catalog
from recsim.language.interest_features import Features, Source
from recsim.language.interest_heads import FOLDS, Heads, Predicted, by_fold, regression
from recsim.language.interest_histories import Histories, check_apart
from recsim.simulator import rows_of
from recsim.users.contract import DeclaresAppeal

Floats = NDArray[np.float64]
Items = NDArray[np.int64]

_USERS_AT_ONCE = 256


class InterestPredictor(Protocol):
    """Anything that tells interests from histories."""

    def predict(self, histories: Histories) -> Predicted:
        """What it says of the users of `histories`."""
        ...


def category_affinity(users: DeclaresAppeal, state: Any, catalog: Catalog) -> Floats:
    """(n, C) float64, how much n users like each category: the mean chance of a click on its items, once looked at.

    Args:
        users: the user model.
        state: their hidden state. What passes, such as satiation, counts as it stands there.
        catalog: the items.
    """
    member = np.eye(len(catalog.categories))[catalog.category]
    every = np.arange(len(catalog), dtype=np.int64)
    n, parts = len(getattr(state, fields(state)[0].name)), []
    for start in range(0, n, _USERS_AT_ONCE):
        rows = np.arange(start, min(start + _USERS_AT_ONCE, n))
        appeal = users.appeal(rows_of(state, rows), np.tile(every, (len(rows), 1)))
        parts.append(appeal.click @ (member / member.sum(axis=0)))
    return np.concatenate(parts)


@dataclass(frozen=True, eq=False)
class TaughtInterests:
    """Regressions of hidden interests on features of the history.

    Attributes:
        features: what turns histories into numbers.
        heads: what turns these into predictions.
        taught: (t,) int64, the users whose interests were told.
    """

    features: Features
    heads: Heads
    taught: Items

    @classmethod
    def fit(cls, source: Source, histories: Histories, affinity: Floats) -> TaughtInterests:
        """Learn from histories whose users' affinities (n, C) are told. Deterministic.

        Raises:
            ValueError: if there are fewer than 2 users a fold, not as many rows, or all users have one favourite.
        """
        _check_told(histories, affinity)
        features = source(histories)
        said = _said_of_others(source, histories, affinity)
        return cls(features, Heads.fit(features(histories), affinity, said), histories.user)

    @classmethod
    def stacked(cls, sources: Sequence[Source], histories: Histories, affinity: Floats) -> TaughtInterests:
        """The fusion of several sources: each has a regression, and a last one weighs the affinities that they predict.

        Stacked generalisation (Wolpert 1992): the last one learns from what the others say of users whom they were not
        taught with (cross-fitted), so that it knows how far they can be trusted.

        Raises:
            ValueError: as in `fit`.
        """
        _check_told(histories, affinity)
        said = np.concatenate([_said_of_others(source, histories, affinity) for source in sources], axis=1)
        again = by_fold(len(said), lambda rows: regression(said[~rows], affinity[~rows])(said[rows]))
        parts = [_told_affinity(source, histories, affinity) for source in sources]

        def features(others: Histories) -> Floats:
            return np.concatenate([part(others) for part in parts], axis=1)

        return cls(features, Heads.fit(said, affinity, again), histories.user)

    def predict(self, histories: Histories) -> Predicted:
        """What it says of other users.

        Raises:
            ValueError: if the interests of one of them were told.
        """
        check_apart(self.taught, histories.user)
        return self.heads.predict(self.features(histories))


@dataclass(frozen=True, eq=False)
class UntaughtInterests:
    """Log probabilities of the categories taken as they are, such as `interest_features.model_scores`; nobody is told.

    Attributes:
        features: (n, C) log probabilities from histories.
    """

    features: Features

    def predict(self, histories: Histories) -> Predicted:
        """What it says."""
        said = self.features(histories)
        return Predicted(said, np.exp(said))


def _told_affinity(source: Source, histories: Histories, affinity: Floats) -> Features:
    """What turns histories into affinities (n, C), learned from `histories` and their users' affinities."""
    features = source(histories)
    predict = regression(features(histories), affinity)
    return lambda others: predict(features(others))


def _said_of_others(source: Source, histories: Histories, affinity: Floats) -> Floats:
    """(n, C), the affinity of each user as predicted by what was learned from users of other folds."""
    return by_fold(
        len(histories), lambda rows: _told_affinity(source, histories[~rows], affinity[~rows])(histories[rows])
    )


def _check_told(histories: Histories, affinity: Floats) -> None:
    if affinity.ndim != 2 or len(affinity) != len(histories):
        raise ValueError(
            f"affinities have shape {affinity.shape} for {len(histories)} users; a row a user, a column a category."
        )
    if len(histories) < 2 * FOLDS:
        raise ValueError(
            f"{len(histories)} users are told; at least {2 * FOLDS} are needed, and hundreds to be of use."
        )
    if np.ptp(affinity.argmax(axis=1)) == 0:
        raise ValueError("all users who are told have the same favourite category; tell of more users.")
