"""Every estimator that `recsim.ope.evaluate` knows, by name, and which of them speaks first."""

from __future__ import annotations

from collections.abc import Sequence

from recsim.ope.evaluation.action_estimators import ACTION_ESTIMATORS
from recsim.ope.evaluation.estimator import Estimator
from recsim.ope.evaluation.inputs import Inputs
from recsim.ope.evaluation.session_estimators import SESSION_ESTIMATORS
from recsim.ope.evaluation.slate_estimators import SLATE_ESTIMATORS

ESTIMATORS = {one.name: one for one in (*SLATE_ESTIMATORS, *ACTION_ESTIMATORS, *SESSION_ESTIMATORS)}

# From the estimator that comes first where several may be used to the last: fewest assumptions at least variance. The
# self-normalised ones stand before their plain forms: the mean weight, which should be 1 and is not in a finite log,
# cancels in them, so that they are steadier and never leave the range of the rewards. dm checks itself least.
PREFERRED = (
    *("dr", "sndr", "dros", "switch-dr", "subgaussian-dr", "cascade-dr"),
    *("snrips", "rips", "snips", "snsips", "clipped-ips", "subgaussian-ips", "ips", "weighted", "sips", "replay"),
    *("aips", "offcem", "mips", "pbm-dr", "sniips", "iips", "interpol", "pbm"),
    *("pi-variates", "pi-variate", "wpi", "pi", "dm"),
)
PREFERRED_SESSION = (
    *(
        "session-dr",
        "session-dr-rips",
        "session-wdr",
        "magic",
        "wpdis",
        "pdis-rips",
        "pdis-pi",
        "pdis",
        "wis",
        "tis",
        "drl",
        "mis",
    ),
    *("fqe", "dice"),
)

SLATES = ("sips", "rips", "snsips", "snrips", "dm", "dr")
ACTIONS = ("ips", "snips", "dm", "dr", "sndr")
GROUPED = ("mips", "offcem")  # besides, where actions have groups
SEVERAL = ("weighted",)  # besides, where several policies wrote the log
SESSIONS = ("wpdis", "fqe", "session-dr")


def default(inputs: Inputs) -> tuple[str, ...]:
    """The estimators that are fast on this log: of single actions or of slates, and of sessions where it has them."""
    one = ACTIONS if inputs.reward.shape[1] == 1 else SLATES
    return (*one, *SESSIONS) if inputs.n_clusters < len(inputs.reward) else one


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
