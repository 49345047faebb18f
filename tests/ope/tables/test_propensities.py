from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.tree import DecisionTreeClassifier

from recsim.ope.tables.calibration import CANNOT_BE_KNOWN, calibration_of
from recsim.ope.tables.propensities import classified, frequencies

N_ACTIONS = 4


def softmax_log(n: int, seed: int, strength: float = 1.0):
    """Contexts (n, 2), true propensities (n, m) of a softmax of them, logged actions and sessions of two rows."""
    rng = np.random.default_rng(seed)
    context = rng.normal(size=(n, 2)).astype(np.float32)
    score = strength * context @ np.array([[1.0, 0.0, -1.0, 0.5], [0.0, 1.0, 0.5, -1.0]])
    true = np.exp(score) / np.exp(score).sum(axis=1, keepdims=True)
    action = (true.cumsum(axis=1) > rng.random((n, 1))).argmax(axis=1)
    return context, true, action, np.arange(n) // 2


def test_frequencies_by_position():
    action, position = np.array([0, 0, 1, 1, 1, 0]), np.array([0, 0, 0, 1, 1, 1])
    found = frequencies(action, 2, position)
    assert found.table.tolist() == [[2 / 3, 1 / 3]] * 3 + [[1 / 3, 2 / 3]] * 3
    assert found.logged.tolist() == [2 / 3, 2 / 3, 1 / 3, 2 / 3, 2 / 3, 1 / 3]
    report = found.calibration
    expected = -(4 * np.log(2 / 3) + 2 * np.log(1 / 3)) / 6
    assert report.log_loss == report.marginal_log_loss == pytest.approx(expected, rel=1e-12)
    assert report.error == pytest.approx(0.0, abs=1e-12)
    assert report.smallest == 1 / 3
    assert report.sentences()[-1] == CANNOT_BE_KNOWN


def test_the_classifier_finds_the_true_propensities():
    context, true, action, cluster = softmax_log(6000, seed=1)
    found = classified(action, N_ACTIONS, context, cluster)
    assert np.allclose(found.table.sum(axis=1), 1.0, atol=1e-12)
    assert np.abs(found.table - true).mean() < 0.015
    assert np.abs(frequencies(action, N_ACTIONS).table - true).mean() > 0.1  # which know no context
    report = found.calibration
    assert report.log_loss < report.marginal_log_loss - 0.15
    assert report.log_loss == pytest.approx(-np.log(true[np.arange(6000), action]).mean(), abs=0.01)
    assert report.error < 0.02
    assert "predicted from the context, the logged actions have a log-loss of" in report.sentences()[0]


def test_reliability_bins_hold_the_predictions():
    context, _, action, cluster = softmax_log(3000, seed=2, strength=2.0)
    report = classified(action, N_ACTIONS, context, cluster).calibration
    assert sum(one.n for one in report.bins) == 3000 * N_ACTIONS
    for one in report.bins:
        assert one.low <= one.predicted <= one.high
        assert abs(one.observed - one.predicted) < 5 * np.sqrt(max(one.predicted, 1 / one.n) / one.n)


def test_calibration_by_hand():
    table, action = np.array([[0.9, 0.1], [0.9, 0.1]]), np.array([0, 1])
    report = calibration_of(table, action, "classifier", 0.5)
    assert [(one.low, one.n, one.observed) for one in report.bins] == [(0.1, 2, 0.5), (0.3, 2, 0.5)]
    assert report.error == pytest.approx((abs(1 - 0.2) + abs(1 - 1.8)) / 4)
    assert report.log_loss == pytest.approx(-(np.log(0.9) + np.log(0.1)) / 2)
    assert (report.rare_share, report.smallest) == (0.0, 0.1)


def test_overconfident_predictions_are_flattened():
    """A tree that learns 300 rows by heart is sure of everything; calibration takes that back."""
    context, _, action, cluster = softmax_log(300, seed=3)
    tree = DecisionTreeClassifier(random_state=0)
    raw = classified(action, N_ACTIONS, context, cluster, classifier=tree, calibrate=False)
    found = classified(action, N_ACTIONS, context, cluster, classifier=tree)
    assert raw.calibration.log_loss > 4
    assert found.calibration.log_loss < found.calibration.marginal_log_loss < raw.calibration.log_loss
    assert found.calibration.error < raw.calibration.error / 2
    assert found.calibration.frequency_share > 0.3
    assert raw.calibration.smallest < 0.001
    assert found.calibration.smallest > 0.05


def test_context_that_decides_nothing_leaves_the_frequencies():
    rng = np.random.default_rng(4)
    action = rng.choice(3, 2000, p=[0.7, 0.2, 0.1])
    context = rng.normal(size=(2000, 3)).astype(np.float32)
    found = classified(action, 3, context, np.arange(2000))
    assert np.abs(found.table - frequencies(action, 3).table).max() < 0.05
    assert found.calibration.log_loss > found.calibration.marginal_log_loss - 0.005


def test_no_row_is_scored_by_a_classifier_that_saw_its_session():
    """Each session has an action of its own context: whoever saw it would know it, and nobody may."""
    rng = np.random.default_rng(5)
    cluster = np.repeat(np.arange(100), 4)
    action = np.repeat(rng.integers(0, 2, 100), 4)
    context = np.eye(100, dtype=np.float32)[cluster]
    found = classified(action, 2, context, cluster, classifier=LogisticRegression(C=100.0), calibrate=False)
    assert (found.logged > 0.5).mean() < 0.75
    blind = classified(action, 2, context, np.arange(400), classifier=LogisticRegression(C=100.0), calibrate=False)
    assert (blind.logged > 0.9).mean() > 0.9  # rows of a session on both sides


def test_actions_that_a_fold_never_saw_keep_a_propensity():
    context, _, action, cluster = softmax_log(200, seed=6)
    action[7] = 4
    found = classified(action, 5, context, cluster)
    assert (found.logged > 0).all()
    assert found.table[7, 4] < 0.01
    assert found.calibration.rare_share > 0
    everything = classified(np.zeros(200, int), 1, context, cluster)
    assert (everything.logged == 1).all()


def test_positions_are_context():
    rng = np.random.default_rng(7)
    position = rng.integers(0, 2, 4000)
    action = (rng.random(4000) < np.where(position == 0, 0.9, 0.2)).astype(int)
    found = classified(action, 2, np.empty((4000, 0), np.float32), np.arange(4000), position=position)
    assert found.table[position == 0, 1].mean() == pytest.approx(0.9, abs=0.03)
    assert found.table[position == 1, 1].mean() == pytest.approx(0.2, abs=0.03)


def test_what_cannot_be_estimated():
    context, _, action, _ = softmax_log(20, seed=8)
    with pytest.raises(ValueError, match="there are no rows to estimate propensities from"):
        frequencies(np.array([], int), 2)
    with pytest.raises(ValueError, match="row 1: action is 2; number the 2 actions from 0"):
        frequencies(np.array([0, 2]), 2)
    with pytest.raises(ValueError, match="position has 1 rows but action has 2; pass one for each"):
        frequencies(np.array([0, 1]), 2, np.array([0]))
    with pytest.raises(ValueError, match=r"n_folds is 3 and the log has 2 session\(s\); a model needs"):
        classified(action, N_ACTIONS, context, np.arange(20) // 10)
