"""A constraint on one objective while Stable-Baselines3 maximises the others: Lagrangian relaxation by dual ascent."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from stable_baselines3.common.callbacks import BaseCallback

from recsim.simulator import Simulator


class AtLeast(BaseCallback):
    """Holds the mean of an objective per session at a least value, by changing its weight in the reward.

    The constrained problem, maximise E[r] subject to E[c] >= least, has the Lagrangian E[r] + multiplier × (E[c] -
    least) (Altman 1999, "Constrained Markov decision processes", chapter 3): the reward with the multiplier as the
    weight of c, which an agent maximises. After every rollout the multiplier follows how far the sessions that ended in
    it fell short of the least value on average (below 0 where they exceeded it):

        sum <- max(0, sum + rate × short)
        multiplier <- max(0, sum + damping × short)

    The sum is dual ascent (Tessler, Mankowitz & Mannor 2019, "Reward constrained policy optimization", equation 10);
    damping keeps agent and multiplier from circling around the solution (Stooke, Achiam & Abbeel 2020, "Responsive
    safety in reinforcement learning by PID Lagrangian methods", section 4). The multiplier ends at 0 where the
    constraint costs nothing. It comes on top of the weight that the objective has in the reward, which is 0 where it
    only is a constraint. TensorBoard shows `constraint/multiplier` and `constraint/mean`.

    Attributes:
        multiplier: from 0 up.
        history: (sessions, mean of c in them, multiplier after them) of every rollout.
    """

    def __init__(self, objective: str, least: float, *, rate: float = 0.05, damping: float = 1.0) -> None:
        """A constraint for one training, in an environment of `recsim.envs.SlateVecEnv`.

        Args:
            objective: its name.
            least: what its mean per session must reach.
            rate: of dual ascent, above 0.
            damping: from 0 up; 0 is plain dual ascent.

        Raises:
            ValueError: if a number is out of its range.
        """
        super().__init__()
        if not (np.isfinite([least, rate, damping]).all() and rate > 0 and damping >= 0):
            raise ValueError(
                f"least is {least}, rate {rate}, damping {damping}; rate is above 0 and damping from 0 up."
            )
        self.objective, self.least, self.rate, self.damping = objective, least, rate, damping
        self.multiplier, self._sum = 0.0, 0.0
        self.history: list[tuple[int, float, float]] = []
        self._totals: NDArray[np.float64] | None = None

    def state(self) -> dict[str, Any]:
        """What a checkpoint keeps: numbers and lists of numbers."""
        assert self._totals is not None
        history = [list(row) for row in self.history]
        numbers = {"multiplier": self.multiplier, "sum": self._sum}
        return {**numbers, "history": history, "totals": self._totals.tolist()}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from what `state` gave."""
        self.multiplier, self._sum, self._totals = state["multiplier"], state["sum"], np.array(state["totals"])
        self.history = [(int(sessions), mean, multiplier) for sessions, mean, multiplier in state["history"]]

    def _on_training_start(self) -> None:
        """Find the objective, and let its weight count."""
        self._simulator: Simulator = self.training_env.get_attr("simulator")[0]
        names = self._simulator.objectives.names
        if self.objective not in names:
            raise ValueError(f"there is no objective {self.objective!r}; the objectives are {', '.join(names)}.")
        self._own = self._simulator.objectives
        self._column = names.index(self.objective)
        if self._totals is None:
            self._totals = np.zeros(self.training_env.num_envs)
        self._weigh()

    def _on_rollout_start(self) -> None:
        self._finished: list[float] = []

    def _on_step(self) -> bool:
        assert self._totals is not None
        self._totals += self.training_env.get_attr("objectives")[0][:, self._column]
        ended = self.locals["dones"]
        self._finished += self._totals[ended].tolist()
        self._totals[ended] = 0.0
        return True

    def _on_rollout_end(self) -> None:
        """Dual ascent, where a session ended since the last time."""
        if not self._finished:
            return
        mean = float(np.mean(self._finished))
        short = self.least - mean
        self._sum = max(0.0, self._sum + self.rate * short)
        self.multiplier = max(0.0, self._sum + self.damping * short)
        self.history.append((len(self._finished), mean, self.multiplier))
        self.logger.record("constraint/mean", mean)
        self.logger.record("constraint/multiplier", self.multiplier)
        self._weigh()

    def _on_training_end(self) -> None:
        """Leave the environment as it was."""
        self._simulator.objectives, self._totals = self._own, None

    def _weigh(self) -> None:
        weight = getattr(self._own, self.objective) + self.multiplier
        self._simulator.objectives = replace(self._own, **{self.objective: weight})
