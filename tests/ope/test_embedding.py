from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.ensemble import RandomForestClassifier

from recsim.ope.bandit import importance_weight, ips
from recsim.ope.embedding import cluster_weight, embedding_weight, fitted_weight, mips, offcem, snmips


def by_cluster(world):
    """(contexts, items, o) expected rewards that only depend on the item's cluster."""
    return world.expected[:, world.cluster * 2]


def weight_of(world, log):
    return cluster_weight(world.cluster, log.action, log.target_table, log.logged_table)


@pytest.fixture(scope="module")
def chance():
    """p(e_d | a) of two dimensions with 3 and 2 values."""
    rng = np.random.default_rng(2)
    return [rng.dirichlet(np.ones(3), 6), rng.dirichlet(np.ones(2), 6)]


def slow_weight(embedding, chance, target, logged):
    """One row at a time, one item at a time."""
    out = []
    for i in range(len(embedding)):
        under = [0.0, 0.0]
        for item in range(target.shape[1]):
            likely = 1.0
            for d in range(len(chance)):
                likely *= chance[d][item, embedding[i, d]]
            under[0] += target[i, item] * likely
            under[1] += logged[i, item] * likely
        out.append(under[0] / under[1])
    return out


def test_mips_is_unbiased_where_only_the_cluster_matters(actions):
    e, expected = actions.everything(), by_cluster(actions)
    truth = np.einsum("ca,cao->o", actions.target, expected) / 3
    terms = mips(expected[e.context, e.action], weight_of(actions, e))
    assert e.chance @ terms.numerator[:, 0] == pytest.approx(truth, abs=1e-12)
    ratio = snmips(expected[e.context, e.action], weight_of(actions, e))
    assert e.chance @ ratio.denominator == pytest.approx([1.0], abs=1e-12)
    assert e.chance @ ratio.numerator[:, 0] == pytest.approx(truth, abs=1e-12)


def test_mips_is_unbiased_where_only_the_embedding_matters(actions, chance):
    effect = np.random.default_rng(4).uniform(0, 1, (3, 3, 2))  # (contexts, values of both dimensions)
    total, truth = 0.0, 0.0
    for first in range(3):
        for second in range(2):
            likely = chance[0][:, first] * chance[1][:, second]  # (items,) p(e | a)
            weight = embedding_weight(np.tile([first, second], (3, 1)), chance, actions.target, actions.logging)
            total += (effect[:, first, second] * weight * (actions.logging @ likely)).sum() / 3
            truth += (effect[:, first, second] * (actions.target @ likely)).sum() / 3
    assert total == pytest.approx(truth, abs=1e-12)


def test_weights_of_clusters_are_smaller_than_those_of_items(actions):
    e = actions.everything()
    of_items, of_clusters = importance_weight(e.target, e.logged), weight_of(actions, e)
    assert e.chance @ np.square(of_clusters) < e.chance @ np.square(of_items)
    rows = (e.context == 1) & (actions.cluster[e.action] == 2)
    both = e.chance[rows] @ of_items[rows] / e.chance[rows].sum()
    assert of_clusters[rows] == pytest.approx([both, both])  # the mean of the items' weights, given the cluster


def test_mips_within_three_standard_errors_and_less_noisy_than_ips(actions):
    expected, rng = by_cluster(actions), np.random.default_rng(0)
    truth = np.einsum("ca,cao->o", actions.target, expected) / 3
    found, plain = [], []
    for seed in range(200):
        log = actions.log(400, seed)
        reward = (rng.random((400, 2)) < expected[log.context, log.action]).astype(float)
        found.append(mips(reward, weight_of(actions, log)).value - truth)
        plain.append(ips(reward, log.target, log.logged).value - truth)
    assert (np.abs(np.mean(found, axis=0)) < 3 * np.std(found, axis=0, ddof=1) / np.sqrt(200)).all()
    gain = np.square(plain) - np.square(found)
    assert (gain.mean(axis=0) > 3 * gain.std(axis=0, ddof=1) / np.sqrt(200)).all()


def test_the_product_over_dimensions_stands_inside_the_sum_over_items():
    """Fault 9 of obp multiplies the dimensions' sums: (0.9 / 0.5) * (0.9 / 0.5) = 3.24 for what is 0.9 / 0.5 = 1.8."""
    chance = [np.eye(2), np.eye(2)]  # item 0 has the embedding (0, 0), item 1 has (1, 1)
    target, logged = np.array([[0.9, 0.1]]), np.array([[0.5, 0.5]])
    assert embedding_weight([[0, 0]], chance, target, logged) == pytest.approx([1.8])
    soft = [np.array([[0.8, 0.2], [0.3, 0.7]]), np.array([[0.6, 0.4], [0.1, 0.9]])]
    inside = (0.9 * 0.8 * 0.6 + 0.1 * 0.3 * 0.1) / (0.5 * 0.8 * 0.6 + 0.5 * 0.3 * 0.1)
    assert embedding_weight([[0, 0]], soft, target, logged) == pytest.approx([inside])


def test_embedding_weight_equals_the_slow_sum(actions, chance):
    log = actions.log(50, 3)
    rng = np.random.default_rng(0)
    embedding = np.stack([rng.integers(0, 3, 50), rng.integers(0, 2, 50)], axis=1)
    fast = embedding_weight(embedding, chance, log.target_table, log.logged_table)
    assert fast == pytest.approx(slow_weight(embedding, chance, log.target_table, log.logged_table), rel=1e-12)


def test_clusters_are_embeddings_of_one_dimension(actions):
    log = actions.log(50, 3)
    one_hot = [np.eye(3)[actions.cluster]]
    found = embedding_weight(actions.cluster[log.action], one_hot, log.target_table, log.logged_table)
    assert found == pytest.approx(weight_of(actions, log), rel=1e-15)


def test_a_cluster_each_is_ips_and_one_for_all_is_the_mean(actions):
    log = actions.log(50, 3)
    each = cluster_weight(np.arange(6), log.action, log.target_table, log.logged_table)
    assert each == pytest.approx(importance_weight(log.target, log.logged), rel=1e-12)
    assert cluster_weight(np.zeros(6, int), log.action, log.target_table, log.logged_table) == pytest.approx(1.0)


def test_long_logs_are_weighed_in_blocks(actions):
    log = actions.log(5000, 1)
    whole = weight_of(actions, log)
    parts = [
        cluster_weight(actions.cluster, log.action[rows], log.target_table[rows], log.logged_table[rows])
        for rows in (slice(0, 1234), slice(1234, 5000))
    ]
    assert (whole == np.concatenate(parts)).all()


def test_on_policy_is_the_mean_reward(actions):
    log = actions.log(50, 3)
    weight = cluster_weight(actions.cluster, log.action, log.logged_table, log.logged_table)
    for terms in (
        mips(log.reward, weight),
        snmips(log.reward, weight),
        offcem(log.reward, weight, log.reward, log.reward),
    ):
        assert terms.value == pytest.approx(log.reward.mean(axis=0), rel=1e-12)


def test_offcem_needs_only_the_differences_within_clusters(actions):
    e = actions.everything()
    off = np.random.default_rng(1).normal(size=(3, 3, 2))[:, actions.cluster]  # wrong by a number per context, cluster
    table = (actions.expected + off)[e.context]  # (n, m, o)
    under_target = np.einsum("nm,nmo->no", e.target_table, table)
    terms = offcem(e.reward, weight_of(actions, e), table[np.arange(18), e.action], under_target)
    assert e.chance @ terms.numerator[:, 0] == pytest.approx(actions.truth, abs=1e-12)
    without = mips(e.reward, weight_of(actions, e))
    assert np.abs(e.chance @ without.numerator[:, 0] - actions.truth).max() > 0.01


def fitted_case(world, n, seed):
    """A log with cluster embeddings, and the product of context and cluster for a classifier that could be right."""
    log = world.log(n, seed)
    embedding = np.eye(3)[world.cluster[log.action]]
    context = (np.eye(3)[log.context][:, :, None] * embedding[:, None, :]).reshape(n, 9)
    return log, embedding, context


def test_a_classifier_finds_the_weights_that_are_known(actions):
    log, embedding, context = fitted_case(actions, 12_000, 2)
    session = np.arange(12_000) // 3
    found = fitted_weight(embedding, log.action, log.target_table, log.logged_table, session, context=context)
    exact = weight_of(actions, log)
    assert np.abs(found - exact).mean() < 0.05 * exact.mean()
    assert np.corrcoef(found, exact)[0, 1] > 0.99
    assert np.corrcoef(importance_weight(log.target, log.logged), exact)[0, 1] < 0.9


def test_fitted_weights_do_not_depend_on_the_order_of_rows(actions):
    log, embedding, context = fitted_case(actions, 300, 3)
    session, rows = np.arange(300) // 3, np.random.default_rng(0).permutation(300)
    arrays = (embedding, log.action, log.target_table, log.logged_table, session)
    forest = RandomForestClassifier(20, random_state=0, max_depth=4)
    for classifier in (None, forest):
        found = fitted_weight(*arrays, context=context, classifier=classifier, n_folds=3)
        moved = fitted_weight(
            *(array[rows] for array in arrays), context=context[rows], classifier=classifier, n_folds=3
        )
        assert (moved == found[rows]).all()


def test_no_row_is_weighed_by_a_classifier_that_saw_its_session(actions):
    log, embedding, _ = fitted_case(actions, 60, 3)
    session = np.arange(60) // 3
    arrays = (embedding, log.target_table, log.logged_table, session)
    first = fitted_weight(arrays[0], log.action, *arrays[1:])
    changed = log.action.copy()
    changed[:3] = (changed[:3] + 1) % 6
    second = fitted_weight(arrays[0], changed, *arrays[1:])
    assert (first[:3] == second[:3]).all()
    assert (first != second).any()


def test_one_item_in_a_fold_is_no_reason_to_fail():
    table = np.array([[1.0, 0.0]] * 4)
    weight = fitted_weight(np.ones((4, 1)), [0, 0, 0, 0], table, table, [0, 0, 1, 1])
    assert weight.tolist() == [1.0] * 4


def test_errors_name_what_is_wrong(actions, chance):
    log = actions.log(5, 1)
    tables = (log.target_table, log.logged_table)
    with pytest.raises(ValueError, match=r"cluster has 5 items but the tables have 6; give each item"):
        cluster_weight(np.zeros(5, int), log.action, *tables)
    with pytest.raises(ValueError, match=r"row 2 of action is 6, but there are 6 items"):
        cluster_weight(actions.cluster, [0, 1, 6, 1, 1], *tables)
    with pytest.raises(ValueError, match=r"action has 4 rows but target_table has 5"):
        cluster_weight(actions.cluster, log.action[1:], *tables)
    with pytest.raises(ValueError, match=r"logged_table has shape \(4, 6\) but target_table has shape \(5, 6\)"):
        cluster_weight(actions.cluster, log.action, tables[0], tables[1][1:])
    with pytest.raises(ValueError, match=r"embedding has shape \(5, 1\) but chance has 2 tables"):
        embedding_weight(np.zeros(5, int), chance, *tables)
    with pytest.raises(ValueError, match=r"row 1 of embedding dimension 1 is 2, but there are 2 values"):
        embedding_weight([[0, 0], [0, 2], [0, 0], [0, 0], [0, 0]], chance, *tables)
    with pytest.raises(ValueError, match=r"chance\[0\] has 3 items but target_table has 6"):
        embedding_weight([[0]] * 5, [chance[0][:3]], *tables)
    with pytest.raises(ValueError, match=r"row 0 of chance\[0\] sums to 0.9.*over its 3 values"):
        embedding_weight([[0]] * 5, [chance[0] * 0.9], *tables)
    with pytest.raises(ValueError, match=r"row 0 of weight is -1; a weight is a ratio"):
        mips([1.0], [-1.0])
    with pytest.raises(ValueError, match=r"row 2, column 0 of embedding is nan; it must be finite"):
        fitted_weight([[1.0], [2.0], [np.nan], [1.0], [1.0]], log.action, *tables, np.arange(5))


def test_what_was_logged_had_a_probability():
    target, logged = np.full((2, 3), 1 / 3), np.array([[0.5, 0.5, 0.0], [0.5, 0.0, 0.5]])
    with pytest.raises(ValueError, match=r"row 0: what was logged had probability 0 by logged_table. Drop the row"):
        cluster_weight([0, 1, 2], [2, 2], target, logged)
    with pytest.raises(ValueError, match=r"row 0, item 2 of target_table is 0.333333 where logged_table is 0"):
        fitted_weight(np.ones((2, 1)), [0, 0], target, logged, [0, 1])


def test_a_classifier_must_leave_an_item_that_could_be_shown():
    logged = np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0], [0.0, 1.0]])
    with pytest.raises(ValueError, match=r"row [02]: the classifier gives no chance to any item"):
        fitted_weight(np.ones((4, 1)), [0, 0, 1, 1], logged, logged, [0, 0, 1, 1])


@settings(derandomize=True, deadline=None, max_examples=60)
@given(st.data())
def test_bad_tables_never_give_a_weight(data):
    rng = np.random.default_rng(data.draw(st.integers(0, 9)))
    tables = {name: rng.dirichlet(np.ones(4), 5) for name in ("target_table", "logged_table")}
    name, row = data.draw(st.sampled_from(sorted(tables))), data.draw(st.integers(0, 4))
    tables[name][row, data.draw(st.integers(0, 3))] += data.draw(st.sampled_from([np.nan, np.inf, -0.9, 0.01, 5.0]))
    action, cluster = rng.integers(0, 4, 5), [0, 0, 1, 1]
    chance = [np.eye(2)[cluster]]
    for weigh in (
        lambda: cluster_weight(cluster, action, **tables),
        lambda: embedding_weight(action // 2, chance, **tables),
        lambda: fitted_weight(np.eye(4)[action], action, **tables, session=np.arange(5)),
    ):
        with pytest.raises(ValueError, match=rf"row {row}.* of {name} "):
            weigh()
