"""`SlateVecEnv`: many users in lockstep, as a Stable-Baselines3 vector environment."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Unpack

import numpy as np
from gymnasium.vector import VectorEnv
from numpy.typing import NDArray
from stable_baselines3.common.vec_env.base_vec_env import VecEnv, VecEnvIndices

from recsim.envs.vector import SlateVectorEnv
from recsim.envs.world import Flags, Floats, World
from recsim.envs.wrapper import simulator_of


class SlateVecEnv(VecEnv):
    """`SlateVectorEnv`, wrapped or not, in Stable-Baselines3's form.

    The infos, a dict for each row, are empty but for rows whose session ended: those hold `terminal_observation`, that
    row's last one, and `TimeLimit.truncated`. What the vector environment tells of the last step or reset is an
    attribute instead.

    Attributes:
        env: the vector environment.
        simulator: the core.
        infos: infos of the last step or reset, as the vector environment gives them.
        objectives: (n, o) float64, objectives of the last step; zeros after `reset`.
    """

    def __init__(self, envs: int | VectorEnv[Any, Any, Any] = 1, **world: Unpack[World]) -> None:
        """A world in so many rows, or a vector environment.

        Args:
            envs: the number of rows, or a `SlateVectorEnv` in any wrappers, such as `ProtoAction`.
            **world: see `World`; only with a number of rows.

        Raises:
            TypeError: if there is a world beside an environment, or the environment is no vector environment of recsim.
        """
        if isinstance(envs, VectorEnv) and world:
            raise TypeError(f"{next(iter(world))!r} is given beside a vector environment, which has its world already.")
        self.env = SlateVectorEnv(int(envs), **world) if isinstance(envs, int | np.integer) else envs
        if not isinstance(self.env, VectorEnv):
            raise TypeError(f"SlateVecEnv takes a number of rows or a vector environment, but got {envs}.")
        self.simulator = simulator_of(self.env, "SlateVecEnv")
        self.render_mode: str | None = None
        super().__init__(self.env.num_envs, self.env.single_observation_space, self.env.single_action_space)
        self.infos: dict[str, Any] = {}
        self.objectives = np.zeros((self.num_envs, len(self.simulator.objectives.names)))
        self._actions: NDArray[Any] | None = None

    def seed(self, seed: int | None = None) -> Sequence[int | None]:
        """Let the next `reset` begin the world with this one seed for all rows; without a number, with a random one."""
        chosen = int(np.random.SeedSequence().generate_state(1)[0]) if seed is None else seed
        self._seeds = [chosen] * self.num_envs
        return self._seeds

    def reset(self) -> Any:
        """The next user in every row, or users 0..n-1 the first time. See `SlateVectorEnv.reset`.

        `seed` and `set_options` ({"user": u}, the same for all rows) take effect here, once.
        """
        seed, options = self._seeds[0], self._options[0]
        self._reset_seeds()
        self._reset_options()
        self.objectives = np.zeros_like(self.objectives)
        observation, self.infos = self.env.reset(seed=seed, options=options)
        return observation

    def step_async(self, actions: NDArray[Any]) -> None:
        """Take the actions, (n, k) slates or what a wrapper makes of them, that `step_wait` shows."""
        self._actions = actions

    def step_wait(self) -> tuple[Any, Floats, Flags, list[dict[str, Any]]]:
        """Show every user the slate. Rows that end go on with their next user. Errors as in `SlateVectorEnv.step`."""
        if self._actions is None:
            raise RuntimeError("step_wait before step_async: there are no actions to take.")
        actions, self._actions = self._actions, None
        observation, reward, terminated, truncated, self.infos = self.env.step(actions)
        self.objectives = self.infos["objectives"]
        ended = terminated | truncated
        infos: list[dict[str, Any]] = [{} for _ in range(self.num_envs)]
        for row in np.flatnonzero(ended).tolist():
            last = self.infos["final_obs"][row]
            infos[row] = {"terminal_observation": last, "TimeLimit.truncated": bool(truncated[row])}
        return observation, reward, ended, infos

    @property
    def position_reward(self) -> Floats:
        """(n, k) float64, what each position of the last slates added to the last rewards; late conversions nothing.

        Raises:
            RuntimeError: before the first step.
        """
        simulator, vector = self.simulator, self.env.unwrapped
        assert isinstance(vector, SlateVectorEnv)
        step = vector.last_step
        if step is None:
            raise RuntimeError("position_reward before step: nothing has been earned yet. Call reset and step first.")
        response = step.response
        prompt = response.conversion if response.delay is None else response.conversion & (response.delay == 0)
        worth = simulator.objectives.per_position(response.click, prompt, step.slate, simulator.catalog)
        rewards: Floats = worth @ simulator.objectives.weights
        return rewards

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
