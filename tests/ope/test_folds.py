from __future__ import annotations

import numpy as np
import pytest

from recsim.ope.folds import session_folds


def test_every_row_is_scored_once_by_a_fold_that_has_not_seen_its_session():
    session = np.random.default_rng(0).integers(0, 17, 100)
    scored = []
    for train, score in session_folds(session, 3):
        assert not set(session[train]) & set(session[score])
        assert len(train) + len(score) == 100
        scored.extend(score)
    assert sorted(scored) == list(range(100))


def test_sessions_keep_their_company_when_rows_move():
    session = np.random.default_rng(0).integers(0, 17, 100)
    rows = np.random.default_rng(1).permutation(100)
    first = [set(session[score]) for _, score in session_folds(session, 3)]
    assert [set(session[rows][score]) for _, score in session_folds(session[rows], 3)] == first


@pytest.mark.parametrize("n_folds", [1, 4])
def test_folds_need_sessions(n_folds):
    with pytest.raises(ValueError, match=rf"n_folds is {n_folds} and the log has 3 session\(s\).*Collect more"):
        session_folds([0, 1, 2, 2], n_folds)
