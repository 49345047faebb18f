from __future__ import annotations

import numpy as np
import pytest

from recsim.ope import reward_model
from recsim.ope.reward_model import cross_fit, design_of, expected_under, fit_head, predict_logged, sample_streams


@pytest.fixture(scope="module")
def fitted(tiny_log, features):
    return cross_fit(
        tiny_log.observation, tiny_log.slate, tiny_log.objectives, tiny_log.user, features=features, seed=0
    )


def streams_of(log, seed=0):
    return sample_streams(seed, log.user, log.session, log.step)


def test_no_session_is_scored_by_a_model_that_saw_it(world, monkeypatch):
    """Spies in place of models: features carry the user's number, heads remember whom they were fitted on."""
    log = world.log(60, seed=1)
    scored: list[tuple[frozenset, frozenset]] = []

    def features(observation, slate):
        return np.broadcast_to(observation[:, None, :1], (*slate.shape, 1))

    def spy(design, reward):
        seen = frozenset(design[:, 0].tolist())

        def head(rows):
            scored.append((seen, frozenset(rows[:, 0].tolist())))
            return np.zeros(len(rows))

        return head

    monkeypatch.setattr(reward_model, "fit_head", spy)
    observation = log.user[:, None].astype(np.float32)
    for n_folds in (2, 3):
        scored.clear()
        model = cross_fit(observation, log.slate, log.objectives, log.user, features=features, seed=0, n_folds=n_folds)
        predict_logged(model, observation, log.slate)
        expected_under(world.target, model, observation, 3, streams_of(log), n_samples=1)
        assert {user for _, users in scored for user in users} == set(range(60))
        assert all(seen and not seen & users for seen, users in scored)
        assert {len(seen) for seen, _ in scored} == {60 - 60 // n_folds}


def test_models_learn_what_items_are_worth(world, tiny_log, fitted):
    predicted = predict_logged(fitted, tiny_log.observation, tiny_log.slate)
    exact = world.expected(tiny_log.observation.argmax(axis=1), tiny_log.slate)
    left = np.square(predicted - exact).sum(axis=(0, 1)) / np.square(exact - exact.mean(axis=(0, 1))).sum(axis=(0, 1))
    assert (left < 0.35).all()  # the dependence on the item above is not additive, the rest is learnt
    assert predicted.mean(axis=(0, 1)) == pytest.approx(tiny_log.objectives.mean(axis=(0, 1)), rel=0.05)


def test_same_seed_same_model_in_any_row_order(tiny_log, features, fitted):
    rows = np.random.default_rng(0).permutation(len(tiny_log))
    log = tiny_log[rows]
    order = np.lexsort((log.step, log.session, log.user))
    again = cross_fit(log.observation, log.slate, log.objectives, log.user, features=features, seed=0, order=order)
    first = predict_logged(fitted, tiny_log.observation, tiny_log.slate)
    assert np.array_equal(predict_logged(again, log.observation, log.slate), first[rows])


def test_large_logs_are_sampled_by_the_seed(tiny_log, features, monkeypatch):
    monkeypatch.setattr(reward_model, "TRAINING_CELLS", 600)
    designs = []
    monkeypatch.setattr(
        reward_model, "fit_head", lambda design, reward: designs.append(design) or fit_head(design, reward)
    )
    for seed in (0, 0, 1):
        cross_fit(
            tiny_log.observation, tiny_log.slate, tiny_log.objectives, tiny_log.user, features=features, seed=seed
        )
    first, again, other = designs[0], designs[4], designs[8]
    assert len(first) == 600
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_heads_by_kind_of_reward():
    design = np.repeat(np.arange(4, dtype=np.float32), 50)[:, None]
    assert fit_head(design, np.zeros(200))(design).tolist() == [0.0] * 200
    assert fit_head(design[:0], np.zeros(0))(design[:2]).tolist() == [0.0, 0.0]
    share = np.tile([0.0, 1.0], 100) * (design[:, 0] > 1)
    assert fit_head(design, share)(design[[0, 199]]) == pytest.approx([0.0, 0.5], abs=0.02)
    price = 10.0 * design[:, 0] - 5.0
    predicted = fit_head(design, price)(design)
    assert predicted == pytest.approx(price, abs=0.2)
    assert predicted.min() >= -5.0
    assert predicted.max() <= 25.0


def test_empty_positions_are_worth_nothing_and_teach_nothing(tiny_log, features, monkeypatch):
    slate = tiny_log.slate.copy()
    slate[:, 2] = -1
    lengths = []
    monkeypatch.setattr(
        reward_model, "fit_head", lambda design, reward: lengths.append(len(design)) or fit_head(design, reward)
    )
    model = cross_fit(tiny_log.observation, slate, tiny_log.objectives, tiny_log.user, features=features, seed=0)
    assert lengths == [2 * len(slate) // 2] * 4
    predicted = predict_logged(model, tiny_log.observation, slate)
    assert not predicted[:, 2].any()
    assert (predicted[:, :2] > 0).all()


def test_expectation_under_a_stochastic_policy(world, tiny_log, fitted, observe_context):
    context, slate = world.everything()
    by_fold = []
    for fold in (0, 1):
        rows = np.full(len(slate), np.flatnonzero(fitted.fold == fold)[0])
        values = fitted.predict(observe_context(context), slate, rows)
        chance = 2 * world.chance(world.target)
        by_fold.append([np.einsum("n,nko->ko", chance[context == c], values[context == c]) for c in (0, 1)])
    exact = np.array(by_fold)[fitted.fold, tiny_log.observation.argmax(axis=1)].mean(axis=0)
    drawn = expected_under(world.target, fitted, tiny_log.observation, 3, streams_of(tiny_log), n_samples=20)
    error = drawn.std(axis=0) / np.sqrt(len(drawn))
    assert (np.abs(drawn.mean(axis=0) - exact) < 4 * error + 1e-12).all()


def test_a_deterministic_policy_is_drawn_once(world, tiny_log, fitted):
    calls = []

    class Counting:
        name = "counting"

        def act(self, observation, streams):
            calls.append(len(streams))
            return world.greedy.act(observation, streams)

    values = expected_under(Counting(), fitted, tiny_log.observation, 3, streams_of(tiny_log), n_samples=5)
    assert calls == [len(tiny_log)]
    slate = world.greedy.act(tiny_log.observation, streams_of(tiny_log)(0)).slate
    assert np.array_equal(values, fitted.predict(tiny_log.observation, slate))


def test_blocks_of_rows_do_not_matter(world, tiny_log, fitted, monkeypatch):
    whole = expected_under(world.target, fitted, tiny_log.observation, 3, streams_of(tiny_log))
    monkeypatch.setattr(reward_model, "ROWS_AT_ONCE", 101)
    assert np.array_equal(expected_under(world.target, fitted, tiny_log.observation, 3, streams_of(tiny_log)), whole)


def test_draws_differ_by_sample_and_seed(tiny_log):
    first, second, other = streams_of(tiny_log)(0), streams_of(tiny_log)(1), streams_of(tiny_log, seed=1)(0)
    assert len({int(streams.seed) for streams in (first, second, other)}) == 3
    assert (first.user == tiny_log.user).all()
    assert (first.step == tiny_log.step).all()


def test_errors(world, tiny_log, features, fitted):
    log = world.log(2, seed=0)
    parts = (log.observation, log.slate, log.objectives, log.user)
    with pytest.raises(ValueError, match=r"n_folds is 3 and the log has 2 session\(s\)"):
        cross_fit(*parts, features=features, seed=0, n_folds=3)
    with pytest.raises(ValueError, match=r"n_folds is 1 and .* needs at least 2 folds"):
        cross_fit(*parts, features=features, seed=0, n_folds=1)
    with pytest.raises(ValueError, match=r"features returned shape \(\d+, 12\) for slates of shape \(\d+, 3\)"):
        cross_fit(*parts, features=lambda observation, slate: features(observation, slate)[:, 0], seed=0)

    def broken(observation, slate):
        values = features(observation, slate)
        values[1, 2, 5] = np.nan
        return values

    for rows, number in ((slice(2, 5), 3), (np.array([5, 0, 2]), 0)):
        with pytest.raises(
            ValueError, match=rf"feature 5 of row {number}, position 2 \(item \d\) is nan; features must be"
        ):
            design_of(broken, log.observation[rows], log.slate[rows], rows)
    with pytest.raises(ValueError, match="n_samples is 0; at least 1 slate"):
        expected_under(world.target, fitted, tiny_log.observation, 3, streams_of(tiny_log), n_samples=0)
    with pytest.raises(
        ValueError, match=r"policy 'target' showed slates of shape \(1200, 3\) for 1200 contexts logged with 5"
    ):
        expected_under(world.target, fitted, tiny_log.observation, 5, streams_of(tiny_log))
