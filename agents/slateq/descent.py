"""Learning by Adam, with a slow average that follows."""

from __future__ import annotations

import torch
from torch import nn

from recsim.agents.networks import descend

_LONGEST_GRADIENT = 10.0


class Descent:
    """Steps of Adam on a network, each followed by its slow average.

    Attributes:
        steps: how many so far.
    """

    def __init__(self, network: nn.Module, slow: nn.Module, *, learning_rate: float, averaging: float) -> None:
        """Nothing has moved yet; `slow` then goes a share `averaging` of its way to `network` at every step."""
        self.steps = 0
        self._parameters, self._averages = list(network.parameters()), list(slow.parameters())
        self._averaging = averaging
        self._adam = torch.optim.Adam(self._parameters, lr=learning_rate, foreach=True)

    def step(self, loss: torch.Tensor) -> None:
        """One step down `loss`.

        Raises:
            ValueError: if the loss or its gradient is not finite; nothing has moved then.
        """
        descend(self._adam, loss, f"at update {self.steps + 1}", _LONGEST_GRADIENT)
        with torch.no_grad():
            for slow, fast in zip(self._averages, self._parameters, strict=True):
                slow.lerp_(fast, self._averaging)
        self.steps += 1
