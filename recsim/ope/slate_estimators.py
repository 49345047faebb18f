"""Estimators of the mean value of one slate, as `recsim.ope.evaluate` knows them."""

from __future__ import annotations

from recsim.ope import slate
from recsim.ope.case import Case
from recsim.ope.estimator import Estimator
from recsim.ope.weights import Weighting

WHOLE = Weighting("whole slates", "slate", lambda case: case.prefix[:, -1:])
POSITIONS = Weighting("position by position", "slate", lambda case: case.prefix)


def _logs(case: Case) -> tuple[slate.Floats, slate.Floats, slate.Floats]:
    return case.reward, case.target, case.logged


SLATE_ESTIMATORS = (
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
