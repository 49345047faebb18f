"""The form of an estimator: what it says, what it needs, and which weights it uses."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from recsim.ope.evaluation.case import Case
from recsim.ope.evaluation.weights import Weighting
from recsim.ope.terms import Terms

Estimand = Literal["slate", "session"]


@dataclass(frozen=True)
class Estimator:
    """One way to estimate what a policy is worth.

    Attributes:
        name: in tables.
        what: what it does, in a sentence without formulas.
        estimand: whether it values one slate in the situations of the log, or a whole session.
        terms: the estimate, row by row of the log, or of its sessions where these are valued.
        weighting: the weights that it uses; None where a model alone speaks.
        needs: names of `recsim.ope.evaluation.case.NEEDS`.
        corrected_by: where a model alone speaks, the estimator that corrects it by weights.
        tames: where weights are tamed, the estimator with the plain ones.
        held_against: where more is assumed of users than need be, the estimator that does without.
    """

    name: str
    what: str
    estimand: Estimand
    terms: Callable[[Case], Terms]
    weighting: Weighting | None
    needs: tuple[str, ...] = ()
    corrected_by: str = ""
    tames: str = ""
    held_against: str = ""
