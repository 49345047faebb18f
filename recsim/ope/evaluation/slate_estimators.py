"""Estimators of the mean value of one slate, as `recsim.ope.evaluate` knows them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from recsim.ope import slate
from recsim.ope.behaviour import choose_behaviour, chosen_weight, relevant_positions
from recsim.ope.evaluation.case import Case
from recsim.ope.evaluation.estimator import Estimator
from recsim.ope.evaluation.weights import WHOLE_SLATES, Weighting
from recsim.ope.exposure import exposure_weight, interpol, pbm, pbm_dr
from recsim.ope.positions import behaviour_weight, iips, position_weight, sniips, weighed_positions
from recsim.ope.pseudo_inverse import pi, pi_with_variate, pi_with_variates, wpi

Floats = NDArray[np.float64]

WHOLE = Weighting(WHOLE_SLATES, "slate", lambda case: case.prefix[:, -1:])
POSITIONS = Weighting("position by position", "slate", lambda case: case.prefix)
ITEMS = Weighting("items at their positions", "slate", lambda case: position_weight(*case.marginal))
PSEUDO_INVERSE = Weighting("pseudo-inverse", "slate", lambda case: case.pseudo_inverse[:, None])
BEHAVIOUR = Weighting("positions that matter", "slate", lambda case: _by_behaviour(case))
EXPOSURE = Weighting("exposure", "slate", lambda case: exposure_weight(*case.exposure), lambda case: _looked(case))
NEARBY = Weighting(
    "exposure nearby", "slate", lambda case: exposure_weight(*case.exposure, WINDOW), lambda case: _looked(case)
)

WINDOW = 1  # positions up and down that interpol trusts the position-based model for


def _logs(case: Case) -> tuple[Floats, Floats, Floats]:
    return case.reward, case.target, case.logged


def _looked(case: Case) -> Floats:
    """(n,) exposure weights averaged by how often users look at their positions: of mean 1."""
    examination = case.exposure[2]
    average: Floats = np.einsum("nk,k->n", exposure_weight(*case.exposure), examination / examination.sum())
    return average


def _by_behaviour(case: Case) -> Floats:
    """(n, k) weights of the positions that matter to users with such a session so far, chosen by a tree."""
    if "behaviour" not in case.chosen:
        k = case.reward.shape[1]
        named = [behaviour_weight(case.target, case.logged, relevant_positions(n, k)) for n in ("cascade", "standard")]
        candidates = np.stack([position_weight(*case.marginal), *named])
        choice = choose_behaviour(case.reward, candidates, case.inputs.so_far, case.inputs.cluster)
        case.chosen["behaviour"] = chosen_weight(candidates, choice)
    return case.chosen["behaviour"]


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
    Estimator(
        "iips",
        "each item weighted by how much likelier the policy would have shown it at its position",
        "slate",
        lambda case: iips(case.reward, *case.marginal),
        ITEMS,
        ("marginal",),
        held_against="snrips",
    ),
    Estimator(
        "sniips",
        "iips divided by the mean weights: a little bias for much less noise",
        "slate",
        lambda case: sniips(case.reward, *case.marginal),
        ITEMS,
        ("marginal",),
        held_against="snrips",
    ),
    Estimator(
        "aips",
        "each position weighted by those positions that matter to such users: its own, those above, or all",
        "slate",
        lambda case: weighed_positions(case.reward, _by_behaviour(case)),
        BEHAVIOUR,
        ("marginal",),
        held_against="snrips",
    ),
    Estimator(
        "pi",
        "slates weighted by what the policy shows at each position, if items add up to the worth of a slate",
        "slate",
        lambda case: pi(case.reward, case.pseudo_inverse),
        PSEUDO_INVERSE,
        ("pseudo_inverse",),
        held_against="snrips",
    ),
    Estimator(
        "wpi",
        "pi divided by the mean weight",
        "slate",
        lambda case: wpi(case.reward, case.pseudo_inverse),
        PSEUDO_INVERSE,
        ("pseudo_inverse",),
        held_against="snrips",
    ),
    Estimator(
        "pi-variate",
        "pi, less the part of its noise that the distance of its weights from 1 foretells",
        "slate",
        lambda case: pi_with_variate(case.reward, case.pseudo_inverse),
        PSEUDO_INVERSE,
        ("pseudo_inverse",),
        held_against="snrips",
    ),
    Estimator(
        "pi-variates",
        "the same, position by position",
        "slate",
        lambda case: pi_with_variates(case.reward, case.pseudo_inverse, position_weight(*case.marginal)),
        PSEUDO_INVERSE,
        ("pseudo_inverse", "marginal"),
        held_against="snrips",
    ),
    Estimator(
        "pbm",
        "each item weighted by how much more the policy would have put it where users look",
        "slate",
        lambda case: pbm(case.reward, *case.exposure),
        EXPOSURE,
        ("exposure",),
        held_against="snrips",
    ),
    Estimator(
        "pbm-dr",
        "dm, corrected by errors weighted as in pbm",
        "slate",
        lambda case: pbm_dr(case.reward, *case.exposure, *case.model),
        EXPOSURE,
        ("exposure", "model"),
        held_against="snrips",
    ),
    Estimator(
        "interpol",
        "pbm for neighbouring positions, iips beyond",
        "slate",
        lambda case: interpol(case.reward, *case.exposure, window=WINDOW),
        NEARBY,
        ("exposure",),
        held_against="snrips",
    ),
)
