"""What must not be trusted: each a log on which an interval misses, and the verdict says so."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from recsim.ope import ESTIMATORS, evaluate
from recsim.ope.diagnostics import Verdict, assuming_verdict, deciding

REWARD = np.array([0.1, 0.2, 0.5])
LOGGED, TARGET = np.array([0.88, 0.1, 0.02]), np.array([0.6, 0.1, 0.3])
COLUMNS = {"reward": "reward", "action": "item", "propensity": "chance", "context": ["kind"]}


def table_of(reward: np.ndarray, item: np.ndarray) -> pd.DataFrame:
    return pd.DataFrame({"item": item, "chance": LOGGED[item], "reward": reward, "kind": item * 0})


def logged(seed: int, n: int = 2000) -> tuple[np.random.Generator, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng, rng.choice(3, n, p=LOGGED)


def rows_of(table: pd.DataFrame, policy, **options) -> pd.DataFrame:
    return evaluate(table, policy, COLUMNS, **options).to_frame().query("objective == 'reward'").set_index("estimator")


TAMED = [name for name, one in ESTIMATORS.items() if one.tames]


def test_tamed_weights_are_never_trusted_and_hold_the_interval_of_the_plain_ones():
    held = dict.fromkeys(TAMED, 0)
    for seed in range(20):
        rng, item = logged(seed)
        table = table_of((rng.random(len(item)) < REWARD[item]).astype(float), item)
        rows = rows_of(table, dict(enumerate(TARGET)), estimators=[*TAMED, "ips", "dr"])
        for name in TAMED:
            own, plain = rows.loc[name], rows.loc[ESTIMATORS[name].tames]
            assert own["verdict"] != "trust"
            assert own["low"] <= plain["low"]
            assert own["high"] >= plain["high"]
            held[name] += own["low"] <= TARGET @ REWARD <= own["high"]
    assert min(held.values()) >= 17  # 15 to 50 of 100 before the interval of the plain weights was made part of it


@pytest.mark.parametrize(
    "rewards",
    [
        lambda rng, n: (1 - rng.random(n)) ** (-1 / 1.3),  # revenue whose variance is infinite
        lambda rng, n: 1000.0 * (rng.random(n) < 0.001) + (rng.random(n) < 0.1),
        lambda rng, n: 1.0 + 100.0 * (rng.random(n) < 0.001),
        lambda rng, n: (rng.random(n) < 0.999).astype(float),
    ],
)
def test_an_estimate_that_a_few_sessions_decide_is_not_trusted(rewards):
    rng, item = logged(1)
    rows = rows_of(table_of(rewards(rng, len(item)), item), "chance")
    assert (rows.loc[["ips", "snips"], "verdict"] != "trust").all()
    assert rows.loc["snips", "reason"].startswith(("about ", "no session differs"))


def test_how_many_sessions_decide():
    rng = np.random.default_rng(0)
    normal, rare = rng.normal(size=(3000, 1)), np.zeros((3000, 1))
    rare[:3] = 50.0
    assert deciding(normal)[0] == pytest.approx(1000, rel=0.1)  # n / 3, the fourth moment of a normal number
    assert deciding(rare)[0] == pytest.approx(3.0)
    assert deciding(np.zeros((5, 1)))[0] == np.inf


def test_weights_inside_a_slate_are_looked_at_where_they_are_used(world, tiny_log):
    names = ["rips", "pdis-rips"]
    one = tiny_log[tiny_log.step == 0]  # sessions of one slate, in which the two are the same
    frame = evaluate(one, [world.target, world.greedy], seed=0, estimators=names).to_frame()
    rows = frame.query("objective == 'reward'").set_index(["policy", "estimator"])
    for policy in ("target", "greedy"):
        rips, pdis = (rows.loc[(policy, name)] for name in names)
        assert pdis["value"] == pytest.approx(rips["value"])
        assert pdis["ess"] == pytest.approx(rips["ess"])
        assert pdis["max_weight"] == pytest.approx(rips["max_weight"])
        assert pdis["verdict"] == rips["verdict"]


@pytest.mark.parametrize(
    ("own", "checked", "differs", "level", "reason"),
    [
        (
            "trust",
            True,
            0.02,
            "caution",
            "it assumes more of users than snrips, from which it differs by +0.02 ± 0.01.",
        ),
        ("trust", True, -0.04, "do not use", "differs by -0.04 ± 0.01: the log speaks against it."),
        ("trust", False, 0.04, "caution", "with which the log is too short to compare it."),
        ("caution", True, 0.0, "caution", "its own reason."),
        ("do not use", True, 0.0, "do not use", "its own reason."),
    ],
)
def test_what_assumes_more_is_held_against_what_assumes_less(own, checked, differs, level, reason):
    found = assuming_verdict(Verdict(own, "its own reason."), "snrips", checked, differs, 0.01)
    assert found.level == level
    assert found.reason.endswith(reason)
