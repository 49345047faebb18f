"""`SlateVecEnv`: many users in lockstep, as a Stable-Baselines3 vector environment."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Unpack

import numpy as np
from numpy.typing import NDArray
from stable_baselines3.common.vec_env.base_vec_env import VecEnv, VecEnvIndices

from recsim.envs.world import Observation, World, action_space, begin, build_simulator, checked_slate, observation_space

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


class SlateVecEnv(VecEnv):
    """The simulator with n users, one a row, the same as `SlateVectorEnv` in Stable-Baselines3's form.

    The infos, a dict for each row, are empty but for rows whose session ended: those hold `terminal_observation` (d,)
    and `TimeLimit.truncated`. The objectives of the last step are an array instead: the attribute `objectives`.

    Attributes:
        simulator: the core.
        objectives: (n, o) float64, objectives of the last step; zeros after `reset`.
    """

    def __init__(self, num_envs: int = 1, **world: Unpack[World]) -> None:
        """A world in `num_envs` rows; see `World` for the keyword arguments."""
        if num_envs < 1:
            raise ValueError(f"num_envs is {num_envs}; at least 1 row is needed.")
        self.simulator = build_simulator(**world)
        self.render_mode: str | None = None
        super().__init__(num_envs, observation_space(self.simulator), action_space(self.simulator))
        self.objectives = np.zeros((num_envs, len(self.simulator.objectives.names)))
        self._actions: NDArray[Any] | None = None

    def seed(self, seed: int | None = None) -> Sequence[int | None]:
        """Let the next `reset` begin the world with this one seed for all rows; without a number, with a random one."""
        chosen = int(np.random.SeedSequence().generate_state(1)[0]) if seed is None else seed
        self._seeds = [chosen] * self.num_envs
        return self._seeds

    def reset(self) -> Observation:
        """The next user in every row, or users 0..n-1 the first time: (n, d). See `SlateVectorEnv.reset`.

        `seed` and `set_options` ({"user": u}, the same for all rows) take effect here, once.
        """
        seed, options = self._seeds[0], self._options[0]
        self._reset_seeds()
        self._reset_options()
        self.objectives = np.zeros_like(self.objectives)
        return begin(self.simulator, self.num_envs, seed, options)

    def step_async(self, actions: NDArray[Any]) -> None:
        """Take the slates (n, k) that `step_wait` shows."""
        self._actions = actions

    def step_wait(self) -> tuple[Observation, Floats, Flags, list[dict[str, Any]]]:
        """Show every user the slate. Rows that end go on with their next user. Errors as in `SlateVectorEnv.step`."""
        if self._actions is None:
            raise RuntimeError("step_wait before step_async: there are no actions to take.")
        actions, self._actions = self._actions, None
        shape = (self.num_envs, self.simulator.slate_size)
        step = self.simulator.step(checked_slate(self.simulator, actions, shape))
        self.objectives = step.objectives
        infos: list[dict[str, Any]] = [{} for _ in range(self.num_envs)]
        observation, ended = step.observation, step.terminated | step.truncated
        if ended.any():
            for row, last in zip(np.flatnonzero(ended).tolist(), observation[ended], strict=True):
                infos[row] = {"terminal_observation": last, "TimeLimit.truncated": bool(step.truncated[row])}
            observation = self.simulator.renew(ended, observation)
        return observation, step.reward, ended, infos

    def close(self) -> None:
        """Nothing to release."""

    def get_attr(self, attr_name: str, indices: VecEnvIndices = None) -> list[Any]:
        """The attribute of this environment, once for each row asked for: rows share one simulator."""
        return [getattr(self, attr_name) for _ in self._get_indices(indices)]

    def set_attr(self, attr_name: str, value: Any, indices: VecEnvIndices = None) -> None:
        """Set an attribute for all rows.

        Raises:
            ValueError: if only some rows are asked for.
        """
        if indices is not None:
            raise ValueError(f"{attr_name!r} cannot be set for some rows only: the rows share one simulator.")
        setattr(self, attr_name, value)

    def env_method(
        self, method_name: str, *method_args: Any, indices: VecEnvIndices = None, **method_kwargs: Any
    ) -> list[Any]:
        """Rows are not environments of their own and have no methods.

        Raises:
            AttributeError: always.
        """
        raise AttributeError(
            f"rows of SlateVecEnv have no method {method_name!r}: they share one simulator. Use its attributes."
        )

    def env_is_wrapped(self, wrapper_class: type[Any], indices: VecEnvIndices = None) -> list[bool]:
        """False for each row asked for: rows cannot be wrapped one by one."""
        return [False for _ in self._get_indices(indices)]
