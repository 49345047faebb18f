"""Every estimator by name: what it says, what it needs, and which weights it uses."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from recsim.ope import slate
from recsim.ope.case import Case
from recsim.ope.terms import Terms
from recsim.ope.weights import Weighting

Estimand = Literal["slate", "session"]

WHOLE = Weighting("whole slates", "slate", lambda case: case.prefix[:, -1:])
POSITIONS = Weighting("position by position", "slate", lambda case: case.prefix)


@dataclass(frozen=True)
class Estimator:
    """One way to estimate what a policy is worth.

    Attributes:
        name: in tables.
        what: what it does, in a sentence without formulas.
        estimand: whether it values one slate in the situations of the log, or a whole session.
        terms: the estimate, row by row of the log, or of its sessions where these are valued.
        weighting: the weights that it uses; None where a model alone speaks.
        needs: names of `recsim.ope.case.NEEDS`.
        corrected_by: where a model alone speaks, the estimator that corrects it by weights.
    """

    name: str
    what: str
    estimand: Estimand
    terms: Callable[[Case], Terms]
    weighting: Weighting | None
    needs: tuple[str, ...] = ()
    corrected_by: str = ""


def _logs(case: Case) -> tuple[slate.Floats, slate.Floats, slate.Floats]:
    return case.reward, case.target, case.logged


_ALL = (
    Estimator(
        "sips",
        "logged slates weighted by how much likelier the policy would have shown the whole slate",
        "slate",
        lambda case: slate.sips(*_logs(case)),
        WHOLE,
    ),
    Estimator(
        "rips",
        "each position weighted by how much likelier the policy would have shown it and all above it",
        "slate",
        lambda case: slate.rips(*_logs(case)),
        POSITIONS,
    ),
    Estimator(
        "snsips",
        "sips divided by the mean weight: a little bias for much less noise",
        "slate",
        lambda case: slate.snsips(*_logs(case)),
        WHOLE,
    ),
    Estimator(
        "snrips",
        "rips divided by the mean weights: a little bias for much less noise",
        "slate",
        lambda case: slate.snrips(*_logs(case)),
        POSITIONS,
    ),
    Estimator(
        "dm",
        "a model of the rewards, fitted on the log, asked about the policy’s own slates",
        "slate",
        lambda case: slate.dm(case.model[1]),
        None,
        ("model",),
        corrected_by="dr",
    ),
    Estimator(
        "dr",
        "dm, corrected by the weighted errors that the model makes on the logged slates",
        "slate",
        lambda case: slate.dr(*_logs(case), *case.model),
        POSITIONS,
        ("model",),
    ),
    Estimator(
        "cascade-dr",
        "dr with a model of what is still to come below each position",
        "slate",
        lambda case: slate.cascade_dr(*_logs(case), *case.to_go),
        POSITIONS,
        ("model", "to_go"),
    ),
)
ESTIMATORS = {estimator.name: estimator for estimator in _ALL}

# From the estimator that comes first where several may be used to the last: fewest assumptions at least variance. The
# self-normalised ones stand before their plain forms: the mean weight, which should be 1 and is not in a finite log,
# cancels in them, so that they are steadier and never leave the range of the rewards. dm checks itself least.
PREFERRED = ("dr", "cascade-dr", "snrips", "rips", "snsips", "sips", "dm")
DEFAULT = ("sips", "rips", "snsips", "snrips", "dm", "dr")


def chosen(names: Sequence[str]) -> list[Estimator]:
    """The estimators of these names.

    Raises:
        ValueError: if there is no such estimator, or one is named twice.
    """
    for place, name in enumerate(names):
        if name not in ESTIMATORS:
            raise ValueError(f"there is no estimator {name!r}; choose from {', '.join(ESTIMATORS)}.")
        if name in names[:place]:
            raise ValueError(f"estimator {name!r} is named twice; name it once.")
    return [ESTIMATORS[name] for name in names]
