"""What each position of a logged slate is credited with: its own reward, and what its session earned afterwards."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from recsim.agents.folds import user_folds
from recsim.logs import Log

Floats = NDArray[np.float64]

RIDGE = 100.0  # of standardised columns: many of them say little


def credit(log: Log, gamma: float, *, divided: bool = False) -> Floats:
    """(n, k) float64, reward of a position plus the discounted rewards of its session's later slates.

    c[t, j] = r[t, j] + sum over later slates u of the session of gamma^(u - t) * (reward of slate u)

    Positions of one slate share the later rewards, as any of them may have kept the user, or lost them. `divided`, they
    have equal parts of them, so that the positions of a slate add up to what the whole slate is credited with.
    """
    order = np.lexsort((log.step, log.session, log.user))
    user, session, step = (values[order] for values in (log.user, log.session, log.step))
    goes_on = (user[1:] == user[:-1]) & (session[1:] == session[:-1])
    reward, later = log.reward[order], np.zeros(len(order))
    for row in np.flatnonzero(goes_on)[::-1]:
        later[row] = gamma ** (step[row + 1] - step[row]) * (reward[row + 1] + later[row + 1])
    unsorted = np.empty_like(later)
    unsorted[order] = later
    own: Floats = log.objectives @ np.array(log.info.weights)
    parts = np.maximum((log.slate >= 0).sum(axis=1), 1) if divided else 1
    return own + (unsorted / parts)[:, None]


def expected(log: Log, earned: Floats) -> Floats:
    """(n, k) float64, what the observation and the position let expect of `earned` (n, k).

    A ridge regression on the observation, an output a position, fitted on other users (cross-fitted, see `user_folds`):
    it has not seen the luck that it is to explain, so that subtracting it leaves a policy gradient unbiased (Greensmith
    et al. 2004, section 4).

    Raises:
        ValueError: if the log has a single user.
    """
    fold = user_folds(log)
    if not fold.any():
        raise ValueError("the log has 1 user, but learning compares users with each other; collect more.")
    found, observation = np.empty_like(earned), log.observation.astype(float)
    for held in np.unique(fold):
        rows = fold == held
        model = make_pipeline(StandardScaler(), Ridge(RIDGE)).fit(observation[~rows], earned[~rows])
        found[rows] = model.predict(observation[rows]).reshape(-1, earned.shape[1])
    return found


def advantage(log: Log, gamma: float, *, divided: bool = False) -> Floats:
    """(n, k) float64, credit (see there) above what was expected, in standard deviations.

    Raises:
        ValueError: if the log has a single user, or every position earned what was expected.
    """
    earned = credit(log, gamma, divided=divided)
    above: Floats = earned - expected(log, earned)
    spread = float(above[log.slate >= 0].std())
    if spread < 1e-9:
        raise ValueError("every position of the log earned the same; there is nothing to learn from it.")
    return above / spread
