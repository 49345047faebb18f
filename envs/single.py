"""`SlateEnv`: one user at a time, as a Gymnasium environment."""

from __future__ import annotations

from typing import Any, ClassVar, Unpack

import gymnasium
import numpy as np
from numpy.typing import NDArray

from recsim.envs.scene import as_text, print_text, scene
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
from recsim.simulator import Step


class SlateEnv(gymnasium.Env[Observation, Items]):
    """The simulator with one user: each episode is a session of the next user, 0, 1, 2, …

    With `sessions` above 1, the same user comes first where the model says that the user comes back.

    An action is a slate of k item numbers; a repeated item is shown once, at its first position, and the freed position
    stays empty. The reward is the weighted sum of the objectives, which `info["objectives"]` holds as an array (o,). A
    user who leaves terminates the episode; the horizon truncates it.

    `render` shows the last slate and the user's hidden state, which is for people and reaches no policy.
    """

    metadata: ClassVar[dict[str, Any]] = {"render_modes": ["human", "ansi", "rgb_array"], "render_fps": 1}  # type: ignore[misc]

    def __init__(self, *, render_mode: str | None = None, **world: Unpack[World]) -> None:
        """An environment of the given world; see `World` for the keyword arguments.

        Args:
            render_mode: what `render` gives: "rgb_array" a picture, "ansi" a text; with "human" every `reset` and
                `step` prints the text.
            world: see `World`.

        Raises:
            ValueError: if there is no such render mode, or the world makes no sense.
        """
        if render_mode not in (None, *self.metadata["render_modes"]):
            modes = ", ".join(self.metadata["render_modes"])
            raise ValueError(f"there is no render mode {render_mode!r}; the render modes are {modes}.")
        self.render_mode = render_mode
        self._last: Step | None = None
        self._earned = 0.0
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
                {"snapshot": simulator.snapshot()} goes on where that was taken instead.
        """
        super().reset(seed=seed)
        observation = begin(self.simulator, 1, seed, options)[0]
        if self.render_mode is not None:
            self._show(None)
        return observation, {}

    def step(self, action: NDArray[Any]) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Show the user a slate, (k,) item numbers.

        Raises:
            RuntimeError: before `reset` or after the session has ended.
            ValueError: if the action is no slate of the catalogue; the session goes on as if nothing had been shown.
        """
        simulator = self.simulator
        slate = checked_slate(action, self._shape)
        if simulator.n and simulator.ended[0]:
            raise RuntimeError("step after the end: this session is over. Call reset for the next user.")
        step = simulator.step(slate[None], least=0)
        if self.render_mode is not None:
            self._show(step)
        info = {"objectives": step.objectives[0]}
        return step.observation[0], float(step.reward[0]), bool(step.terminated[0]), bool(step.truncated[0]), info

    def render(self) -> NDArray[np.uint8] | str | None:
        """The last slate and what the user made of it: a picture (h, w, 3), a text, or, with "human", nothing.

        Raises:
            RuntimeError: before `reset`.
        """
        if self.render_mode is None:
            gymnasium.logger.warn('render without a render mode: make the environment with render_mode="rgb_array".')
            return None
        if not self.simulator.n:
            raise RuntimeError("render before reset: there is no user yet. Call reset first.")
        if self.render_mode == "human":
            return None
        shown = scene(self.simulator, self._last, self._earned)
        if self.render_mode == "ansi":
            return as_text(shown)
        from recsim.envs.render import as_picture  # loads Pillow, which nothing else here needs

        return as_picture(shown)

    def _show(self, step: Step | None) -> None:
        """Keep what the next frame shows, and print it if the render mode is "human"."""
        self._last, self._earned = step, 0.0 if step is None else self._earned + float(step.reward[0])
        if self.render_mode == "human":
            print_text(as_text(scene(self.simulator, step, self._earned)))
