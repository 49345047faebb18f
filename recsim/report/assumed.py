"""What estimators take for granted of users, of the model or of the log, by the weights that they use."""

from __future__ import annotations

from recsim.ope import ESTIMATORS

ALONE = "that its model is right where the policy differs from the log"
NOTHING = "nothing of how rewards come about"
TAMED = "that little is lost where weights are tamed"
BY_WEIGHTS = {
    "whole slates": NOTHING,
    "position by position": "that what a position earns does not depend on the items below it",
    "items at their positions": "that what a position earns depends on its own item alone",
    "pseudo-inverse": "that a slate earns the sum of what each item brings at its position",
    "positions that matter": "that what a position earns depends on no others than those that it is weighted by",
    "exposure": "that an item earns as often as users look at its position, whatever stands around it",
    "exposure nearby": "that an item would earn at nearby positions as often as users look at them",
    "each row’s own logger": NOTHING,
    "groups of actions": "that what the model leaves out is the same for all actions of a group",
    "replayed rows": "that the logged actions were drawn at random",
    "whole sessions": NOTHING,
    "step by step": NOTHING,
    "steps before, then position by position": "that what a position earns does not depend on the items below it",
    "steps before, then the pseudo-inverse": "that a slate earns the sum of what each item brings at its position",
    "visits": "that what a policy sees of a user is all that matters for what comes next",
    "visits of other sessions": "that what a policy sees of a user is all that matters for what comes next",
}


def assumed(estimator: str) -> str:
    """What an estimator takes for granted; "" where that is not known.

    >>> assumed("rips"), assumed("an estimator of somebody's own")
    ('that what a position earns does not depend on the items below it', '')
    """
    known = ESTIMATORS.get(estimator)
    if known is None:
        return ""
    if known.weighting is None:
        return ALONE
    return TAMED if known.tames else BY_WEIGHTS.get(known.weighting.name, "")
