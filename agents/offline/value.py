"""The estimated value of a ranker's policy on a log, as something whose gradient can be followed."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import torch

from recsim.agents.offline.item_model import ItemModel
from recsim.agents.offline.learning import Examples, slate_log_prob
from recsim.agents.ranker import Ranker

Weighting = Literal["position", "slate"]

_ROWS = 256  # slates judged at once: a model of items holds an entry for each position and item


@dataclass(frozen=True)
class Value:
    """The estimated value of a ranker's policy on a log.

    Attributes:
        ranker: whose policy.
        examples: the log with its advantages.
        weight: of which choices.
        cap: largest weight.
        model: of what is expected of items, for the doubly robust value.
    """

    ranker: Ranker
    examples: Examples
    weight: Weighting
    cap: float
    model: ItemModel | None = None

    def parts(self, rows: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """(b, k) each, with gradients: what positions add to the value, and their weights; 0 at an empty one."""
        batch = self.examples.at(rows)
        scores, shown = self.ranker(batch.observation), batch.slate >= 0
        log_ratio = slate_log_prob(scores, batch.slate) - batch.logged
        weight = clipped(log_ratio, self.weight, self.cap)
        if self.model is None:
            return weight * batch.advantage * shown, weight * shown
        expected = self.model.of_all(rows)  # (b, k, m)
        logged = expected.gather(2, batch.slate.clamp(min=0)[:, :, None]).squeeze(2)
        before = torch.cat([torch.ones_like(weight[:, :1]), weight[:, :-1]], dim=1)
        direct = before * expected_given_above(scores, batch.slate, expected)
        return (direct + weight * (batch.advantage - logged)) * shown, weight * shown

    def mean(self, rows: torch.Tensor) -> float:
        """The mean over slates of what their positions add."""
        return float(self.sums(rows)[0].sum()) / len(rows)

    def ratio(self, rows: torch.Tensor) -> float:
        """The sum over positions of what they add over what they weigh; positions that weigh nothing add nothing."""
        gain, weight = self.sums(rows)
        return float(ratio_of(gain, weight).sum())

    def sums(self, rows: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """(k,) float64 each, the sums of `parts` over some rows."""
        gain = weight = torch.zeros(self.examples.slate.shape[1], dtype=torch.float64)
        with torch.no_grad():
            for part in torch.split(rows, _ROWS):
                more, heavier = self.parts(part)
                gain, weight = gain + more.double().sum(dim=0), weight + heavier.double().sum(dim=0)
        return gain, weight


class Ratio:
    """The gradient of a ratio over the whole log, in steps on batches."""

    def __init__(self, value: Value, rows: torch.Tensor) -> None:
        """Of the ratio of `value` over `rows`."""
        self._value, self._rows = value, rows
        self.look()

    def look(self) -> None:
        """Compute the ratio and its denominators anew, over the whole log."""
        gain, weight = self._value.sums(self._rows)
        self._ratio = ratio_of(gain, weight).float()
        self._mean_weight = (weight / len(self._rows)).clamp(min=1e-6).float()

    def gain(self, rows: torch.Tensor) -> torch.Tensor:
        """(b,), of which the mean over the whole log has the gradient of the ratio."""
        gain, weight = self._value.parts(rows)
        return ((gain - self._ratio * weight) / self._mean_weight).sum(dim=1)


def ratio_of(gain: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """`gain` over `weight`, 0 where that is 0.

    >>> ratio_of(torch.tensor([3.0, 0.0]), torch.tensor([2.0, 0.0])).tolist()
    [1.5, 0.0]
    """
    return torch.where(weight > 0, gain / weight.clamp(min=torch.finfo(weight.dtype).tiny), 0.0)


def clipped(log_ratio: torch.Tensor, weight: Weighting, cap: float) -> torch.Tensor:
    """(n, k) min(pi / beta, cap) of each position with those above it or of the slate; constant from the cap on.

    Args:
        log_ratio: (n, k) log(pi / beta) of each item given those above it.
        weight: of which choices.
        cap: largest weight.

    >>> ratio = torch.tensor([[2.0, 0.5, 8.0]]).log()
    >>> [clipped(ratio, weight, 5.0).round().tolist() for weight in ("position", "slate")]  # 2, 2 / 2, 2 / 2 * 8
    [[[2.0, 1.0, 5.0]], [[5.0, 5.0, 5.0]]]
    """
    total = log_ratio.cumsum(dim=1)
    if weight == "slate":
        total = total[:, -1:].expand_as(total)
    return total.clamp(max=math.log(cap)).exp()


def expected_given_above(scores: torch.Tensor, slate: torch.Tensor, expected: torch.Tensor) -> torch.Tensor:
    """(n, k), the mean of `expected` over the policy's item at each position, given the logged items above it.

    Args:
        scores: (n, m) Plackett-Luce logits.
        slate: (n, k) int64, -1 an empty position.
        expected: (n, k, m).

    >>> given = torch.tensor([[[1.0, 2.0, 4.0], [1.0, 2.0, 4.0]]])
    >>> found = expected_given_above(torch.zeros(1, 3), torch.tensor([[2, 0]]), given)  # 7 / 3, then 3 / 2
    >>> found.mul(6).round().tolist()
    [[14.0, 9.0]]
    """
    found = []
    for position in range(slate.shape[1]):
        found.append((scores.softmax(dim=1) * expected[:, position]).sum(dim=1))
        item = slate[:, position : position + 1]
        gone = torch.zeros_like(scores, dtype=torch.bool).scatter(1, item.clamp(min=0), item >= 0)
        scores = scores.masked_fill(gone, -torch.inf)
    return torch.stack(found, dim=1)
