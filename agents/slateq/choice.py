"""Click models that SlateQ learns: how the appeal of single items turns into clicks on a slate."""

from __future__ import annotations

from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from recsim.agents.slateq.slates import OPTIMISERS, best_slates, earned
from recsim.policy import top_k

Floats = NDArray[np.float64]
Items = NDArray[np.int64]

CHOICES = ("mnl", "pbm")
_MOST_LOGITS = 18.0  # of appeal: odds beyond e**18 are certainty
_LEAST = 1e-6  # probability of a click or none, so that no log is infinite


class ClickModel(Protocol):
    """Probabilities of clicks on slates, and the slates that earn most under them.

    `appeal` is in logits; `value` (n, c) is what a click on an item is worth, `none` (n,) what none is worth.
    """

    def clicks(self, appeal: torch.Tensor, shown: torch.Tensor) -> torch.Tensor:
        """(n, k) probabilities of a click, from appeal (n, k) and which positions are filled (n, k) bool."""
        ...

    def surprise(self, appeal: torch.Tensor, shown: torch.Tensor, click: torch.Tensor) -> torch.Tensor:
        """(n,) minus the log-likelihood of the clicks (n, k) bool."""
        ...

    def slates(self, appeal: Floats, value: Floats, none: Floats, k: int, optimiser: str) -> Items:
        """(n, k) columns of `appeal` (n, c) to show, top first."""
        ...

    def scores(self, appeal: Floats, value: Floats, none: Floats, k: int) -> Floats:
        """(n, c) float64, whose k highest are the slate that earns most."""
        ...


class OneChoice(nn.Module):
    """Multinomial logit: an item is chosen with probability exp(appeal) / (1 + sum over the slate of exp(appeal)).

    Nothing is chosen with the rest: the conditional logit with a null item of Ie et al. 2019.
    """

    def clicks(self, appeal: torch.Tensor, shown: torch.Tensor) -> torch.Tensor:
        """See `ClickModel`."""
        return _with_none(appeal, shown).softmax(dim=1)[:, 1:]

    def surprise(self, appeal: torch.Tensor, shown: torch.Tensor, click: torch.Tensor) -> torch.Tensor:
        """See `ClickModel`.

        Raises:
            ValueError: if anything but one item or none was clicked.
        """
        clicks = click.sum(dim=1)
        if (clicks > 1).any():
            row = int(clicks.argmax())
            raise ValueError(
                f"row {row} has {int(clicks[row])} clicks, but with choice 'mnl' users click one item of a slate at "
                "most; use choice='pbm'."
            )
        chosen = torch.cat([~click.any(dim=1, keepdim=True), click], dim=1)
        return -_with_none(appeal, shown).log_softmax(dim=1)[chosen]

    def slates(self, appeal: Floats, value: Floats, none: Floats, k: int, optimiser: str) -> Items:
        """See `ClickModel`."""
        return OPTIMISERS[optimiser](_odds(appeal), value, none, k)

    def scores(self, appeal: Floats, value: Floats, none: Floats, k: int) -> Floats:
        """The odds times (value - V), V being what the best slate earns: its items score highest (Dinkelbach 1967)."""
        odds = _odds(appeal)
        most = earned(odds, value, none, best_slates(odds, value, none, k))
        return odds * (value - most[:, None])


class SeparateClicks(nn.Module):
    """Position-based: the item at j is clicked with probability look_j * logistic(appeal), whatever else is shown.

    Looks are learned, and 1 at the best position. The slate that earns most has the k highest probabilities * value.
    """

    def __init__(self, slate_size: int) -> None:
        """All positions are looked at alike, before anything is learned."""
        super().__init__()
        self.log_look = nn.Parameter(torch.zeros(slate_size))

    @property
    def look(self) -> torch.Tensor:
        """(k,) learned share of users who look at each position, relative to the best."""
        return torch.exp(self.log_look - self.log_look.max())

    def clicks(self, appeal: torch.Tensor, shown: torch.Tensor) -> torch.Tensor:
        """See `ClickModel`."""
        return self.look * torch.sigmoid(appeal) * shown

    def surprise(self, appeal: torch.Tensor, shown: torch.Tensor, click: torch.Tensor) -> torch.Tensor:
        """See `ClickModel`."""
        probability = self.clicks(appeal, shown).clamp(_LEAST, 1.0 - _LEAST)
        likelihood = torch.where(click, probability, 1.0 - probability)
        return -(likelihood.log() * shown).sum(dim=1)

    def slates(self, appeal: Floats, value: Floats, none: Floats, k: int, optimiser: str) -> Items:
        """See `ClickModel`; all optimisers agree here."""
        return top_k(self.scores(appeal, value, none, k), k)

    def scores(self, appeal: Floats, value: Floats, none: Floats, k: int) -> Floats:
        """See `ClickModel`."""
        return (value - none[:, None]) / (1.0 + np.exp(-np.clip(appeal, -_MOST_LOGITS, _MOST_LOGITS)))


def click_model(choice: str, slate_size: int) -> OneChoice | SeparateClicks:
    """The click model called `choice`, one of `CHOICES`."""
    return OneChoice() if choice == "mnl" else SeparateClicks(slate_size)


def _with_none(appeal: torch.Tensor, shown: torch.Tensor) -> torch.Tensor:
    """(n, 1 + k) logits of no choice and of each position."""
    return nn.functional.pad(appeal.masked_fill(~shown, -torch.inf), (1, 0))


def _odds(appeal: Floats) -> Floats:
    return np.exp(np.clip(appeal, -_MOST_LOGITS, _MOST_LOGITS))
