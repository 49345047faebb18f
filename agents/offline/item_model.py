"""What a linear model expects of every item at every position of a slate, for whoever looks at it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from recsim.agents.features import CrossFeatures
from recsim.agents.folds import user_folds
from recsim.agents.offline.credit import RIDGE
from recsim.catalog import Catalog
from recsim.logs import Log
from recsim.observation import Layout

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class ItemModel:
    """Expected advantages of a log's situations with any item: <query, key of the item> + constant.

    The model of a row has not seen its user (cross-fitted, Chernozhukov et al. 2018), so that the luck that it is to
    explain is not in it, without which a doubly robust objective would be biased.

    Attributes:
        query: (n, k, P) float32.
        constant: (n, k) float32.
        keys: (m, P) float32, see `CrossFeatures.keys`.
    """

    query: torch.Tensor
    constant: torch.Tensor
    keys: torch.Tensor

    @classmethod
    def fit(cls, log: Log, above: Floats, catalog: Catalog, layout: Layout) -> ItemModel:
        """A ridge regression a position and fold of users, on features of user and item and on the item's own keys.

        Args:
            log: n slates of two users or more.
            above: (n, k) float64, advantages of the positions.
            catalog: the items.
            layout: where features stand in an observation.

        Raises:
            ValueError: if a feature of what was shown is not finite.
        """
        features, fold = CrossFeatures(catalog, layout), user_folds(log)
        query = np.empty((*log.slate.shape, features.keys.shape[1]), np.float32)
        constant = np.empty(log.slate.shape, np.float32)
        columns = np.concatenate([features.at(log.observation, log.slate), features.keys[log.slate]], axis=2)
        _refuse_not_finite(columns, log)
        for held in np.unique(fold):
            own = fold == held
            for position in range(log.slate.shape[1]):
                rows = ~own & (log.slate[:, position] >= 0)
                slope, constant[own, position] = _line(columns[rows, position], above[rows, position])
                cross, key = slope[: len(features.names)], slope[len(features.names) :]
                query[own, position] = features.query(log.observation[own], cross) + key.astype(np.float32)
        return cls(*(torch.from_numpy(part) for part in (query, constant, features.keys)))

    def of_all(self, rows: torch.Tensor) -> torch.Tensor:
        """(b, k, m), what is expected of every item in some of the log's rows."""
        return torch.einsum("bkp,mp->bkm", self.query[rows], self.keys) + self.constant[rows][:, :, None]


def _refuse_not_finite(columns: NDArray[np.float32], log: Log) -> None:
    wrong = ~np.isfinite(columns).all(axis=2) & (log.slate >= 0)
    if wrong.any():
        row, position = (int(i) for i in np.argwhere(wrong)[0])
        item = log.slate[row, position]
        raise ValueError(
            f"row {row:,} of the log: a feature of position {position} (item {item}) is not finite; "
            "look for numbers that are huge or not finite in its observation."
        )


def _line(columns: NDArray[np.float32], above: Floats) -> tuple[Floats, float]:
    """Slope and constant of a ridge regression of standardised columns; none of either where nothing was shown."""
    if not len(columns):
        return np.zeros(columns.shape[1]), 0.0
    scaler, ridge = (
        make_pipeline(StandardScaler(), Ridge(RIDGE)).fit(columns.astype(np.float64), above).named_steps.values()
    )
    slope = ridge.coef_ / scaler.scale_
    return slope, float(ridge.intercept_ - slope @ scaler.mean_)
