"""`SlateWrapper`: wrappers written once, over rows, that fit single and vector environments alike."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, NamedTuple

import gymnasium
import numpy as np
from gymnasium.spaces import Box, MultiDiscrete, Space
from gymnasium.vector import VectorEnv, VectorWrapper
from gymnasium.vector.utils import batch_space
from numpy.typing import ArrayLike, NDArray

from recsim.envs.world import Flags, Observation, action_space
from recsim.simulator import Simulator, rows_of


class View(NamedTuple):
    """What an agent is told of n rows.

    Attributes:
        observation: what it sees, an array or a dict of arrays that lead with the rows.
        memory: what `SlateWrapper.slates` needs in order to understand the next action.
        info: what joins the infos: arrays that lead with the rows, or dicts of such.
    """

    observation: Any
    memory: Any = None
    info: Mapping[str, Any] = {}


class SlateWrapper:
    """A wrapper of `SlateEnv` or `SlateVectorEnv`, whichever it is given, by what it does to rows.

    Subclasses say what actions mean (`slates`) and what the agent sees (`view`) for n rows at once; a single
    environment is one row. Every such class has two twins, `Single` (also a `gymnasium.Wrapper`) and `Vector` (also a
    `gymnasium.vector.VectorWrapper`), and makes an instance of the one that fits.

    Attributes:
        simulator: the core of the wrapped environment.
        sees_state: whether `view` looks at the hidden state, which costs copies of it.
    """

    sees_state: ClassVar[bool] = False
    Single: ClassVar[type[SlateWrapper]]
    Vector: ClassVar[type[SlateWrapper]]
    env: Any

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if not issubclass(cls, gymnasium.Wrapper | VectorWrapper):
            for twin, rows in (("Single", _Single), ("Vector", _Vector)):
                named = {"__module__": cls.__module__, "__qualname__": f"{cls.__qualname__}.{twin}"}
                setattr(cls, twin, type(cls.__name__, (cls, rows), named | {"__doc__": cls.__doc__}))

    def __new__(cls, env: Any = None, *_: Any, **__: Any) -> Any:
        """The twin that fits `env`; copies and pickles, which name the twin, come without one."""
        twin: type = cls
        if not issubclass(cls, gymnasium.Wrapper | VectorWrapper):
            twin = cls.Vector if isinstance(env, VectorEnv) else cls.Single
        return object.__new__(twin)

    def __init__(self, env: Any, *, action: Space[Any] | None = None, observation: Space[Any] | None = None) -> None:
        """Wrap `env`.

        Args:
            env: an environment or vector environment of recsim, wrapped or not.
            action: space of one row's action, where it is no slate.
            observation: space of what is seen of one row, where it differs from the wrapped environment's.

        Raises:
            TypeError: if `env` is none of these, or a wrapper inside it has changed what this one builds on.
        """
        name = type(self).__name__
        self.simulator = simulator_of(env, name)
        seen, taken = row_spaces(env)
        if not isinstance(seen, Box):
            raise TypeError(f"{name} needs rows to look at, but {env} shows a {type(seen).__name__}: put it inside.")
        if action is not None and taken != action_space(self.simulator):
            raise TypeError(f"{name} gives slates, but {env} takes a {type(taken).__name__}: put it inside.")
        super().__init__(env)  # type: ignore[call-arg]
        if self.sees_state and isinstance(env, VectorEnv):
            env.unwrapped.keeps_final_state = True  # type: ignore[attr-defined]
        self._action, self._memory = action, None
        self._set_spaces(action, observation)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        """The wrapped environment's reset, its observation translated."""
        raise NotImplementedError

    def step(self, action: Any) -> tuple[Any, Any, Any, Any, dict[str, Any]]:
        """The wrapped environment's step, its action and observation translated.

        Raises:
            RuntimeError: before `reset`, or as the wrapped environment does.
            ValueError: if the action is not in the action space; the session goes on as if nothing had been shown.
        """
        raise NotImplementedError

    def slates(self, action: NDArray[Any], memory: Any) -> NDArray[Any]:
        """(n, k) item numbers that actions (n, …) within the action space mean."""
        return action

    def view(self, observation: Observation, state: Any) -> View:
        """What the agent is told, given the observations (n, d) and, if it `sees_state`, the state of the same rows."""
        return View(observation)

    def _state(self) -> Any:
        return self.simulator.state if self.sees_state else None

    def _set_spaces(self, action: Space[Any] | None, observation: Space[Any] | None) -> None:
        raise NotImplementedError

    def _shown(self, action: ArrayLike, space: Space[Any]) -> NDArray[Any]:
        """(n, k), the slates of an action in `space`, which is that of all rows."""
        if not self.simulator.n:
            raise RuntimeError("step before reset: there are no users yet. Call reset first.")
        given = np.asarray(action)
        if given.shape != space.shape:
            raise ValueError(f"the action has shape {given.shape}; {type(self).__name__} takes {space.shape}.")
        assert self._action is not None
        rows = given.reshape(-1, *self._action.shape)  # type: ignore[misc]
        _check_range(rows, self._action, type(self).__name__)
        return self.slates(rows, self._memory)


class _Single(SlateWrapper, gymnasium.Wrapper[Any, Any, Any, Any]):
    """One row."""

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        return self._told(*self.env.reset(seed=seed, options=options))

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        slate = action if self._action is None else self._shown(action, self.action_space)[0]
        observation, reward, terminated, truncated, info = self.env.step(slate)
        seen, info = self._told(observation, info)
        return seen, reward, terminated, truncated, info

    def _told(self, observation: Observation, info: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        seen, self._memory, told = self.view(observation[None], self._state())
        return _row(seen, 0), info | _row(told, 0)

    def _set_spaces(self, action: Space[Any] | None, observation: Space[Any] | None) -> None:
        if action is not None:
            self.action_space = action
        if observation is not None:
            self.observation_space = observation


class _Vector(SlateWrapper, VectorWrapper[Any, Any, Any, Any, Any]):
    """A row for each session, ended ones renewed within the step."""

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        return self._told(*self.env.reset(seed=seed, options=options))

    def step(self, actions: Any) -> tuple[Any, Any, Any, Any, dict[str, Any]]:
        slate = actions if self._action is None else self._shown(actions, self.action_space)
        observation, reward, terminated, truncated, infos = self.env.step(slate)
        if "final_obs" in infos:
            self._tell_the_end(infos["final_obs"], infos["final_info"], infos["_final_obs"])
        seen, infos = self._told(observation, infos)
        return seen, reward, terminated, truncated, infos

    def _told(self, observation: Observation, infos: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        seen, self._memory, told = self.view(observation, self._state())
        return seen, infos | _masked(told, np.ones(self.num_envs, bool))

    def _tell_the_end(self, final_obs: NDArray[Any], final_info: dict[str, Any], ended: Flags) -> None:
        """Replace the last observations of ended sessions by what is seen of them, and add to their infos."""
        rows, state = np.flatnonzero(ended), None
        if self.sees_state:
            state = rows_of(self.unwrapped.final_state, rows)  # type: ignore[attr-defined]
        last = self.view(np.stack(final_obs[rows].tolist()), state)
        for place, row in enumerate(rows.tolist()):
            final_obs[row] = _row(last.observation, place)
        final_info |= _masked(last.info, ended)

    def _set_spaces(self, action: Space[Any] | None, observation: Space[Any] | None) -> None:
        if action is not None:
            self.single_action_space, self.action_space = action, batch_space(action, self.num_envs)
        if observation is not None:
            self.single_observation_space = observation
            self.observation_space = batch_space(observation, self.num_envs)


def simulator_of(env: Any, wrapper: str) -> Simulator:
    """The simulator of an environment of recsim, wrapped or not.

    Raises:
        TypeError: if it has none.
    """
    simulator = getattr(getattr(env, "unwrapped", None), "simulator", None)
    if not isinstance(simulator, Simulator):
        raise TypeError(f"{wrapper} wraps SlateEnv or SlateVectorEnv, but {env} is neither.")
    return simulator


def row_spaces(env: Any) -> tuple[Space[Any], Space[Any]]:
    """The spaces of one row's observation and action."""
    if isinstance(env, VectorEnv):
        return env.single_observation_space, env.single_action_space
    return env.observation_space, env.action_space


def _check_range(rows: NDArray[Any], space: Space[Any], name: str) -> None:
    low: NDArray[Any]
    if isinstance(space, Box):
        low, high, kinds, noun, remedy = space.low, space.high, "fiu", "numbers", " (gymnasium's ClipAction clips them)"
    else:
        assert isinstance(space, MultiDiscrete)
        low, high, kinds, noun, remedy = np.zeros_like(space.nvec), space.nvec - 1, "iu", "whole numbers", ""
    if rows.dtype.kind not in kinds:
        raise ValueError(f"the action is an array of {rows.dtype}; {name} takes {noun}.")
    inside = (rows >= low) & (rows <= high)
    if not inside.all():
        row, place = np.argwhere(~inside)[0]
        raise ValueError(
            f"row {row}, place {place} of the action is {rows[row, place]}; {name} takes {noun} from {low[place]} to "
            f"{high[place]}{remedy}."
        )


def _row(values: Any, row: int) -> Any:
    """One row of an array, or of every array of a dict."""
    return {name: _row(part, row) for name, part in values.items()} if isinstance(values, Mapping) else values[row]


def _masked(info: Mapping[str, Any], mask: Flags) -> dict[str, Any]:
    """Infos of the rows of `mask` (n,), spread over n rows, with Gymnasium's masks beside them."""
    out: dict[str, Any] = {}
    for name, values in info.items():
        if isinstance(values, Mapping):
            out[name] = _masked(values, mask)
        else:
            out[name] = np.zeros((len(mask), *values.shape[1:]), values.dtype)
            out[name][mask] = values
        out[f"_{name}"] = mask.copy()
    return out
