"""`SlateVectorEnv`: many users in lockstep, as a Gymnasium vector environment."""

from __future__ import annotations

from functools import cached_property
from typing import Any, ClassVar, Unpack

import numpy as np
from gymnasium.spaces import Space
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from recsim.envs.world import (
    Flags,
    Floats,
    Items,
    Observation,
    World,
    action_space,
    begin,
    build_simulator,
    checked_slate,
    observation_space,
)
from recsim.simulator import Step


class SlateVectorEnv(VectorEnv[Observation, Items, NDArray[Any]]):
    """The simulator with n users, one a row: row i has user i, then i + n, i + 2n, …, without an idle step between.

    Actions, rewards and ends are those of `SlateEnv`, a row each. `infos` holds arrays:
        objectives: (n, o) float64, of every row in this step.
        final_obs: (n,) object, in ended rows the last observation (d,) of the old session; None elsewhere.
        final_info: the same for infos, {"objectives": (n, o)}.
    Each name has a mask (n,) bool under "_" + name; the final ones are there only in steps in which a session ended.

    Attributes:
        simulator: the core.
        keeps_final_state: whether `final_state` is kept, which costs a copy of the state at every step.
        final_state: hidden state of all rows at the end of the last step in which a session ended, before renewal.
        last_step: what the last step gave, before renewal; None before it.
    """

    metadata: ClassVar[dict[str, Any]] = {  # type: ignore[misc]
        "render_modes": [],
        "autoreset_mode": AutoresetMode.SAME_STEP,
    }

    def __init__(self, num_envs: int = 1, **world: Unpack[World]) -> None:
        """A world in `num_envs` rows; see `World` for the keyword arguments."""
        if num_envs < 1:
            raise ValueError(f"num_envs is {num_envs}; at least 1 row is needed.")
        self.num_envs = num_envs
        self.simulator = build_simulator(**world)
        self.keeps_final_state, self.final_state = False, None
        self.last_step: Step | None = None
        self.single_observation_space = observation_space(self.simulator)
        self.single_action_space = action_space(self.simulator)
        self._shape = (num_envs, self.simulator.slate_size)

    @cached_property
    def observation_space(self) -> Space[Observation]:  # type: ignore[override]
        """The space of all rows; made when it is first asked for, since it is as large as two observations."""
        return batch_space(self.single_observation_space, self.num_envs)

    @cached_property
    def action_space(self) -> Space[Items]:  # type: ignore[override]
        """The space of the actions of all rows."""
        return batch_space(self.single_action_space, self.num_envs)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """The next user in every row, or users 0..n-1 the first time.

        Args:
            seed: from now on the users of the world with this one seed, from users 0..n-1.
            options: {"user": u} goes to users u..u+n-1 instead.
                {"snapshot": simulator.snapshot()} goes on where that was taken instead.
        """
        super().reset(seed=seed)
        return begin(self.simulator, self.num_envs, seed, options), {}

    def step(self, actions: NDArray[Any]) -> tuple[Observation, Floats, Flags, Flags, dict[str, Any]]:
        """Show every user a slate, (n, k) item numbers. Rows that end go on with their next user.

        Raises:
            RuntimeError: before `reset`.
            ValueError: if a row is no slate of the catalogue; nothing has changed then.
        """
        step = self.simulator.step(checked_slate(actions, self._shape), least=0)
        self.last_step = step
        infos: dict[str, Any] = {"objectives": step.objectives, "_objectives": np.ones(self.num_envs, bool)}
        observation, ended = step.observation, step.terminated | step.truncated
        if ended.any():
            infos |= _final(observation, step.objectives, ended)
            if self.keeps_final_state:
                self.final_state = self.simulator.state
            observation = self.simulator.renew(ended, observation)
        return observation, step.reward, step.terminated, step.truncated, infos


def _final(observation: Observation, objectives: Floats, ended: Flags) -> dict[str, Any]:
    """The infos of rows whose session ended, in Gymnasium's form for `AutoresetMode.SAME_STEP`."""
    final_obs = np.full(len(ended), None, dtype=object)
    final_obs[ended] = np.fromiter(observation[ended], dtype=object)  # an array of rows, not of numbers
    final_info = {"objectives": np.where(ended[:, None], objectives, 0.0), "_objectives": ended.copy()}
    return {"final_obs": final_obs, "_final_obs": ended, "final_info": final_info, "_final_info": ended.copy()}
