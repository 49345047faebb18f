"""One target policy on one log: everything that estimators may ask for, made when it is first asked for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recsim.ope.evaluation.inputs import Inputs
from recsim.ope.fqe import FittedQ
from recsim.ope.slate import prefix_weight
from recsim.ope.visitation import Visits

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

NEEDS = {
    "model": "a reward model: pass `features` (of a log) or name `context` columns (of a table)",
    "to_go": "items drawn at every position given the logged ones above, and a reward model: the policy needs a method "
    "`next_items`, and `features` must be passed",
    "marginal": "the chance of each item at its position under both policies: pass the policy that was in force as "
    "`logging`; both need a method `marginal_log_prob`",
    "pseudo_inverse": "the chance of each item at each position: the policy needs a method `position_log_prob` if the "
    "log shows every slate alike; else pass the policy that was in force as `logging`, both with `marginal_log_prob`",
    "exposure": "how often users look at each position, `examination`, and the chance of each item at each position: "
    "pass the policy that was in force as `logging`; both need a method `position_log_prob`",
    "table": "the probabilities of all actions under both policies: of a log, pass the policy that was in force as "
    "`logging`, and both need a method `first_probability`; of a table, name the columns `propensities` or let them be "
    "estimated, and give the policy's for all actions",
    "groups": "the group of every action: pass `groups` (of a log), or name the column `group` (of a table) and the "
    "probabilities of all actions under both policies",
    "loggers": "who wrote each row, and the propensities by all who did: of a table, name the columns `logger` and "
    "`propensity_by`",
    "fitted": "a fitted value of sessions: pass `features`",
    "dice": "what is shown in numbers: pass `features`",
    "visits": "the states of sessions in numbers, which a table does not hold",
}


class Unavailable(Exception):
    """What an estimator asks for is not known of this log and policy; the message says what would help."""


@dataclass(eq=False)
class Case:
    """One target policy on one log.

    Attributes:
        inputs: the checked arrays of the log.
        target: (n, k) float64, step-wise log-propensities of the target policy.
        makers: by name of `NEEDS`, what makes that part; parts without a maker are not available.
        tuned: by estimator, the number that was chosen for it on this log.
        chosen: by what they are of, weights that were chosen on this log.
        unsupported: the share of what the target policy shows that was never logged; None where that is not known.
    """

    inputs: Inputs
    target: Floats
    makers: dict[str, Callable[[], Any]] = field(default_factory=dict)
    tuned: dict[str, float] = field(default_factory=dict)
    chosen: dict[str, Floats] = field(default_factory=dict)
    unsupported: float | None = None

    @property
    def reward(self) -> Floats:
        """(n, k, o + 1) float64."""
        return self.inputs.reward

    @property
    def logged(self) -> Floats:
        """(n, k) float64."""
        return self.inputs.logged

    @cached_property
    def prefix(self) -> Floats:
        """(n, k) weights of everything down to a position; the last column is the weight of the slate."""
        return prefix_weight(self.target, self.logged)

    @property
    def action(self) -> tuple[Floats, Floats, Floats]:
        """Rewards (n, o + 1) and log-propensities (n,), (n,) where slates have one position."""
        if self.reward.shape[1] != 1:
            raise Unavailable(f"values single actions, and these slates have {self.reward.shape[1]} positions.")
        return self.reward[:, 0], self.target[:, 0], self.logged[:, 0]

    @cached_property
    def model(self) -> tuple[Floats, Floats]:
        """The reward model at the logged items, and its expectation under the target's slates: (n, k, o + 1) each."""
        found: tuple[Floats, Floats] = self._made("model")
        return found

    @cached_property
    def to_go(self) -> tuple[Floats, Floats]:
        """The reward still to come at each position, logged and under the target's next item: (n, k, o + 1) each."""
        found: tuple[Floats, Floats] = self._made("to_go")
        return found

    @cached_property
    def marginal(self) -> tuple[Floats, Floats]:
        """(n, k) log-probabilities of the logged items at their positions, under the target and the logging policy."""
        found: tuple[Floats, Floats] = self._made("marginal")
        return found

    @cached_property
    def pseudo_inverse(self) -> Floats:
        """(n,) weights of slates for rewards that items add up to."""
        found: Floats = self._made("pseudo_inverse")
        return found

    @cached_property
    def exposure(self) -> tuple[Floats, Floats, Floats]:
        """(n, k, k) log-chance of each item at each position, target and logging policy; (k,) how often users look."""
        found: tuple[Floats, Floats, Floats] = self._made("exposure")
        return found

    @cached_property
    def table(self) -> tuple[Floats, Floats]:
        """(n, m) probabilities of all actions, under the target and the logging policy."""
        found: tuple[Floats, Floats] = self._made("table")
        return found

    @cached_property
    def groups(self) -> tuple[Integers, Integers]:
        """The group of every action (m,), and the logged actions (n,)."""
        found: tuple[Integers, Integers] = self._made("groups")
        return found

    @cached_property
    def loggers(self) -> tuple[Floats, Integers, tuple[Any, ...]]:
        """(n, l) log-propensities under every policy that wrote the log, (n,) which wrote the row, (l,) their names."""
        found: tuple[Floats, Integers, tuple[Any, ...]] = self._made("loggers")
        return found

    @cached_property
    def fitted(self) -> FittedQ:
        """Rewards to go of the log's rows under the target policy."""
        found: FittedQ = self._made("fitted")
        return found

    @cached_property
    def dice(self) -> Floats:
        """(n,) visits of the target policy per visit of the log, without propensities."""
        found: Floats = self._made("dice")
        return found

    @cached_property
    def visits(self) -> Visits:
        """How much likelier the target policy gets to the states of the log."""
        found: Visits = self._made("visits")(1)
        return found

    @cached_property
    def visits_apart(self) -> Visits:
        """The same, of every session from others."""
        found: Visits = self._made("visits")(2)
        return found

    def _made(self, name: str) -> Any:
        if name not in self.makers:
            raise Unavailable(f"needs {NEEDS[name]}.")
        return self.makers[name]()
