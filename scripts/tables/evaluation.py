"""The tables of docs/evaluation.md."""

from __future__ import annotations

from collections.abc import Iterable
from importlib import import_module
from inspect import signature

from recsim.ope import ESTIMATORS
from recsim.ope.evaluation.action_estimators import ACTION_ESTIMATORS
from recsim.ope.evaluation.case import NEEDS
from recsim.ope.evaluation.estimator import Estimator
from recsim.ope.evaluation.session_estimators import SESSION_ESTIMATORS
from recsim.ope.evaluation.slate_estimators import SLATE_ESTIMATORS
from recsim.report.assumed import assumed
from tables.markdown import markdown

FUNCTIONS = {  # by name of the estimator, in `recsim.ope`
    **{name: f"slate.{name}" for name in ("sips", "rips", "snsips", "snrips", "dm", "dr")},
    "cascade-dr": "slate.cascade_dr",
    "iips": "positions.iips",
    "sniips": "positions.sniips",
    "aips": "positions.weighed_positions",
    **{name: f"pseudo_inverse.{name}" for name in ("pi", "wpi")},
    "pi-variate": "pseudo_inverse.pi_with_variate",
    "pi-variates": "pseudo_inverse.pi_with_variates",
    "pbm": "exposure.pbm",
    "pbm-dr": "exposure.pbm_dr",
    "interpol": "exposure.interpol",
    **{name: f"bandit.{name}" for name in ("replay", "ips", "snips", "sndr", "dros")},
    "clipped-ips": "bandit.ips",
    "subgaussian-ips": "bandit.subgaussian_ips",
    "switch-dr": "bandit.switch_dr",
    "subgaussian-dr": "bandit.subgaussian_dr",
    "weighted": "loggers.weighted",
    "mips": "embedding.mips",
    "offcem": "embedding.offcem",
    **{name: f"sessions.{name}" for name in ("tis", "wis", "pdis", "wpdis")},
    "pdis-rips": "sessions.pdis",
    "pdis-pi": "sessions.pdis",
    "fqe": "sessions.dm",
    "session-dr": "sessions.dr",
    "session-dr-rips": "sessions.dr",
    "session-wdr": "sessions.wdr",
    "magic": "magic.magic",
    "mis": "visitation.mis",
    "drl": "visitation.drl",
    "dice": "dice.dice",
}
_FITTED, _VISITS = "values of `fqe.fitted_q`", "`ratio` and `state` of `visitation.visit_ratio`"
_MODEL, _TUNED = "models of `reward_model.cross_fit`", "its number by `selection.slope`"
_ADDED = "`weight` of `pseudo_inverse.product_weight` or `uniform_weight`"
MORE = {  # where its other arguments come from
    **dict.fromkeys(("dm", "dr", "cascade-dr", "pbm-dr", "sndr"), _MODEL),
    **dict.fromkeys(("clipped-ips", "subgaussian-ips"), _TUNED),
    **dict.fromkeys(("switch-dr", "dros", "subgaussian-dr"), f"{_MODEL}, {_TUNED}"),
    **dict.fromkeys(("pi", "wpi", "pi-variate", "pi-variates"), _ADDED),
    "aips": "`weight` of `behaviour.choose_behaviour` and `chosen_weight`",
    "mips": "`weight` of `embedding.cluster_weight`",
    "offcem": f"`weight` of `embedding.cluster_weight`, {_MODEL}",
    "pdis-rips": "`within`, rewards weighted by `slate.prefix_weight`",
    "pdis-pi": "`within`, rewards weighted by `pseudo_inverse.product_weight` or `uniform_weight`",
    **dict.fromkeys(("fqe", "session-dr", "session-wdr", "magic"), _FITTED),
    "session-dr-rips": f"{_FITTED}, `within` as above",
    "mis": _VISITS,
    "drl": f"{_VISITS}, {_FITTED}",
    "dice": "`ratio` of `dice.dice_ratio`",
}


def estimators_slates() -> str:
    """What estimators of slates do, take for granted and need."""
    return _estimators_table(SLATE_ESTIMATORS)


def estimators_actions() -> str:
    """What estimators of single actions do, take for granted and need."""
    return _estimators_table(ACTION_ESTIMATORS)


def estimators_sessions() -> str:
    """What estimators of sessions do, take for granted and need."""
    return _estimators_table(SESSION_ESTIMATORS)


def needs() -> str:
    """What is to be passed for what estimators need."""
    return markdown(("needs", "which is"), [(f"`{name}`", what) for name, what in NEEDS.items()], left=2)


def functions() -> str:
    """The function of plain arrays behind the name of every estimator."""
    rows = [(f"`{name}`", _call(FUNCTIONS[name]), MORE.get(name, "")) for name in ESTIMATORS]
    return markdown(("estimator", "on plain arrays", "with"), rows, left=3)


def _estimators_table(estimators: Iterable[Estimator]) -> str:
    rows = [
        (f"`{one.name}`", one.what, assumed(one.name), ", ".join(f"`{part}`" for part in one.needs))
        for one in estimators
    ]
    return markdown(("estimator", "what it does", "assumes", "needs"), rows, left=4)


def _call(path: str) -> str:
    """A function of `recsim.ope` with the names of its arguments."""
    module, name = path.split(".")
    function = getattr(import_module(f"recsim.ope.{module}"), name)
    return f"`{path}({', '.join(signature(function).parameters)})`"
