"""How far estimated propensities agree with what was logged, and what no table can show about them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

CANNOT_BE_KNOWN = (
    "Whatever the logging policy knew and the table does not hold (the hour, stock, rules of the shop, the user's "
    "history) is missing from these propensities; where it also moves the reward, every estimate is biased, and "
    "nothing in the table can show by how much."
)
EDGES = (0.0, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0)
RARE = 0.01  # rows below carry weights up to 100


@dataclass(frozen=True)
class Bin:
    """Predictions of one size.

    Attributes:
        low: predictions from here,
        high: up to here.
        n: pairs of a row and an action whose prediction lies there.
        predicted: their mean prediction.
        observed: the share of them in which the action was the logged one.
    """

    low: float
    high: float
    n: int
    predicted: float
    observed: float


@dataclass(frozen=True)
class Calibration:
    """How far estimated propensities agree with what was logged.

    Attributes:
        method: `frequency` or `classifier`.
        bins: reliability, by size of the prediction.
        log_loss: mean of -log of the logged action's propensity, on rows that the classifier had not seen.
        marginal_log_loss: the same for the actions' frequencies at their positions.
        error: the expected calibration error, summed over actions: (1/2n) sum over bins |logged - predicted|, the share
            of choices that fall into other bins than predicted. Of frequencies it is 0 by construction.
        rare_share: share of rows with a propensity below `RARE`.
        smallest: the smallest propensity of a logged action.
        temperature: by which log-probabilities were divided; 1 leaves them.
        frequency_share: share of the frequencies in the mixture; 1 leaves nothing of the classifier.
    """

    method: str
    bins: tuple[Bin, ...]
    log_loss: float
    marginal_log_loss: float
    error: float
    rare_share: float
    smallest: float
    temperature: float = 1.0
    frequency_share: float = 1.0

    def sentences(self) -> list[str]:
        """What somebody who acts on the estimates should know, the last being what cannot be known."""
        rare = f"{self.rare_share:.1%} of the rows have a propensity below {RARE:g}, the smallest {self.smallest:.2g}."
        if self.method == "frequency":
            found = (
                "the propensities are how often each action was logged, as if nothing else had been used to choose it."
            )
            return [found, rare, CANNOT_BE_KNOWN]
        found = (
            f"predicted from the context, the logged actions have a log-loss of {self.log_loss:.3f}; their frequencies "
            f"have {self.marginal_log_loss:.3f}."
        )
        if self.log_loss >= self.marginal_log_loss - 1e-6:
            found = "the context does not predict the logged actions better than their frequencies do."
        missed = f"{self.error:.1%} of the choices went to actions with another prediction than expected"
        return [found, f"{missed} (calibration error); {rare}", CANNOT_BE_KNOWN]

    def to_dict(self) -> dict[str, Any]:
        """For reports: the bins, and the sentences as one text."""
        bins = [{"predicted": one.predicted, "observed": one.observed, "count": one.n} for one in self.bins]
        text = " ".join(sentence[:1].upper() + sentence[1:] for sentence in self.sentences())
        return {"bins": bins, "sentence": text}


def calibration_of(
    table: Floats,
    action: Integers,
    method: str,
    marginal_log_loss: float,
    *,
    temperature: float = 1.0,
    frequency_share: float = 1.0,
) -> Calibration:
    """How far predictions `table` (n, m) agree with the logged `action` (n,)."""
    logged = of_logged(table, action)
    number = np.clip(np.searchsorted(EDGES, table, side="right") - 1, 0, len(EDGES) - 2)  # (n, m)
    size = len(EDGES) - 1
    count = np.bincount(number.ravel(), minlength=size)
    mass = np.bincount(number.ravel(), weights=table.ravel(), minlength=size)
    hits = np.bincount(of_logged(number, action), minlength=size)
    bins = tuple(
        Bin(EDGES[i], EDGES[i + 1], int(count[i]), float(mass[i] / count[i]), float(hits[i] / count[i]))
        for i in range(size)
        if count[i]
    )
    return Calibration(
        method=method,
        bins=bins,
        log_loss=log_loss_of(table, action),
        marginal_log_loss=marginal_log_loss,
        error=float(np.abs(hits - mass).sum()) / (2 * len(action)),
        rare_share=float((logged < RARE).mean()),
        smallest=float(logged.min()),
        temperature=temperature,
        frequency_share=frequency_share,
    )


def of_logged(table: NDArray[Any], action: Integers) -> NDArray[Any]:
    """(n,) the value of the logged action in each row of `table` (n, m)."""
    picked: NDArray[Any] = table[np.arange(len(action)), action]
    return picked


def log_loss_of(table: Floats, action: Integers) -> float:
    """Mean of -log of the logged actions' probabilities in `table` (n, m)."""
    return float(-np.log(of_logged(table, action)).mean())
