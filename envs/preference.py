"""`Preference`: sessions that differ in what counts, so that one agent learns all trade-offs between objectives."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from recsim.envs.world import ObservationSpace
from recsim.envs.wrapper import SlateWrapper, row_spaces, simulator_of
from recsim.preference import checked_preference, drawn_preferences, with_preferences
from recsim.scalarize import Utility, gain, linear
from recsim.streams import Streams

Floats = NDArray[np.float64]


class Preference(SlateWrapper):
    """Each session has a preference, weights (o,) that sum to 1: its observations end with it, its rewards follow it.

    The reward of a step is what it adds to the utility of the session's totals so far, under the preference; the
    weights of the wrapped environment's own reward do not matter. An agent that sees the preference thus learns a
    policy for each (Abels et al. 2019, "Dynamic weights in multi-objective deep reinforcement learning");
    `recsim.preference.Conditioned` holds it to one.

    Preferences are drawn from a symmetric Dirichlet distribution by the streams of the users: a session of a seed
    always has the same one. Under a utility that is not linear, what a step adds depends on totals of which an
    observation tells only a part.

    Attributes:
        layout: where features stand in an observation, the preference last.
        preferences: (n, o) float64, of the sessions of all rows, or None before `reset`.
    """

    def __init__(
        self,
        env: Any,
        weights: ArrayLike | None = None,
        *,
        concentration: float = 1.0,
        unit: ArrayLike | None = None,
        utility: Utility = linear,
    ) -> None:
        """Wrap `env`, single or vector.

        Args:
            env: an environment of recsim whose observations have a layout.
            weights: (o,) the preference of all sessions; by default each has its own. `reset(options={"preference":
                weights})` says the same from then on, and None there lets them be drawn again.
            concentration: of the Dirichlet distribution: 1 draws all preferences equally often, below it one-sided ones
                more often, above it even ones.
            unit: (o,) how much of each objective counts as 1 before it is weighted; by default 1.
            utility: of totals in these units, see `recsim.scalarize`.

        Raises:
            TypeError: if `env` is no environment of recsim, or shows something without a layout.
            ValueError: if `weights`, `concentration` or `unit` make no sense.
        """
        seen, size = row_spaces(env)[0], len(simulator_of(env, "Preference").objectives.names)
        if not isinstance(seen, ObservationSpace):
            raise TypeError(f"Preference needs observations with a layout, which {env} lacks: put it inside.")
        self.layout = seen.layout.with_preference(size)
        low, high = np.zeros(size, np.float32), np.ones(size, np.float32)
        both = np.concatenate([seen.low, low]), np.concatenate([seen.high, high])
        super().__init__(env, observation=ObservationSpace(*both, seen.catalog, self.layout))
        self._given = None if weights is None else checked_preference(weights, size)
        self._unit = _checked_unit(unit, size)
        drawn_preferences(Streams.of(0, 1), size, concentration)  # refuses a concentration that makes no sense
        self._concentration, self._utility = concentration, utility
        self.preferences: Floats | None = None

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        """The wrapped environment's reset, with its options and one more.

        Args:
            seed: as there.
            options: as there; {"preference": weights} fixes the preference, {"preference": None} lets it be drawn.
                After a "snapshot", totals are counted from there.
        """
        told = dict(options or {})
        if "preference" in told:
            given = told.pop("preference")
            self._given = None if given is None else checked_preference(given, self._unit.size)
        observation, info = super().reset(seed=seed, options=told)
        self.preferences = self._of_sessions()
        self._totals = np.zeros_like(self.preferences)
        return _joined(observation, self.preferences), info

    def step(self, action: Any) -> tuple[Any, Any, Any, Any, dict[str, Any]]:
        """The wrapped environment's step, rewarded by the preference; `info["reward"]` holds its own reward."""
        observation, reward, terminated, truncated, info = super().step(action)
        assert self.preferences is not None
        objectives = np.atleast_2d(info["objectives"]) / self._unit
        gained = gain(self._utility, self._totals, objectives, self.preferences)
        ended = np.atleast_1d(terminated | truncated)
        self._totals = np.where(ended[:, None], 0.0, self._totals + objectives)
        info["reward"] = reward
        if isinstance(reward, np.ndarray):
            info["_reward"] = np.ones(len(reward), bool)
            for row in np.flatnonzero(ended):
                info["final_obs"][row] = _joined(info["final_obs"][row], self.preferences[row : row + 1])
            self.preferences = self._of_sessions()
        own = gained if isinstance(reward, np.ndarray) else float(gained[0])
        return _joined(observation, self.preferences), own, terminated, truncated, info

    def _of_sessions(self) -> Floats:
        """(n, o), the preferences of the sessions that are going on."""
        if self._given is not None:
            return np.tile(self._given, (self.simulator.n, 1))
        return drawn_preferences(self.simulator.streams, self._unit.size, self._concentration)


def _joined(observation: NDArray[np.float32], preferences: Floats) -> NDArray[np.float32]:
    """One row (d,) or rows (n, d) with their preferences (n, o) at the end."""
    joined = with_preferences(np.atleast_2d(observation), preferences)
    return joined if observation.ndim == 2 else joined[0]


def _checked_unit(unit: ArrayLike | None, size: int) -> Floats:
    given = np.ones(size) if unit is None else np.asarray(unit, np.float64)
    if given.shape != (size,) or not np.isfinite(given).all() or not (given > 0).all():
        raise ValueError(f"unit is {given.tolist()}; it is a number above 0 for each of the {size} objectives.")
    return given
