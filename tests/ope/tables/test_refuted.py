"""Propensities that the log itself refutes, and true ones that it does not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import t

from recsim.ope import table_of
from recsim.ope.tables.refuted import excess_of
from recsim.open_bandit import COLUMNS, read_open_bandit

SAMPLE = Path(__file__).parents[3].parent / "shared" / "data" / "open-bandit-sample"
NAMES = {"reward": "click", "action": "item", "propensity": "chance", "session": "user"}


def drawn(chance: np.ndarray, user: np.ndarray, seed: int, *, sticky: bool = False) -> pd.DataFrame:
    """Items by `chance` (n, m); `sticky` shows a user the same one as long as that user's chances stay."""
    rng = np.random.default_rng(seed)
    luck = rng.random(int(user.max()) + 1)[user] if sticky else rng.random(len(user))
    item = (chance.cumsum(axis=1) > luck[:, None]).argmax(axis=1)
    return pd.DataFrame({"user": user, "item": item, "chance": chance[np.arange(len(user)), item], "click": 0})


def verdict(table: pd.DataFrame, **columns) -> str:
    return table_of(table, policy=0.1, columns={**NAMES, **columns}).inputs.refuted


def users(n: int, rows: int) -> np.ndarray:
    return np.repeat(np.arange(n), rows)


def wrong(n: int = 1000) -> pd.DataFrame:
    chance = np.tile([0.7, 0.2, 0.1], (n, 1))
    table = drawn(chance, np.arange(n) // 2, seed=0)
    return table.assign(item=np.array(["hat", "shoe", "tie"])[table["item"]], chance=1 / 3)


def test_by_hand():
    # 4 sessions of 25 rows with chance 1/2, in which the action is logged in 25, 25, 25 and 0.
    cluster = users(4, 25)
    action = np.where(cluster == 3, 1, 0)
    row, ratio, size = excess_of(action, np.zeros(100, int), np.full(100, 0.5), cluster)
    assert (row.tolist(), ratio.tolist()) == ([0], [1.5])  # the other was logged in fewer than 50 rows
    spread = 3 * (50 - 37.5) ** 2 + 37.5**2 + 2 * 25**2
    error = 10.214532 * np.sqrt(spread) / 100  # Student's t with 3 degrees of freedom is above it once in 1,000
    assert size[0] == pytest.approx(0.5 / error, rel=1e-6)


def by_loops(action, position, propensity, cluster):
    """Ratio and standard error of every action at a position that is there 50 times, in the plain way."""
    found = []
    for place in np.unique(position):
        for one in np.unique(action[position == place]):
            here = position == place
            if (here & (action == one)).sum() < 50:
                continue
            value, own = np.where(action == one, 1 / propensity, 0.0)[here], cluster[here]
            names, count = np.unique(own, return_counts=True)
            rest = np.array([(value[own == name] - value.mean()).sum() for name in names])
            error = np.sqrt((rest**2).sum() + 2 * (count**2).mean()) / here.sum()
            found.append((value.mean(), error, len(names)))
    return np.array(found).T


def test_the_plain_way():
    rng = np.random.default_rng(3)
    n = 900
    arrays = rng.integers(0, 4, n), rng.integers(0, 3, n), rng.uniform(0.1, 0.4, n), rng.integers(0, 200, n)
    _, ratio, size = excess_of(*arrays)
    expected, error, sessions = by_loops(*arrays)
    allowed = np.maximum(np.maximum(4.0, t.isf(0.001 / len(expected), sessions - 1)) * error, 0.05)
    assert len(expected) == 12
    assert np.allclose(ratio, expected, rtol=1e-12)
    assert np.allclose(size, (expected - 1) / allowed, rtol=1e-9)


def test_uniform_propensities_of_a_log_that_was_not():
    table = wrong()
    often = 3 * (table["item"] == "hat").mean()
    expected = f"item 'hat' was logged {often:.3g} times as often as its propensities say: they are not those that were"
    assert verdict(table).startswith(expected)
    assert verdict(table.sample(frac=1.0, random_state=1)) == verdict(table)
    assert verdict(table.drop(columns="chance"), propensity=None) == ""  # estimates are the frequencies


def test_positions_are_judged_apart():
    right = drawn(np.full((2000, 3), 1 / 3), np.arange(2000), seed=1).assign(place=1)
    right["item"] = np.array(["hat", "shoe", "tie"])[right["item"]]
    both = pd.concat([right, wrong().assign(place=2)], ignore_index=True)
    assert " times as often at position 2 as its " in verdict(both, position="place")
    assert verdict(right, position="place") == ""


def test_several_loggers_are_judged_by_their_own_propensities():
    """One wrote for those who like shoes, one for others: by the mixture every row would be refuted."""
    n = 2000
    one, other = np.tile([0.9, 0.1], (n, 1)), np.tile([0.1, 0.9], (n, 1))
    parts = [drawn(one, np.arange(n), 0), drawn(other, n + np.arange(n), 1)]
    table = pd.concat(parts, ignore_index=True).assign(who=np.repeat(["one", "other"], n))
    table["by_one"], table["by_other"] = np.where(table["item"] == 0, [[0.9], [0.1]], [[0.1], [0.9]])
    columns = {"propensity": None, "logger": "who", "propensity_by": {"one": "by_one", "other": "by_other"}}
    assert verdict(table, **columns) == ""
    swapped = table.assign(by_one=table["by_other"], by_other=table["by_one"])
    assert "they are not those that were in force" in verdict(swapped, **columns)


def simulated(seed: int) -> tuple[pd.DataFrame, np.ndarray]:
    """A log of a size, clustering, context and rarity of actions that change with the seed."""
    rng = np.random.default_rng([7, seed])
    n_users, rows = int(rng.choice([4, 20, 60, 200, 400])), int(rng.choice([3, 10, 30]))
    m = int(rng.choice([2, 3, 30]))
    user = users(n_users, rows)
    logits = rng.normal(0, rng.choice([0.0, 1.0, 2.5]), (2, m))
    shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    return drawn(shares[rng.integers(0, 2, n_users)[user]], user, seed, sticky=seed % 2 == 0), user


def test_true_propensities_are_hardly_ever_refuted():
    n_refuted = n_judged = 0
    for seed in range(300):
        table, user = simulated(seed)
        arrays = (table["item"].to_numpy(), np.zeros(len(user), np.int64), table["chance"].to_numpy(), user)
        size = excess_of(*arrays)[2]
        n_judged += len(size) > 0
        n_refuted += bool((size > 1).any())
    assert n_judged > 200
    assert n_refuted < 0.02 * 300


@pytest.mark.parametrize("share", [0.5, 0.8, 0.9, 0.95])
def test_an_action_that_by_chance_is_nearly_always_there(share):
    n_refuted = 0
    for seed in range(300):
        n = (20, 60, 110)[seed % 3]
        user = users(n, 5)
        table = drawn(np.tile([share, 1 - share], (len(user), 1)), user, seed, sticky=True)
        arrays = (table["item"].to_numpy(), np.zeros(len(user), np.int64), table["chance"].to_numpy(), user)
        n_refuted += bool((excess_of(*arrays)[2] > 1).any())
    assert n_refuted < 0.02 * 300


@pytest.mark.skipif(not SAMPLE.is_dir(), reason=f"the sample is not beside the checkout: {SAMPLE}")
@pytest.mark.parametrize("policy", ["random", "bts"])
@pytest.mark.parametrize("campaign", ["men", "women"])
def test_the_open_bandit_sample_is_not_refuted(policy, campaign):
    table = read_open_bandit(SAMPLE, policy, campaign)
    columns = {**COLUMNS, "context": None}
    assert table_of(table, policy=0.1, columns=columns).inputs.refuted == ""
    thirds = table.assign(propensity_score=table["propensity_score"] / 3)  # of the item at one of three positions
    assert "at position" in table_of(thirds, policy=0.1, columns=columns).inputs.refuted
