from __future__ import annotations

import numpy as np
import pytest

from recsim.ope.tables.action_model import ActionModel


def small(n: int = 400, seed: int = 0):
    rng = np.random.default_rng(seed)
    context = rng.integers(0, 3, (n, 1)).astype(np.float32)
    action = rng.integers(0, 4, n)
    reward = np.stack([context[:, 0] * (action == 1), rng.random(n) < 0.5], axis=1).astype(float)
    return context, action, reward


def test_expectations_are_sums_over_every_action():
    context, action, reward = small()
    model = ActionModel.fit(context, action, 4, reward, np.arange(400), seed=0)
    each = {str(a): np.tile(np.eye(4)[a], (400, 1)) for a in range(4)}
    weights = np.random.default_rng(1).dirichlet(np.ones(4), 400)
    logged, under = model.values({**each, "mixed": weights})
    q = np.stack([under[str(a)] for a in range(4)], axis=1)  # (n, m, o)
    assert (logged == q[np.arange(400), action]).all()
    assert np.allclose(under["mixed"], (weights[:, :, None] * q).sum(axis=1), atol=1e-12)
    assert q[context[:, 0] == 2, 1, 0].mean() == pytest.approx(2.0, abs=0.2)
    assert np.abs(q[:, 0, 0]).mean() < 0.1


def test_no_row_is_scored_by_a_model_that_saw_it():
    rng = np.random.default_rng(2)
    context = np.arange(300, dtype=np.float32)[:, None]  # trees could learn every row by heart
    reward = rng.normal(size=(300, 1))
    session = rng.integers(0, 100, 300)
    model = ActionModel.fit(context, np.zeros(300, int), 1, reward, session, seed=0)
    logged, _ = model.values({})
    assert abs(np.corrcoef(logged[:, 0], reward[:, 0])[0, 1]) < 3 / np.sqrt(300)
    for number in (0, 1):
        assert not set(session[model.fold == number]) & set(session[model.fold != number])


def test_numbers_of_actions_are_names_not_sizes():
    context, action, reward = small()
    assert len(set(np.bincount(action))) == 4  # columns of the design stand in the order of frequencies
    other = np.array([2, 0, 3, 1])
    one, two = (
        ActionModel.fit(context, numbers, 4, reward, np.arange(400), seed=0).values({})[0]
        for numbers in (action, other[action])
    )
    assert (one == two).all()


def test_many_contexts_are_scored_in_blocks_alike(monkeypatch):
    context, action, reward = small()
    context = context + np.random.default_rng(3).normal(size=context.shape).astype(np.float32)
    model = ActionModel.fit(context, action, 4, reward, np.arange(400), seed=0)
    table = {"even": np.full((400, 4), 0.25)}
    logged, under = model.values(table)
    monkeypatch.setattr("recsim.ope.tables.action_model._CELLS_AT_ONCE", 40)
    again, under_again = model.values(table)
    assert (logged == again).all()
    assert (under["even"] == under_again["even"]).all()


def test_a_large_table_is_fitted_on_a_part_by_seed(monkeypatch):
    monkeypatch.setattr("recsim.ope.tables.action_model.TRAINING_CELLS", 100)
    context, action, reward = small()
    values = [
        ActionModel.fit(context, action, 4, reward, np.arange(400), seed=seed).values({})[0] for seed in (0, 0, 1)
    ]
    assert (values[0] == values[1]).all()
    assert (values[0] != values[2]).any()


def test_folds_are_counted_and_too_few_sessions_refused():
    context, action, reward = small()
    done = []
    ActionModel.fit(context, action, 4, reward, np.arange(400), seed=0, n_folds=3, on_fold=lambda: done.append(1))
    assert len(done) == 3
    with pytest.raises(ValueError, match=r"n_folds is 2 and the log has 1 session\(s\)"):
        ActionModel.fit(context, action, 4, reward, np.zeros(400, int), seed=0)
