"""A guard that ends a training by Stable-Baselines3 in the first update in which a number is not finite."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from stable_baselines3.common.callbacks import BaseCallback


class Diverged(ArithmeticError):
    """Training met a number that is not finite; the message says where, and where the last good checkpoint is."""


class FiniteGuard(BaseCallback):
    """Looks at observations and rewards after every step, and at losses and parameters after every update.

    It comes before `Evaluation` and `Checkpoints` in a list of callbacks: nothing is measured or saved of a policy that
    has diverged, and the last checkpoint is a good one. The model's own log is read before others empty it.
    """

    def __init__(self, last_good: Callable[[], Path | None] = lambda: None) -> None:
        """A guard; `last_good` tells the path of the last checkpoint, if there is one."""
        super().__init__()
        self._last_good = last_good

    def _on_rollout_start(self) -> None:
        """After an update."""
        self._check_update()

    def _on_step(self) -> bool:
        for name, values in (("observation", self.locals["new_obs"]), ("reward", self.locals["rewards"])):
            for place, part in values.items() if isinstance(values, Mapping) else ((None, values),):
                wrong = ~np.isfinite(part)
                if wrong.any():
                    row = int(np.argwhere(wrong)[0][0])
                    where = f"the {name} of row {row}" if place is None else f"{place!r} in the {name} of row {row}"
                    self._stop(where, float(np.asarray(part)[wrong][0]))
        return True

    def _on_training_end(self) -> None:
        """After the last update, which no rollout follows."""
        self._check_update()

    def _check_update(self) -> None:
        for where, value in self._after_update():
            if not np.isfinite(value):
                self._stop(where, value)

    def _after_update(self) -> Iterator[tuple[str, float]]:
        """What may have diverged, losses first since they diverge first."""
        for name, value in self.logger.name_to_value.items():
            if name.startswith("train/") and name.endswith("loss"):
                yield f"the loss {name.removeprefix('train/')}", float(value)
        for name, parameter in self.model.policy.named_parameters():
            finite = torch.isfinite(parameter)
            if not finite.all():
                yield f"the parameter {name}", float(parameter.detach()[~finite][0])

    def _stop(self, where: str, value: Any) -> None:
        path = self._last_good()
        kept = f"the last good checkpoint is {path}" if path else "there is no checkpoint yet"
        raise Diverged(
            f"training diverged at slate {self.num_timesteps:,}: {where} is {value}; {kept}. "
            "Lower learning_rate, or look at what the environment gives."
        )
