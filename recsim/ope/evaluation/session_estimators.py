"""Estimators of the mean return of whole sessions, as `recsim.ope.evaluate` knows them: undiscounted, step by step."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from recsim.ope import sessions
from recsim.ope.dice import dice
from recsim.ope.evaluation.case import Case
from recsim.ope.evaluation.estimator import Estimator
from recsim.ope.evaluation.weights import Weighting
from recsim.ope.magic import magic
from recsim.ope.visitation import Visits, drl, marginal_weight, mis

Floats = NDArray[np.float64]


def _rows(case: Case) -> dict[str, Any]:
    return {"session": case.inputs.cluster, "step": case.inputs.step}


def _slates(case: Case) -> tuple[Floats, Floats, Floats]:
    """Rewards and log-propensities of whole slates."""
    return case.reward.sum(axis=1), case.target.sum(axis=1), case.logged.sum(axis=1)


def _carried(case: Case) -> Floats:
    return sessions.carried_weight(*_slates(case)[1:], **_rows(case))


def _before(case: Case) -> Floats:
    """(sessions, t) weights of all slates before each step: those that go with weights inside the slate."""
    carried = _carried(case)
    return np.concatenate([np.ones((len(carried), 1)), carried[:, :-1]], axis=1)


def _cells(case: Case) -> Floats:
    """(sessions, t k) weights of every position of every step: of all slates before, and down to the position."""
    cells = _before(case)[:, :, None] * case.inputs.steps.table(case.prefix, after=1.0)
    return cells.reshape(len(cells), -1)


def _cell_rewards(case: Case) -> Floats:
    """(sessions, t k, o + 1) rewards of every position of every step."""
    rewards = case.inputs.steps.table(case.reward)
    return rewards.reshape(len(rewards), -1, rewards.shape[3])


def _within(case: Case) -> Floats:
    """(n, o + 1) rewards weighted position by position, as in rips."""
    within: Floats = np.einsum("nk,nko->no", case.prefix, case.reward)
    return within


def _visited(case: Case, visits: Visits) -> Floats:
    return marginal_weight(visits.ratio, *_slates(case)[1:], **_rows(case))


def _added(case: Case) -> Floats:
    """(n, o + 1) rewards weighted by the pseudo-inverse."""
    added: Floats = case.pseudo_inverse[:, None] * case.reward.sum(axis=1)
    return added


SESSIONS = Weighting("whole sessions", "session", lambda case: _carried(case)[:, -1:])
STEPS = Weighting("step by step", "session", _carried)
CELLS = Weighting("steps before, then position by position", "session", _cells, earned=_cell_rewards)
ADDED = Weighting(
    "steps before, then the pseudo-inverse",
    "session",
    lambda case: _before(case) * case.inputs.steps.table(case.pseudo_inverse, after=1.0),
)

VISITS = Weighting("visits", "session", lambda case: _visited(case, case.visits))
VISITS_APART = Weighting("visits of other sessions", "session", lambda case: _visited(case, case.visits_apart))

SESSION_ESTIMATORS = (
    Estimator(
        "tis",
        "logged sessions weighted by how much likelier the policy would have shown all of their slates",
        "session",
        lambda case: sessions.tis(*_slates(case), **_rows(case)),
        SESSIONS,
    ),
    Estimator(
        "wis",
        "tis divided by the mean weight",
        "session",
        lambda case: sessions.wis(*_slates(case), **_rows(case)),
        SESSIONS,
    ),
    Estimator(
        "pdis",
        "each slate weighted by how much likelier the policy would have shown it and all before it",
        "session",
        lambda case: sessions.pdis(*_slates(case), **_rows(case)),
        STEPS,
    ),
    Estimator(
        "pdis-rips",
        "pdis, with the last slate weighted position by position",
        "session",
        lambda case: sessions.pdis(*_slates(case), **_rows(case), within=_within(case)),
        CELLS,
    ),
    Estimator(
        "pdis-pi",
        "pdis, with the last slate weighted as if its items added up to its worth",
        "session",
        lambda case: sessions.pdis(*_slates(case), **_rows(case), within=_added(case)),
        ADDED,
        ("pseudo_inverse",),
        held_against="wpdis",
    ),
    Estimator(
        "wpdis",
        "pdis divided by the mean weights, step by step",
        "session",
        lambda case: sessions.wpdis(*_slates(case), **_rows(case)),
        STEPS,
    ),
    Estimator(
        "fqe",
        "a model of what sessions still bring, fitted on the log for the policy’s own slates (fitted Q evaluation)",
        "session",
        lambda case: sessions.dm(case.fitted.v_target, **_rows(case)),
        None,
        ("fitted",),
        corrected_by="session-dr",
    ),
    Estimator(
        "session-dr",
        "fqe, corrected step by step by the weighted errors that the model makes on the logged sessions",
        "session",
        lambda case: sessions.dr(*_slates(case), case.fitted.q_logged, case.fitted.v_target, **_rows(case)),
        STEPS,
        ("fitted",),
    ),
    Estimator(
        "session-dr-rips",
        "session-dr, with the reward of each slate weighted position by position",
        "session",
        lambda case: sessions.dr(
            *_slates(case), case.fitted.q_logged, case.fitted.v_target, **_rows(case), within=_within(case)
        ),
        STEPS,
        ("fitted",),
    ),
    Estimator(
        "session-wdr",
        "session-dr with the weights divided by their means",
        "session",
        lambda case: sessions.wdr(*_slates(case), case.fitted.q_logged, case.fitted.v_target, **_rows(case)),
        STEPS,
        ("fitted",),
    ),
    Estimator(
        "magic",
        "session-wdr for as many steps as its noise allows, fqe for the rest",
        "session",
        lambda case: magic(*_slates(case), case.fitted.q_logged, case.fitted.v_target, **_rows(case)),
        None,
        ("fitted",),
        corrected_by="session-wdr",
    ),
    Estimator(
        "mis",
        "each slate weighted by how much likelier the policy would have shown it and brought users there, however",
        "session",
        lambda case: mis(*_slates(case), case.visits.ratio, **_rows(case), state=case.visits.state),
        VISITS,
        ("visits",),
        held_against="wpdis",
    ),
    Estimator(
        "drl",
        "session-dr with the weights of mis (double reinforcement learning)",
        "session",
        lambda case: drl(
            *_slates(case), case.visits_apart.ratio, case.fitted.q_logged, case.fitted.v_target, **_rows(case)
        ),
        VISITS_APART,
        ("visits", "fitted"),
        held_against="wpdis",
    ),
    Estimator(
        "dice",
        "each slate weighted by how much more of its kind the policy would show, found without propensities (DualDICE)",
        "session",
        lambda case: dice(case.reward.sum(axis=1), case.dice, **_rows(case)),
        None,
        ("dice", "fitted"),
        corrected_by="session-dr",
    ),
)
