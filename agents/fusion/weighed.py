"""Static fusion under a preference: what a myopic ranker can do about objectives beside the click."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recsim.agents.fusion.scorers import SMOOTHING
from recsim.agents.fusion.static import StaticFusion
from recsim.catalog import Catalog
from recsim.logs import Log

Floats = NDArray[np.float64]

_LEAST = 1e-9  # of what a click is worth, so that its logarithm is finite


@dataclass(frozen=True)
class WeighedFusion:
    """Ranks items by the expected value of showing them, P(click) × (w_click + w_conversion × c_i + w_novelty × v_i).

    c_i is an item's conversion rate per click, v_i its novelty. The score is the logarithm: the static fusion's, which
    is that of the odds of a click up to a constant, plus that of what a click is worth. Odds stand for probabilities,
    as clicks on one item are rare.

    Attributes:
        fusion: scores clicks.
        conversion_rate: (m,) float64, c.
        weights: (3,) float64 from 0 up, of click, conversion and novelty.
    """

    fusion: StaticFusion
    conversion_rate: Floats
    weights: Floats

    def scores(self, observation: NDArray[np.float32]) -> Floats:
        """(n, m) float64."""
        worth = np.stack([np.ones_like(self.conversion_rate), self.conversion_rate, self.fusion.catalog.novelty])
        found: Floats = self.fusion.scores(observation) + np.log(np.maximum(self.weights @ worth, _LEAST))
        return found


def conversion_rates(log: Log, catalog: Catalog) -> Floats:
    """(m,) float64, conversions per click of every item, shrunk to the mean rate while its clicks are few.

    (conversions + a × mean) / (clicks + a), a = 5 clicks.
    """
    clicks, conversions = (
        np.bincount(log.slate[happened & (log.slate >= 0)], minlength=len(catalog))
        for happened in (log.click, log.conversion)
    )
    mean = conversions.sum() / max(clicks.sum(), 1)
    rates: Floats = (conversions + SMOOTHING * mean) / (clicks + SMOOTHING)
    return rates
