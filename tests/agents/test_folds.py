import numpy as np
import pytest

from recsim.agents.folds import FOLDS, cross_fitted, user_folds
from recsim.logs import Log


def test_no_user_s_own_clicks_are_in_the_terms_that_explain_them(log: Log) -> None:
    seen: list[int] = []

    def terms_of(others: Log, slates: Log) -> np.ndarray:
        assert not set(others.user) & set(slates.user)
        return np.repeat(slates.user[:, None, None] + 0.5 * slates.step[:, None, None], 4, axis=1)

    terms = cross_fitted(log, terms_of, seen.append)
    np.testing.assert_array_equal(terms[:, :, 0], np.repeat((log.user + 0.5 * log.step)[:, None], 4, axis=1))
    assert len(seen) == FOLDS
    assert seen[-1] == len(log)


def test_folds_are_of_one_size_whatever_users_are_called(log: Log) -> None:
    tenth = log[log.user % 10 == 0]  # all of them multiples of the number of folds
    users, first = np.unique(tenth.user, return_index=True)
    np.testing.assert_array_equal(np.bincount(user_folds(tenth)[first]), [len(users) // FOLDS] * FOLDS)


def test_a_single_user_is_refused(log: Log) -> None:
    with pytest.raises(ValueError, match="the log has 1 user"):
        cross_fitted(log[log.user == log.user[0]], lambda others, slates: np.zeros((*slates.slate.shape, 1)))
