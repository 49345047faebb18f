"""`SlateEnv`: one user at a time, as a Gymnasium environment."""

from __future__ import annotations

from typing import Any, ClassVar, Unpack

import gymnasium
from numpy.typing import NDArray

from recsim.envs.world import (
    Items,
    Observation,
    World,
    action_space,
    begin,
    build_simulator,
    checked_slate,
    observation_space,
)


class SlateEnv(gymnasium.Env[Observation, Items]):
    """The simulator with one user: each episode is a session of the next user, 0, 1, 2, …

    An action is a slate of k item numbers; a repeated item is shown once, at its first position, and the freed position
    stays empty. The reward is the weighted sum of the objectives, which `info["objectives"]` holds as an array (o,). A
    user who leaves terminates the episode; the horizon truncates it.
    """

    metadata: ClassVar[dict[str, Any]] = {"render_modes": []}  # type: ignore[misc]

    def __init__(self, **world: Unpack[World]) -> None:
        """An environment of the given world; see `World` for the keyword arguments."""
        self.simulator = build_simulator(**world)
        self.observation_space = observation_space(self.simulator)
        self.action_space = action_space(self.simulator)
        self._shape = (self.simulator.slate_size,)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """The next user, or user 0 the first time.

        Args:
            seed: from now on the users of the world with this seed, from user 0.
            options: {"user": u} goes to user u instead; then come u + 1, u + 2, …
        """
        super().reset(seed=seed)
        return begin(self.simulator, 1, seed, options)[0], {}

    def step(self, action: NDArray[Any]) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Show the user a slate, (k,) item numbers.

        Raises:
            RuntimeError: before `reset` or after the session has ended.
            ValueError: if the action is no slate of the catalogue; the session goes on as if nothing had been shown.
        """
        simulator = self.simulator
        slate = checked_slate(simulator, action, self._shape)
        if simulator.n and simulator.ended[0]:
            raise RuntimeError("step after the end: this session is over. Call reset for the next user.")
        step = simulator.step(slate[None])
        info = {"objectives": step.objectives[0]}
        return step.observation[0], float(step.reward[0]), bool(step.terminated[0]), bool(step.truncated[0]), info
