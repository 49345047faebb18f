"""Fitting a `FusionNetwork` to a log: likelihoods of its heads, minibatch Adam, and when to stop."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from recsim.agents.fusion.towers import FusionNetwork
from recsim.agents.networks import check_finite, descend
from recsim.logs import Log

_BATCH, _STEPS = 512, 25  # most slates of a minibatch, and least minibatches of an epoch
_SLOWER = 0.1  # how much more slowly what depends on both user and item is learned: it has the most to memorise


@dataclass(frozen=True)
class Examples:
    """Slates to learn from.

    Attributes:
        observation: (n, d) float32.
        slate: (n, k) int64, 0 in place of -1.
        shown: (n, k) bool, which positions were filled.
        wide: (n, k, f) float32, cross features.
        click: (n, k) float32.
        conversion: (n, k) float32.
        reward: (n, k) float32, weighted sum of the position's objectives, 0 at an empty one.
    """

    observation: Tensor
    slate: Tensor
    shown: Tensor
    wide: Tensor
    click: Tensor
    conversion: Tensor
    reward: Tensor

    @classmethod
    def of(cls, log: Log, wide: NDArray[Any]) -> Examples:
        """A whole log with its cross features (n, k, f)."""
        slate, shown = np.maximum(log.slate, 0), log.slate >= 0
        reward = np.where(shown, log.objectives @ np.array(log.info.weights), 0.0)
        observation, *numbers = (
            torch.from_numpy(x.astype(np.float32)) for x in (log.observation, wide, log.click, log.conversion, reward)
        )
        return cls(observation, torch.from_numpy(slate), torch.from_numpy(shown), *numbers)

    def __len__(self) -> int:
        """The number of slates n."""
        return len(self.slate)

    def __getitem__(self, rows: Tensor) -> Examples:
        """Some of the slates: a mask (n,) or an array of row numbers."""
        return Examples(*(getattr(self, field.name)[rows] for field in fields(self)))


Loss = Callable[[Tensor, Examples], Tensor]


def reward_loss(logits: Tensor, examples: Examples) -> Tensor:
    """(n, k) Poisson deviance of the reward, halved and up to a constant: exp(z) - reward * z, from logits (n, k, 1).

    A pseudo-likelihood: whatever the distribution of rewards from 0 up, the expectation of the loss is least where
    exp(z) is the expected reward (Gourieroux, Monfort & Trognon 1984). The logarithm makes how a position is looked at
    a factor of the expected reward.
    """
    z = logits[..., 0]
    return z.exp() - examples.reward * z


def click_and_conversion_loss(logits: Tensor, examples: Examples) -> Tensor:
    """(n, k) negative log-likelihood of a click, and of the conversion given one, from logits (n, k, 2)."""
    entropy = nn.functional.binary_cross_entropy_with_logits
    click = entropy(logits[..., 0], examples.click, reduction="none")
    conversion = entropy(logits[..., 1], examples.conversion, reduction="none")
    return click + examples.click * conversion


def begin(network: FusionNetwork, examples: Examples, heads: str) -> None:
    """Where training with `heads` begins: quantities of order 1, every item foretold what an average one earns."""
    network.user.standardise(examples.observation)
    earned = examples.reward if heads == "reward" else examples.click
    shown, clicks, conversions = examples.shown.sum(dim=0), examples.click.sum(), examples.conversion.sum()
    by_position = ((earned.sum(dim=0) + earned.mean()) / (shown + 1.0)).log()  # (k,)
    with torch.no_grad():
        network.merit.bias[0] = by_position[0]
        network.position.copy_((by_position - by_position[0]).unsqueeze(1))
        if heads != "reward":
            network.merit.bias[1] = torch.logit((conversions + 1.0) / (clicks + 2.0))


def train(
    network: FusionNetwork,
    examples: Examples,
    held_out: Examples,
    loss: Loss,
    *,
    seed: int,
    epochs: int,
    rate: float,
    decay: float,
    progress: Callable[[], None],
) -> None:
    """Train in place by minibatches, and leave the network as it was after the epoch best for the slates held out.

    Args:
        network: as drawn.
        examples: slates to learn from.
        held_out: slates of other users.
        loss: per position.
        seed: of the order of the slates.
        epochs: how many times all slates are seen.
        rate: Adam's learning rate.
        decay: decoupled weight decay (AdamW, Loshchilov & Hutter 2019) of weight matrices, but not of `wide`.
        progress: called after every epoch.

    Raises:
        ValueError: if training diverges.
    """
    optimizer = torch.optim.AdamW(_groups(network, rate, decay))
    generator = torch.Generator().manual_seed(seed)
    least, best = np.inf, network.state_dict()
    for epoch in range(epochs):
        network.train()
        order = torch.randperm(len(examples), generator=generator)
        for step, rows in enumerate(torch.split(order, min(_BATCH, -(-len(examples) // _STEPS)))):
            descend(optimizer, _mean(network, examples[rows], loss), f"at step {step + 1} of epoch {epoch + 1}")
        network.eval()
        with torch.no_grad():
            found = _mean(network, held_out, loss)
        check_finite("held-out loss", found, f"after epoch {epoch + 1}", optimizer)
        if float(found) < least:
            least, best = float(found), copy.deepcopy(network.state_dict())
        progress()
    network.load_state_dict(best)


def _mean(network: FusionNetwork, examples: Examples, loss: Loss) -> Tensor:
    """The mean loss of the filled positions."""
    logits = network(examples.observation, examples.slate, examples.wide)
    return loss(logits, examples)[examples.shown].mean()


def _groups(network: FusionNetwork, rate: float, decay: float) -> list[dict[str, Any]]:
    """The parameters for Adam, each with its learning rate and weight decay."""
    slow = {*network.user.parameters(), *network.experts.parameters()}
    return [
        {
            "params": [parameter],
            "lr": rate * (_SLOWER if parameter in slow else 1.0),
            "weight_decay": decay if parameter.ndim > 1 and parameter is not network.wide else 0.0,
        }
        for parameter in network.parameters()
    ]
