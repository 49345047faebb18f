"""Which categories a user is interested in, predicted from what the user was shown and clicked.

The truth is known because users are simulated: `category_affinity` of their hidden state. A predictor is taught with
the affinities of some users and asked about others.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from recsim.catalog import Catalog
from recsim.language.interest_features import Features, Source
from recsim.language.interest_heads import FOLDS, Predicted, Regression, by_fold, favourite, regression
from recsim.language.interest_histories import Histories, check_apart
from recsim.simulator import rows_of
from recsim.users.contract import DeclaresAppeal

Floats = NDArray[np.float64]
Items = NDArray[np.int64]
Learner = Callable[[Histories, Floats], Features]  # histories and their users' affinities, to affinities of others

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
        affinity: histories to (n, C) affinities.
        top: (n, C) affinities to (n, C) probabilities of the favourite.
        taught: (t,) int64, the users whose interests were told.
    """

    affinity: Features
    top: Regression
    taught: Items

    @classmethod
    def fit(cls, source: Source, histories: Histories, affinity: Floats) -> TaughtInterests:
        """Learn from histories whose users' affinities (n, C) are told. Deterministic.

        Raises:
            ValueError: if there are fewer than 2 users a fold, not as many rows, or all users have one favourite.
        """
        return cls._learned(single(source), histories, affinity)

    @classmethod
    def stacked(cls, sources: Sequence[Source], histories: Histories, affinity: Floats) -> TaughtInterests:
        """The fusion of several sources: each has a regression, and a last one weighs the affinities that they predict.

        Stacked generalisation (Wolpert 1992): the last one learns from what the others say of users whom they were not
        taught with (cross-fitted), so that it knows how far they can be trusted.

        Raises:
            ValueError: as in `fit`.
        """
        return cls._learned(fusion(sources), histories, affinity)

    @classmethod
    def _learned(cls, learn: Learner, histories: Histories, affinity: Floats) -> TaughtInterests:
        """What `learn` makes of all users; chances of the favourite are learned from what it says of those left out."""
        _check_told(histories, affinity)
        top = favourite(said_of_others(learn, histories, affinity), affinity)
        return cls(learn(histories, affinity), top, histories.user)

    def predict(self, histories: Histories) -> Predicted:
        """What it says of other users.

        Raises:
            ValueError: if the interests of one of them were told.
        """
        check_apart(self.taught, histories.user)
        affinity = self.affinity(histories)
        return Predicted(affinity, self.top(affinity))


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


def single(source: Source) -> Learner:
    """A regression on the features of one source."""

    def learn(histories: Histories, affinity: Floats) -> Features:
        features = source(histories)
        predict = regression(features(histories), affinity)
        return lambda others: predict(features(others))

    return learn


def fusion(sources: Sequence[Source]) -> Learner:
    """A regression on what one for each source says of users of other folds.

    Whoever cross-fits the fusion leaves users out of both stages: what the first says of the others must not have been
    learned from them either.
    """
    first = [single(source) for source in sources]

    def learn(histories: Histories, affinity: Floats) -> Features:
        parts = [one(histories, affinity) for one in first]
        said = [said_of_others(one, histories, affinity) for one in first]
        predict = regression(np.concatenate(said, axis=1), affinity)
        return lambda others: predict(np.concatenate([part(others) for part in parts], axis=1))

    return learn


def said_of_others(learn: Learner, histories: Histories, affinity: Floats) -> Floats:
    """(n, C), the affinity of each user as predicted by what was learned from users of other folds."""
    return by_fold(len(histories), lambda rows: learn(histories[~rows], affinity[~rows])(histories[rows]))


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
