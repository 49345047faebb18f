"""SlateQ: temporal differences on the clicked items of slates."""

from __future__ import annotations

import copy
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from recsim.agents.epsilon import EpsilonSlates
from recsim.agents.fusion.static import StaticFusion
from recsim.agents.networks import drawn_from, fill_network, network_arrays
from recsim.agents.slateq.descent import Descent
from recsim.agents.slateq.experience import Experience, Transitions
from recsim.agents.slateq.network import BASE_SCALE, SlateValues
from recsim.agents.slateq.settings import Settings
from recsim.agents.storage import load_arrays, load_options, save_arrays
from recsim.catalog import Catalog
from recsim.logs import Log, collect
from recsim.observation import Layout
from recsim.policy import only_there, uniform
from recsim.rollout import Progress, batches, user_numbers
from recsim.simulator import Simulator

Floats = NDArray[np.float64]
Observation = NDArray[np.float32]
Items = NDArray[np.int64]

_NEVER = -1e12  # value of a click on an item that is not there yet


class SlateQ:
    """Long-term values of slates, put together from those of their items (Ie et al. 2019, "SlateQ", IJCAI).

    Q(s, A) = Q(s, none) + sum over i in A of P(click on i | s, A) (Q(s, i) - Q(s, none)),

    the paper's decomposition with its null item. P is a click model that is learned beside the values. The value of an
    item is learned in two parts, Q(s, i) - Q(s, none) = worth(s, i) + future(s, i), which have the paper's fixed point
    together. `worth` is the reward of a click on i, which is known position by position. `future` and the base
    Q(s, none) are learned by temporal differences: after slate A in s,

    base(s) + sum over the clicked i of future(s, i)  ->  discount * Q'(s', A'), 0 where the session has ended,

    Q' being a slow average of the network. A' is what was shown next (`target` "sarsa") or the best slate there ("q",
    chosen by the fast network: double Q-learning, van Hasselt et al. 2016). Sessions end where the user leaves or the
    horizon comes: observations tell the progress (time-awareness; Pardo et al. 2018, section 2).

    The paper assumes that users click one item at most, and that reward and next state depend on the slate through the
    clicked item alone. With `choice` "mnl" the first is learned as it is. With "pbm", the default, users may click
    several items: the click model is then position-based with learned looks, whatever the users' real one is, and the
    clicked items' values are assumed to add up. Under either, what items do to users who only look at them is not seen
    by their values.

    Attributes:
        catalog: the items.
        layout: where features stand in an observation.
        slate_size: k.
        seed: of the first weights and of the minibatches.
        settings: how it learns and shows.
        network: what is being learned.
        slow_network: its slow average, which acts and scores.
        born: (m,) float32, birthdays of the items where it was trained (`Simulator.born`); they are not shown before.
    """

    def __init__(
        self,
        catalog: Catalog,
        layout: Layout,
        slate_size: int,
        *,
        warm_start: StaticFusion | None = None,
        seed: int = 0,
        **settings: Any,
    ) -> None:
        """An untrained agent.

        Args:
            catalog: as above.
            layout: as above.
            slate_size: as above.
            warm_start: a fitted static ranker, where the appeal of items starts; without it, all items start equal.
            seed: as above.
            **settings: see `Settings`.

        Raises:
            ValueError: if a setting makes no sense.
        """
        if not 1 <= slate_size <= len(catalog):
            raise ValueError(f"slate_size is {slate_size}; the catalogue {catalog.name!r} allows 1 to {len(catalog)}.")
        self.catalog, self.layout, self.slate_size, self.seed = catalog, layout, slate_size, seed
        self.settings = Settings(**settings)
        choice, hidden, tower = self.settings.choice, self.settings.hidden, self.settings.tower
        with drawn_from(seed):
            self.network = SlateValues(catalog, layout, slate_size, choice, warm_start, hidden, tower)
        self.slow_network = copy.deepcopy(self.network).requires_grad_(False)
        self.born: NDArray[np.float32] | None = None
        self._descent = Descent(
            self.network,
            self.slow_network,
            learning_rate=self.settings.learning_rate,
            averaging=self.settings.averaging,
        )
        self._experience: Experience | None = None
        self._generator = np.random.Generator(np.random.Philox(seed))

    @property
    def steps(self) -> int:
        """Updates so far."""
        return self._descent.steps

    def policy(self, name: str = "slateq", epsilon: float = 0.0) -> EpsilonSlates:
        """Its slates, explored by chance `epsilon` at each position; 0 is deterministic."""
        chance = only_there(uniform(self.catalog, self.slate_size), self.born, self.layout)
        return EpsilonSlates(name, self.slates, chance, epsilon)

    def slates(self, observation: Observation) -> Items:
        """(n, k) int64, the slates it would show."""
        return self._slates(self.slow_network, observation)

    def scores(self, observation: Observation, items: Items | None = None) -> Floats:
        """Scores whose k highest are the slate that earns most, in reward: for rankings with a temperature.

        Args:
            observation: (n, d) float32.
            items: (n, c) int64, at least k items to score for each user; None scores all.

        Returns:
            (n, m) or (n, c) float64.
        """
        numbers = self._numbers(self.slow_network, observation, items)
        return self.slow_network.click_model.scores(*numbers, self.slate_size)

    def train(
        self, simulator: Simulator, users: int | NDArray[np.int64], *, batch: int = 100, progress: Progress = None
    ) -> SlateQ:
        """Learn from sessions with `users`: `batch` are served at once, then learned from with those before.

        Updates wait for the sessions to end, so that late conversions count for the slates that earned them.

        Args:
            simulator: its running sessions are replaced.
            users: a count n for users 0..n-1, or (n,) user numbers.
            batch: users served between two rounds of updates.
            progress: called with the number of users served so far.

        Raises:
            ValueError: if the simulator's slates have another size, and as in `update`.
        """
        if simulator.slate_size != self.slate_size:
            raise ValueError(
                f"the simulator shows slates of {simulator.slate_size} items, but slate_size is {self.slate_size}; "
                "make both the same."
            )
        self.born = simulator.born
        for start, part in batches(user_numbers(users), batch):
            log = collect(simulator, self.policy(epsilon=self.settings.epsilon), part, batch=batch)
            self._remember(log)
            for _ in range(int(np.ceil(self.settings.replays * len(log) / self.settings.minibatch))):
                self._replay()
            if progress:
                progress(start + len(part))
        return self

    def update(self, seen: Transitions) -> float:
        """Learn from n slates by one step of Adam.

        Returns:
            The loss: surprise at the clicks + squared error of their worth + squared temporal difference (in units of
            `BASE_SCALE`), means over slates.

        Raises:
            ValueError: if the loss or its gradient is not finite, or a slate has several clicks with `choice` "mnl";
                nothing has been learned from these slates then.
        """
        numbers, clicks = self.network(seen.observation, seen.slate), seen.click
        surprise = self.network.click_model.surprise(numbers.appeal, seen.slate >= 0, clicks)
        worth = (torch.square(numbers.worth - seen.reward) * clicks).sum(dim=1)
        after = self.network.base(seen.observation) + (numbers.future * clicks).sum(dim=1)
        difference = (after - self.targets(seen)) / BASE_SCALE
        loss = (surprise + worth + torch.square(difference)).mean()
        self._descent.step(loss)
        return float(loss.detach())

    def targets(self, seen: Transitions) -> torch.Tensor:
        """(n,) discount * Q'(s', A'), 0 where the session has ended."""
        slate = seen.next_slate
        if self.settings.target == "q":
            slate = torch.from_numpy(self._slates(self.network, seen.next_observation.numpy()))
        with torch.no_grad():
            return self.settings.discount * self.slow_network.value(seen.next_observation, slate) * ~seen.ended

    def save(self, path: Path) -> None:
        """Write what acts to `path` (safetensors), whole or not at all. Experience and optimiser are not kept."""
        arrays = network_arrays(self.slow_network)
        if self.born is not None:
            arrays["born"] = self.born
        options = {"slate_size": self.slate_size, "seed": self.seed, **asdict(self.settings)}
        save_arrays(path, "SlateQ", arrays, self.catalog, options)

    @classmethod
    def load(cls, path: Path, catalog: Catalog, layout: Layout) -> SlateQ:
        """What `save` wrote, for the same catalogue.

        Raises:
            FileNotFoundError: if there is no such file.
            ValueError: if the file holds something else, or belongs to another catalogue or layout.
        """
        arrays = load_arrays(path, "SlateQ", catalog)
        agent = cls(catalog, layout, **load_options(path))
        agent.born = arrays.pop("born", None)
        for network in (agent.network, agent.slow_network):
            fill_network(network, arrays, path)
        return agent

    def _remember(self, log: Log) -> None:
        there = self._there(log.observation, log.slate)
        seen = Experience.of(replace(log, slate=np.where(there, log.slate, -1)))
        self._experience = self._experience.followed_by(seen, self.settings.memory) if self._experience else seen

    def _replay(self) -> None:
        assert self._experience is not None
        self.update(self._experience.at(self._generator.integers(len(self._experience), size=self.settings.minibatch)))

    def _slates(self, network: SlateValues, observation: Observation) -> Items:
        numbers = self._numbers(network, observation)
        return network.click_model.slates(*numbers, self.slate_size, self.settings.optimiser)

    def _numbers(
        self, network: SlateValues, observation: Observation, items: Items | None = None
    ) -> tuple[Floats, Floats, Floats]:
        """Appeal in logits and Q(s, i), (n, m) or (n, c) each, and Q(s, none), (n,)."""
        with torch.no_grad():
            seen = torch.tensor(observation)
            numbers = network(seen, None if items is None else torch.tensor(items))
            none = network.base(seen).double().numpy()
        value = none[:, None] + (numbers.worth + numbers.future).double().numpy()
        return numbers.appeal.double().numpy(), np.where(self._there(observation, items), value, _NEVER), none

    def _there(self, observation: Observation, items: Items | None = None) -> NDArray[np.bool_]:
        """(n, c) bool, or of a shape that broadcasts to it: which items (all, if None) have appeared."""
        if self.born is None:
            return np.ones((1, 1), bool)
        born = self.born if items is None else self.born[items]
        return observation[:, self.layout["day"]] >= born
