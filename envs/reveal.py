"""`Reveal`: the hidden state of the users, for debugging, oracles and privileged critics."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields
from typing import Any, cast

import numpy as np
from gymnasium.spaces import Box
from numpy.typing import NDArray

from recsim.envs.world import ANY, Observation
from recsim.envs.wrapper import SlateWrapper, View, row_spaces, simulator_of
from recsim.streams import Streams


class Reveal(SlateWrapper):
    """`info["hidden"]` holds the hidden state of the current users, after `reset` too: copies of its arrays by name.

    Agents that see it are oracles: nothing of it is in the observation unless asked for.
    """

    sees_state = True

    def __init__(self, env: Any, *, observation: bool = False) -> None:
        """Wrap `env`, single or vector; with `observation`, the flattened state also ends every observation row."""
        self._append, space = observation, None
        if observation:
            simulator = simulator_of(env, "Reveal")
            seen = cast(Box[np.float32], row_spaces(env)[0])
            width = _flat(_hidden(simulator.users.sample(Streams.of(0, 1))).values()).shape[1]
            any_number = np.full(width, ANY, np.float32)
            space = Box(np.concatenate([seen.low, -any_number]), np.concatenate([seen.high, any_number]))
        super().__init__(env, observation=space)

    def view(self, observation: Observation, state: Any) -> View:
        """The observation, with `state` behind it if asked for; the state is in the infos."""
        hidden = _hidden(state)
        if self._append:
            observation = np.concatenate([observation, _flat(hidden.values())], axis=1)
        return View(observation, info={"hidden": hidden})


def _hidden(state: Any) -> dict[str, NDArray[Any]]:
    return {f.name: getattr(state, f.name).copy() for f in fields(state)}


def _flat(arrays: Iterable[NDArray[Any]]) -> Observation:
    """(n, h) float32, the arrays side by side."""
    return np.concatenate([array.reshape(len(array), -1) for array in arrays], axis=1).astype(np.float32)


RevealWrapper = Reveal
