"""Neural-linear bandit: Thompson sampling, linear in features that a network learns."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from recsim.agents.bandits.bandit import Feedback, Floats, Items, Observation, above_zero
from recsim.agents.bandits.linear import PairFeatures
from recsim.agents.bandits.linear_thompson import LinearThompson
from recsim.agents.bandits.network import Network, NetworkFeatures, train_network
from recsim.catalog import Catalog
from recsim.observation import Layout

_MINIBATCH = 128  # slates
_TYPICAL = 1_000  # slates by which inputs are scaled
_LEAST_LOOK = 0.05  # bounds what one reward at a position that few look at does to the network


@dataclass
class Buffer:
    """The latest slates, newest last.

    Attributes:
        observation: (b, d) float32.
        slate: (b, k) int64.
        reward: (b, k) float64.
        seen: (1,) int64, slates that were ever added.
    """

    observation: Observation = field(default_factory=lambda: np.zeros((0, 0), np.float32))
    slate: Items = field(default_factory=lambda: np.zeros((0, 0), np.int64))
    reward: Floats = field(default_factory=lambda: np.zeros((0, 0)))
    seen: Items = field(default_factory=lambda: np.zeros(1, np.int64))

    def __len__(self) -> int:
        """The number of slates b."""
        return len(self.slate)

    def add(self, feedback: Feedback, most: int) -> None:
        """Keep these slates, too, and no more than the `most` latest."""
        for name in ("observation", "slate", "reward"):
            kept, new = getattr(self, name), getattr(feedback, name)
            setattr(self, name, np.concatenate([kept, new])[-most:] if len(kept) else new[-most:])
        self.seen = self.seen + len(feedback.slate)


class NeuralLinear(LinearThompson):
    """Linear Thompson sampling on x(u, i) and a network's last layer (NeuralLinear: Riquelme, Tucker & Snoek 2018).

    The head learns from every slate. The network is trained now and then, on the reward of the positions in a buffer of
    the latest slates, beginning where it stands; the head is then computed anew from the buffer, so that slates that
    have left it are forgotten (the paper keeps them all). Until the network is trained for the first time its features
    are 0 and this is linear Thompson sampling: x(u, i) is part of the representation, as by a skip connection.
    """

    PARTS: ClassVar[tuple[str, ...]] = ("posterior", "looks", "network", "buffer")
    features: NetworkFeatures

    def __init__(
        self,
        catalog: Catalog,
        layout: Layout,
        *,
        scale: float = 0.3,
        ridge: float = 1.0,
        item_ridge: float = 10.0,
        draws: int = 16,
        temperature: float = 0.0,
        seed: int = 0,
        hidden: int = 32,
        outputs: int = 16,
        buffer_size: int = 20_000,
        every: int = 2_000,
        steps: int = 200,
        learning_rate: float = 0.001,
    ) -> None:
        """An untrained bandit.

        Args:
            catalog: the items.
            layout: where features stand in an observation.
            scale: how widely the head's weights are drawn.
            ridge: prior precision of the head's weights.
            item_ridge: prior precision of the items' intercepts.
            draws: see `ThompsonBandit`.
            temperature: see `ThompsonBandit`.
            seed: of the draws, and of the network's start and minibatches.
            hidden: h, units of the first layer.
            outputs: q, units of the last layer, the learned features.
            buffer_size: slates that are kept.
            every: slates between two trainings of the network.
            steps: of Adam in one training, each with 128 slates.
            learning_rate: of Adam.

        Raises:
            ValueError: if scale or temperature is negative, or another number not positive.
        """
        above_zero(
            hidden=hidden,
            outputs=outputs,
            buffer_size=buffer_size,
            every=every,
            steps=steps,
            learning_rate=learning_rate,
        )
        self.hidden, self.outputs, self.buffer = hidden, outputs, Buffer()
        options: dict[str, Any] = {"scale": scale, "draws": draws, "temperature": temperature, "seed": seed}
        super().__init__(catalog, layout, ridge=ridge, item_ridge=item_ridge, **options)
        self.options |= {"hidden": hidden, "outputs": outputs, "buffer_size": buffer_size}
        self.options |= {"every": every, "steps": steps, "learning_rate": learning_rate}
        self.buffer_size, self.every, self.steps, self.learning_rate = buffer_size, every, steps, learning_rate

    def features_of(self, catalog: Catalog, layout: Layout) -> NetworkFeatures:
        """x(u, i) and the features of a network that is yet to be trained."""
        pairs = PairFeatures(catalog, layout)
        inputs = layout.size + pairs.cross.keys.shape[1] + pairs.n_personal
        self.network = Network.zeros(inputs, self.hidden, self.outputs)
        return NetworkFeatures(pairs, self.network)

    def learn(self, feedback: Feedback) -> None:
        """Learn from n slates; train the network, if its time has come."""
        before = self.buffer.seen // self.every
        super().learn(feedback)
        self.buffer.add(feedback, self.buffer_size)
        if self.buffer.seen // self.every > before:
            self._train_network()
            self._learn_head_anew()

    def _train_network(self) -> None:
        draw = np.random.Generator(np.random.Philox(key=np.array([self.seed, 2 * self.updates + 1], np.uint64)))
        if not self.network.trained:
            self.network.begin(self._typical_inputs(), draw)
        train_network(
            self.features, self.posterior.mean[: self.features.size], self._minibatches(draw), self.learning_rate
        )

    def _typical_inputs(self) -> Observation:
        """(b, z) float32, of the latest slates."""
        slate, observation = self.buffer.slate[-_TYPICAL:], self.buffer.observation[-_TYPICAL:]
        return self.features.inputs(observation, slate)[slate >= 0]

    def _minibatches(self, draw: np.random.Generator) -> Iterator[tuple[Observation, Items, Floats, Floats]]:
        look, beta = np.maximum(self.looks.share, _LEAST_LOOK), self.posterior.mean[self.features.size :]
        for _ in range(self.steps):
            rows = draw.integers(len(self.buffer), size=_MINIBATCH)
            slate = self.buffer.slate[rows]
            reward = self.buffer.reward[rows] - look * beta[slate]  # what the items' intercepts leave to explain
            yield self.buffer.observation[rows], slate, reward, look * (slate >= 0)

    def _learn_head_anew(self) -> None:
        posterior = self.prior()
        for start in range(0, len(self.buffer), _MINIBATCH):
            rows = slice(start, start + _MINIBATCH)
            slate, shown = self.buffer.slate[rows], self.buffer.slate[rows] >= 0
            look = np.broadcast_to(self.looks.share, slate.shape)
            x = self.features.at(self.buffer.observation[rows], slate)
            posterior = posterior.after(x[shown], slate[shown], self.buffer.reward[rows][shown], look[shown])
        self.posterior = posterior
