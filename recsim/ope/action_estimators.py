"""Estimators of the mean value of single actions, as `recsim.ope.evaluate` knows them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from recsim.ope import bandit
from recsim.ope.case import Case
from recsim.ope.estimator import Estimator
from recsim.ope.slate_estimators import WHOLE

Floats = NDArray[np.float64]


def _logs(case: Case) -> tuple[Floats, Floats, Floats]:
    reward, target, logged = case.action
    return reward, target, logged


def _models(case: Case) -> tuple[Floats, Floats]:
    return case.model[0][:, 0], case.model[1][:, 0]


ACTION_ESTIMATORS = (
    Estimator(
        "ips",
        "logged actions weighted by how much likelier the policy would have taken them",
        "slate",
        lambda case: bandit.ips(*_logs(case)),
        WHOLE,
    ),
    Estimator(
        "snips",
        "ips divided by the mean weight: a little bias for much less noise",
        "slate",
        lambda case: bandit.snips(*_logs(case)),
        WHOLE,
    ),
    Estimator(
        "sndr",
        "dr with its weights divided by their mean",
        "slate",
        lambda case: bandit.sndr(*_logs(case), *_models(case)),
        WHOLE,
        ("model",),
    ),
)
