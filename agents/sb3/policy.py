"""`SB3Policy`: a model of Stable-Baselines3 or sb3-contrib as a policy with exact propensities."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from gymnasium.spaces import Box, MultiDiscrete, Space
from numpy.typing import NDArray
from stable_baselines3.common.policies import BasePolicy

from recsim.agents.sb3.files import load_network
from recsim.agents.sb3.memory import SessionMemory, States
from recsim.catalog import Catalog
from recsim.observation import Layout
from recsim.policy import Decision, certain_log_prob
from recsim.slate_actions import FusedSlates, ProtoSlates, SlateAction
from recsim.slates import shown_once
from recsim.streams import Streams

Floats = NDArray[np.float64]
Items = NDArray[np.int64]
Observation = NDArray[np.float32]

ACTIONS = ("slate", "proto", "fusion_weights")


class SB3Policy:
    """Shows what a model trained on an environment of recsim would have shown there.

    What its actions are:
        slate: k item numbers, each drawn from a distribution of its own (`MultiDiscrete`). A repeated item is shown
            once, and the freed position stays empty (-1), as in the environment. Propensities are exact: position j
            shows item i with p_j(i), and stays empty with the sum of p_j over the items above.
        proto: a point of the taste space, as in `ProtoAction`.
        fusion_weights: weights of the modalities, as in `FusionWeights`.
    Actions of the last two kinds are drawn from a Gaussian in training, which gives slates probabilities without a
    closed form. Only its mode is served, whose slate is certain.

    A recurrent model (`RecurrentPPO`) remembers the session that it is in: its slate depends on all observations since
    the first, and so do its propensities. It must act at every step of a session, and `log_prob`, which is given a
    single observation, refuses: off-policy estimators that ask for it cannot judge it. What `act` says of its
    own slates is exact.

    Worlds in which items appear over time leave the positions of items that are not there yet empty.
    """

    def __init__(
        self,
        name: str,
        network: BasePolicy,
        action: str,
        catalog: Catalog,
        layout: Layout,
        slate_size: int,
        *,
        deterministic: bool | None = None,
        sessions: int = 100_000,
    ) -> None:
        """A policy around a network.

        Args:
            name: what logs and reports call it.
            network: the `policy` of a model.
            action: one of `ACTIONS`.
            catalog: the items.
            layout: where features stand in an observation.
            slate_size: k.
            deterministic: whether the likeliest action is shown or one is drawn; by default slates are drawn.
            sessions: how many sessions a recurrent model remembers.

        Raises:
            ValueError: if there is no such kind of action, it cannot be drawn, or the network has another one.
        """
        self._meaning, spaces = _meaning(action, catalog, layout, slate_size)
        if self._meaning is not None and deterministic is False:
            raise ValueError(
                f"slates of actions {action!r} have no probability in closed form; leave out deterministic=False."
            )
        found = (network.observation_space.shape, network.action_space)
        if found != (spaces[0].shape, spaces[1]):
            raise ValueError(
                f"the network takes observations {found[0]} and acts in {found[1]}; here {spaces[0].shape} and "
                f"{spaces[1]} are needed."
            )
        network.set_training_mode(False)
        self.name, self.slate_size, self._network, self._catalog = name, slate_size, network, catalog
        self.deterministic = self._meaning is not None if deterministic is None else deterministic
        lstm = getattr(network, "lstm_actor", None)
        self._memory = None if lstm is None else SessionMemory(lstm.num_layers, lstm.hidden_size, sessions)

    @classmethod
    def load(
        cls,
        path: Path,
        catalog: Catalog,
        layout: Layout,
        *,
        algorithm: str,
        action: str,
        slate_size: int,
        name: str | None = None,
        deterministic: bool | None = None,
        policy_kwargs: Mapping[str, Any] | None = None,
        trust: bool = False,
    ) -> SB3Policy:
        """The policy of a model that `model.save` or `save_sb3` wrote. Only tensors and JSON are read of it.

        Args:
            path: the zip file.
            catalog: the items.
            layout: where features stand in an observation.
            algorithm: "ppo", "sac" or "recurrent_ppo", with its stock policy for rows of numbers.
            action: one of `ACTIONS`.
            slate_size: k.
            name: what logs and reports call it; by default the algorithm.
            deterministic: see the class.
            policy_kwargs: those of the training, where the file has them pickled (as it has any class in them).
            trust: let SB3 unpickle what is in the file, which runs code that the file brings along.

        Raises:
            FileNotFoundError: if there is no such file.
            ValueError: if it holds no such model, or belongs to another catalogue.
        """
        spaces = _meaning(action, catalog, layout, slate_size)[1]
        network = load_network(path, algorithm, action, catalog, spaces, policy_kwargs=policy_kwargs, trust=trust)
        return cls(name or algorithm, network, action, catalog, layout, slate_size, deterministic=deterministic)

    def act(self, observation: Observation, streams: Streams) -> Decision:
        """Slates (n, k) and their log-propensities.

        Raises:
            ValueError: if the model is recurrent and has not acted at the step before.
        """
        before = self._memory.recall(streams) if self._memory else None
        action, after = self._outputs(observation, before)
        if self._memory and before and after:
            self._memory.keep(streams, before, after)
        if self.deterministic:
            slate = self._certain(action, observation)
            return Decision(slate, np.zeros(slate.shape))
        below = np.cumsum(np.exp(action), axis=2) < streams.uniform("policy", self.slate_size)[:, :, None]
        slate = self._shown(np.minimum(below.sum(axis=2), len(self._catalog) - 1))
        return Decision(slate, independent_log_prob(action, slate))

    def step_log_prob(self, observation: Observation, slate: Items) -> Floats:
        """(n, k) float64, log-probability of each item of `slate`, or of the empty position, given those above it.

        Raises:
            TypeError: if the model is recurrent.
            ValueError: if an item does not exist.
        """
        if self._memory:
            raise TypeError(
                f"{self.name!r} is recurrent: what it shows depends on the whole session, not on one observation. "
                "The decision of act has its propensities."
            )
        action, shown = self._outputs(observation, None)[0], self._shown(slate)
        if self.deterministic:
            return certain_log_prob(self._certain(action, observation), slate)
        return np.where(shown == slate, independent_log_prob(action, shown), -np.inf)

    def log_prob(self, observation: Observation, slate: Items) -> Floats:
        """(n,) float64, joint log-probability; errors as in `step_log_prob`."""
        total: Floats = self.step_log_prob(observation, slate).sum(axis=1)
        return total

    def _outputs(self, observation: Observation, states: States | None) -> tuple[NDArray[Any], States | None]:
        """Modes of continuous actions (n, D) or log-probabilities of items (n, k, m), and the states after them."""
        if self._meaning is not None:
            action, after = self._network.predict(observation, states, deterministic=True)
            return action, after  # type: ignore[return-value]
        rows, network = torch.tensor(observation), self._network
        with torch.no_grad():
            if states is None:
                distribution, after = network.get_distribution(rows), None  # type: ignore[operator]
            else:
                start = torch.zeros(len(observation))
                given = tuple(map(torch.from_numpy, states))
                distribution, hidden = network.get_distribution(rows, given, start)  # type: ignore[operator]
                after = hidden[0].numpy(), hidden[1].numpy()
            logits = torch.stack([part.logits for part in distribution.distribution], dim=1)
            return logits.double().log_softmax(dim=2).numpy(), after

    def _certain(self, action: NDArray[Any], observation: Observation) -> Items:
        if self._meaning is not None:
            return self._meaning.slates(action, observation)
        return self._shown(action.argmax(axis=2))

    def _shown(self, slate: Items) -> Items:
        return shown_once(slate, len(slate), self.slate_size, self._catalog)


def independent_log_prob(log_prob: Floats, slate: Items) -> Floats:
    """Log-probability of each position of a slate whose items are drawn independently and shown once.

    Position j shows item i with p_j(i), if it is not above, and stays empty with the sum of p_j over the items above.

    Args:
        log_prob: (n, k, m) float64, log p_j(i).
        slate: (n, k) int64 without repeats, -1 an empty position.

    Returns:
        (n, k) float64.

    >>> p = np.log([[[0.5, 0.5], [0.25, 0.75]]])
    >>> np.exp(independent_log_prob(p, np.array([[1, -1]]))).round(6).tolist()  # 1/2; then item 1 again: 3/4
    [[0.5, 0.75]]
    """
    k, item = slate.shape[1], np.maximum(slate, 0)
    at = np.take_along_axis(log_prob, np.broadcast_to(item[:, None], (*slate.shape, k)), axis=2)  # (n, j, position)
    above = np.tril(np.ones((k, k), bool), -1) & (slate >= 0)[:, None]
    with np.errstate(divide="ignore"):
        again = np.log(np.where(above, np.exp(at), 0.0).sum(axis=2))
    return np.where(slate >= 0, np.diagonal(at, axis1=1, axis2=2), again)


def _meaning(
    action: str, catalog: Catalog, layout: Layout, slate_size: int
) -> tuple[SlateAction | None, tuple[Space[Any], Space[Any]]]:
    """What actions mean, None for slates as they are, and the spaces of observations and actions."""
    if action not in ACTIONS:
        raise ValueError(f"there are no actions {action!r}; there are {', '.join(ACTIONS)}.")
    seen = Box(-np.inf, np.inf, (layout.size,), np.float32)
    if action == "slate":
        return None, (seen, MultiDiscrete(np.full(slate_size, len(catalog), np.int64)))
    meaning: SlateAction = (
        ProtoSlates(catalog, slate_size) if action == "proto" else FusedSlates(catalog, layout, slate_size)
    )
    return meaning, (seen, Box(-1.0, 1.0, (meaning.size,), np.float32))
