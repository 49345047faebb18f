"""A small network whose last layer gives features of (user, item) pairs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from recsim.agents.bandits.bandit import Floats, Items, Observation
from recsim.agents.bandits.linear import PairFeatures, dot_at
from recsim.agents.networks import descend

_LAYERS = ("first", "first_bias", "second", "second_bias")
_ROWS = 16  # users whose hidden layers for every item are held at once


@dataclass
class Network:
    """Two layers of rectified units; all zero until it is trained for the first time.

    Attributes:
        scale: (z,) float32, what each input is multiplied by.
        first: (z, h) float32. The inputs z are the observation, the item's keys and the personal features of the pair.
        first_bias: (h,) float32.
        second: (h, q) float32.
        second_bias: (q,) float32.
    """

    scale: Observation
    first: Observation
    first_bias: Observation
    second: Observation
    second_bias: Observation

    @classmethod
    def zeros(cls, inputs: int, hidden: int, outputs: int) -> Network:
        """An untrained network."""
        shapes = (inputs,), (inputs, hidden), (hidden,), (hidden, outputs), (outputs,)
        return cls(*(np.zeros(shape, np.float32) for shape in shapes))

    @property
    def trained(self) -> bool:
        """Whether it has been drawn and trained."""
        return bool(self.scale.any())

    def begin(self, inputs: Observation, draw: np.random.Generator) -> None:
        """Scale by typical inputs (b, z) and draw the layers (He et al. 2015)."""
        size = np.sqrt(np.square(inputs).mean(axis=0))
        self.scale = np.where(size > 0.0, 1.0 / np.maximum(size, 1e-6), 0.0).astype(np.float32)
        for name in ("first", "second"):
            shape = getattr(self, name).shape
            setattr(self, name, (draw.standard_normal(shape) * np.sqrt(2.0 / shape[0])).astype(np.float32))


class NetworkFeatures:
    """x(u, i) and, behind it, what the last layer of a network says of the pair."""

    def __init__(self, pairs: PairFeatures, network: Network) -> None:
        """Features that follow `network` as it is trained."""
        self.pairs, self.network = pairs, network
        self.size = pairs.size + len(network.second_bias)

    def inputs(self, observation: Observation, items: Items) -> Observation:
        """(n, c, z) float32, what the network reads of `items` (n, c)."""
        personal = self.pairs.personal_at(observation, items)
        user = np.broadcast_to(observation[:, None], (*items.shape, observation.shape[1]))
        inputs = [user, self.pairs.cross.keys[items], personal]
        return np.concatenate(inputs, axis=2)

    def at(self, observation: Observation, items: Items) -> Floats:
        """(n, c, F) float64 (see `Features`)."""
        network = self.network
        inner = _rectified((self.inputs(observation, items) * network.scale) @ network.first + network.first_bias)
        learned = _rectified(inner @ network.second + network.second_bias)
        return np.concatenate([self.pairs.at(observation, items), learned], axis=2)

    def dot(self, observation: Observation, weights: Floats, items: Items | None = None) -> Floats:
        """(n, s, m) or (n, s, c) float64 (see `Features`)."""
        if items is not None:
            return dot_at(self, observation, weights, items)
        out = self.pairs.dot(observation, weights[:, : self.pairs.size])
        head = weights[:, self.pairs.size :].astype(np.float32)
        for start in range(0, len(observation), _ROWS):
            rows = slice(start, start + _ROWS)
            learned = self._learned(observation[rows])  # (q, r, m)
            out[rows] += (head @ learned.reshape(len(learned), -1)).reshape(-1, *learned.shape[1:]).swapaxes(0, 1)
        return out

    def _learned(self, observation: Observation) -> Observation:
        """(q, n, m) float32, the last layer for every item: users and items enter the first one apart."""
        network, keys = self.network, self.pairs.cross.keys
        first = network.scale[:, None] * network.first
        user, item, pair = np.split(first, [observation.shape[1], observation.shape[1] + keys.shape[1]])
        personal = self.pairs.personal(observation)  # (f, n, m)
        inner = (pair.T @ personal.reshape(len(personal), -1)).reshape(-1, *personal.shape[1:])
        inner += (observation @ user + network.first_bias).T[:, :, None]
        inner += (keys @ item).T[:, None, :]
        _rectified(inner)
        outer = network.second.T @ inner.reshape(len(inner), -1) + network.second_bias[:, None]
        return _rectified(outer).reshape(-1, *personal.shape[1:])


def train_network(
    features: NetworkFeatures,
    head: Floats,
    minibatches: Iterable[tuple[Observation, Items, Floats, Floats]],
    learning_rate: float,
) -> None:
    """Fit the network of `features` by least squares, with Adam (Kingma & Ba 2015).

    The reward of a position is predicted as look * <head, features>, which asks for the loss look * (reward / look -
    <head, features>)^2. The head moves along, but is not kept: what is learned are the features.

    Args:
        features: their network changes.
        head: (F,) float64, where the head starts.
        minibatches: one a step, of observations (b, d), shown items (b, c), their rewards (b, c) and looks (b, c),
            above 0; 0 for the look of an empty position, which counts nothing.
        learning_rate: of Adam.

    Raises:
        ValueError: if training diverges; the network is as it was.
    """
    network, size = features.network, features.pairs.size
    layers = [torch.tensor(getattr(network, name), requires_grad=True) for name in _LAYERS]
    weight = torch.tensor(head, dtype=torch.float32, requires_grad=True)
    first, first_bias, second, second_bias = layers
    adam = torch.optim.Adam([*layers, weight], lr=learning_rate)
    for step, (observation, items, reward, look) in enumerate(minibatches, 1):
        inputs = torch.from_numpy(features.inputs(observation, items) * network.scale)
        pairs = torch.from_numpy(features.pairs.at(observation, items).astype(np.float32))
        seen = torch.from_numpy(look.astype(np.float32))
        target = torch.from_numpy((reward / np.where(look > 0.0, look, 1.0)).astype(np.float32))
        learned = torch.relu(torch.relu(inputs @ first + first_bias) @ second + second_bias)
        predicted = pairs @ weight[:size] + learned @ weight[size:]
        loss = (seen * (target - predicted) ** 2).mean()
        descend(adam, loss, f"at step {step} of training the network")
    for name, layer in zip(_LAYERS, layers, strict=True):
        setattr(network, name, layer.detach().numpy())


def _rectified(values: NDArray[Any]) -> NDArray[Any]:
    """max(values, 0), in place."""
    np.maximum(values, 0.0, out=values)
    return values
