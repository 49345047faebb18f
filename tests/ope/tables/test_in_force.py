"""Tables that say more of what was in force: the probabilities of all actions, groups of actions, several loggers."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from recsim.ope import evaluate, loggers, table_of
from recsim.ope.embedding import cluster_weight, mips, offcem

ALL = {"a": "of_a", "b": "of_b", "c": "of_c"}
GROUPED = {"reward": "click", "action": "item", "propensities": ALL, "group": "kind"}
BY = {"reward": "click", "action": "item", "logger": "who", "propensity_by": {"old": "by_old", "new": "by_new"}}


def grouped(n: int, seed: int = 0) -> pd.DataFrame:
    """Items a and b of one kind, c of another; clicks depend on the kind alone."""
    rng = np.random.default_rng(seed)
    user = rng.integers(0, 2, n)
    chance = np.array([[0.5, 0.3, 0.2], [0.1, 0.2, 0.7]])[user]
    code = (chance.cumsum(axis=1) > rng.random((n, 1))).argmax(axis=1)
    worth = np.array([[0.2, 0.2, 0.6], [0.5, 0.5, 0.1]])[user, code]
    return pd.DataFrame(
        {
            "taste": user,
            "item": np.array(["a", "b", "c"])[code],
            "kind": np.array(["shoe", "shoe", "hat"])[code],
            "click": (rng.random(n) < worth).astype(int),
            **{name: chance[:, place] for place, name in enumerate(ALL.values())},
        }
    )


def several(n: int, seed: int = 0) -> pd.DataFrame:
    """Two policies that wrote a third and two thirds of the rows, with items a and b worth 0.3 and 0.6."""
    rng = np.random.default_rng(seed)
    new = np.arange(n) % 3 > 0
    chance = np.where(new, 0.2, 0.95)  # of item a
    first = rng.random(n) < chance
    return pd.DataFrame(
        {
            "who": np.where(new, "new", "old"),
            "item": np.where(first, "a", "b"),
            "by_old": np.where(first, 0.95, 0.05),
            "by_new": np.where(first, 0.2, 0.8),
            "click": (rng.random(n) < np.where(first, 0.3, 0.6)).astype(int),
        }
    )


def rewards(evaluation, policy: str = "target") -> pd.DataFrame:
    return evaluation.to_frame().query(f"objective == 'reward' and policy == {policy!r}").set_index("estimator")


def test_mips_by_hand():
    small = pd.DataFrame(
        {
            "item": list("abca"),
            "kind": ["shoe", "shoe", "hat", "shoe"],
            "click": [1, 0, 1, 1],
            "of_a": [0.25, 0.25, 0.5, 0.5],
            "of_b": [0.25, 0.25, 0.25, 0.25],
            "of_c": [0.5, 0.5, 0.25, 0.25],
        }
    )
    found = evaluate(small, {"a": 0.9, "b": 0.0, "c": 0.1}, GROUPED, estimators=["mips", "ips"], n_boot=20)
    weight = [0.9 / 0.5, 0.9 / 0.5, 0.1 / 0.25, 0.9 / 0.75]  # of shoes, or of hats
    expected = (weight[0] + weight[2] + weight[3]) / 4
    assert rewards(found).loc["mips", "value"] == pytest.approx(expected)
    assert rewards(found).loc["mips", "max_weight"] == pytest.approx(1.8)
    assert rewards(found).loc["ips", "value"] == pytest.approx((0.9 / 0.25 + 0.1 / 0.25 + 0.9 / 0.5) / 4)


def test_groups_give_the_truth_with_lighter_weights():
    table, columns = grouped(4000), {**GROUPED, "context": ["taste"]}
    found = rewards(evaluate(table, {"a": 0.05, "b": 0.75, "c": 0.2}, columns))
    assert list(found.index) == ["ips", "snips", "dm", "dr", "sndr", "mips", "offcem"]
    truth = (0.8 * 0.2 + 0.2 * 0.6 + 0.8 * 0.5 + 0.2 * 0.1) / 2
    for name in ("mips", "offcem", "ips", "dr"):
        assert abs(found.loc[name, "value"] - truth) < 4 * found.loc[name, "se"]
    assert found.loc["mips", "se"] < found.loc["ips", "se"]
    assert found.loc["mips", "ess"] > 1.5 * found.loc["ips", "ess"]


def test_the_same_as_on_plain_arrays():
    table, columns = grouped(600), {**GROUPED, "context": ["taste"]}
    shares = np.tile([0.05, 0.75, 0.2], (600, 1))
    arrays = table_of(table, shares, columns)
    code, in_force = arrays.groups[1], arrays.in_force
    weight = cluster_weight([1, 1, 0], code, shares, in_force)  # hat comes before shoe
    found = rewards(evaluate(table, shares, columns, n_boot=20))
    reward = arrays.inputs.reward[:, 0]
    assert found.loc["mips", "value"] == pytest.approx(mips(reward, weight).value[-1], rel=1e-12)
    model = [part[:, 0] for part in arrays.model["target"]]
    assert found.loc["offcem", "value"] == pytest.approx(offcem(reward, weight, *model).value[-1], rel=1e-12)


def test_estimated_propensities_will_do_for_groups():
    columns = {"reward": "click", "action": "item", "group": "kind", "context": ["taste"]}
    found = rewards(evaluate(grouped(2000), {"a": 0.05, "b": 0.75, "c": 0.2}, columns))
    assert abs(found.loc["mips", "value"] - 0.35) < 4 * found.loc["mips", "se"]
    assert found.loc["mips", "verdict"] == "caution"


def test_all_probabilities_stand_for_the_logged_one_and_bound_the_weights():
    table = grouped(500)
    table["p"] = table[list(ALL.values())].to_numpy()[np.arange(500), table["item"].map({"a": 0, "b": 1, "c": 2})]
    one, both = (rewards(evaluate(table, {"c": 1.0}, {**GROUPED, "propensity": name})) for name in (None, "p"))
    assert one.equals(both)
    plain = rewards(evaluate(table, {"c": 1.0}, {"reward": "click", "action": "item", "propensity": "p"}))
    assert one.loc["ips", "value"] == plain.loc["ips", "value"]
    shuffled = table.sample(frac=1.0, random_state=1)
    assert rewards(evaluate(shuffled, {"c": 1.0}, GROUPED)).equals(one)


def test_actions_that_were_possible_and_never_logged():
    table = grouped(400)
    table["of_d"], table["of_c"] = 0.01, table["of_c"] - 0.01
    columns = {**GROUPED, "propensities": {**ALL, "d": "of_d"}}
    found = evaluate(table, {"d": 0.25, "a": 0.75}, columns)
    assert found.warnings["target"][0] == "target: 25.00% of its choices are actions that were never logged."
    assert found.left_out["mips"] == (
        "needs the group of every action, and no row tells that of actions that were never logged, which are 25.00% of "
        "the policy's choices and 1.00% of those of the policy in force."
    )
    array = np.tile([0.5, 0.25, 0.25, 0.0], (400, 1))  # a, b, c, d
    assert table_of(table, array, columns).elsewhere == {"target": 0.0}


@pytest.mark.parametrize("columns", [{"propensities": ALL}, {}], ids=["known", "estimated"])
def test_actions_that_nobody_knows_are_without_support(columns):
    found = evaluate(grouped(400), {"a": 0.5, "z": 0.5}, {"reward": "click", "action": "item", **columns})
    assert set(rewards(found)["verdict"]) == {"do not use"}
    assert "50.0% of what it would show was never logged" in " ".join(found.warnings["target"])


def test_what_groups_need():
    table = grouped(100).assign(p=0.3)
    plain = {"reward": "click", "action": "item", "propensity": "p", "group": "kind"}
    left_out = evaluate(table, {"a": 1.0}, plain).left_out
    assert left_out["mips"].startswith("needs the group of every action: pass `groups` (of a log), or name the column")
    left_out = evaluate(table, "p", GROUPED).left_out
    assert "probabilities of all actions under both policies" in left_out["offcem"]


@pytest.mark.parametrize(
    ("change", "columns", "message"),
    [
        (
            {"kind": "hat"},
            {},
            r"row 1: column 'kind' \(group\) is 'shoe', but action 'a' has 'hat' in row 0; every",
        ),
        ({"of_a": 0.9}, {}, r"row 0: the columns of columns\['propensities'\] add up to 1\.\d+; over all actions they"),
        ({"of_a": -0.5}, {}, r"row 0: column 'of_a' \(propensity of 'a'\) is -0.5; a probability is between 0 and 1"),
        ({"p": 0.9}, {"propensity": "p"}, r"row 0: column 'p' \(propensity\) is 0.9, but column 'of_\w' says 0\.\d of"),
        (
            {},
            {"propensities": {"a": "of_a"}},
            r"is '[bc]', of which columns\['propensities'\] names no column; it knows",
        ),
        ({}, {"propensities": {}}, r"columns\['propensities'\] is empty; name a column for every action"),
        ({}, {"action": None}, "columns names `propensities`, which is of actions, but no `action`"),
        ({}, {"slate": "taste"}, "columns names `propensities`, which is of single actions, and `slate`"),
    ],
)
def test_probabilities_and_groups_that_cannot_be(change, columns, message):
    table = grouped(60, seed=3).sort_values("item", ignore_index=True)
    table.loc[0, list(change)] = list(change.values())
    if change.get("p"):
        table["p"] = table["p"].fillna(0.5)  # row 0 is refused first
    with pytest.raises(ValueError, match=message):
        evaluate(table, {"a": 1.0}, {**GROUPED, **columns})


def test_what_was_logged_had_a_chance():
    table = grouped(60, seed=3)
    row = int((table["item"] == "a").to_numpy().argmax())
    table.loc[row, ["of_a", "of_b", "of_c"]] = [0.0, 0.5, 0.5]
    with pytest.raises(
        ValueError, match=rf"row {row}: column 'of_a' \(propensity of 'a'\) is 0; a logged action cannot"
    ):
        evaluate(table, {"a": 1.0}, GROUPED)


def test_mappings_of_columns():
    table = grouped(60)
    with pytest.raises(TypeError, match=r"columns\['propensities'\] is 'of_a'; it must be a dictionary from action"):
        evaluate(table, {"a": 1.0}, {**GROUPED, "propensities": "of_a"})
    with pytest.raises(TypeError, match=r"columns\['propensities'\] names actions that cannot be put in order"):
        evaluate(table, {"a": 1.0}, {**GROUPED, "propensities": {**ALL, 1: "of_a"}})


ODD = st.one_of(
    st.floats(width=64),
    st.booleans(),
    st.none(),
    st.text(max_size=3),
    st.sampled_from([pd.NA, pd.NaT, 1j, (1, 2), b"x", 2**70, 5e-324, 1e-120, -0.0]),
)
PHASES = [Phase.explicit, Phase.generate]
FEW = {"deadline": None, "database": None, "derandomize": True, "max_examples": 40, "phases": PHASES}


def check_one_odd_value(table: pd.DataFrame, columns: dict, column: str, row: int, value: object) -> None:
    """Whatever one value of a table becomes, an error says so, or every NaN stands beside `do not use`."""
    cells = table[column].tolist()
    cells[row] = value
    table[column] = cells if isinstance(value, (int, float)) else pd.Series(cells, dtype=object)
    message = ""
    try:
        frame = evaluate(table, {"even": {"a": 0.5, "b": 0.5}}, columns, n_boot=20).to_frame()
    except (ValueError, TypeError) as error:
        message = str(error)
    if message:
        assert re.search(rf"row {row}\b|column {column!r}|add up to|action 'a'|row \d+: column", message), message
        return
    numbers = frame[["value", "se", "low", "high"]].to_numpy()
    assert (frame["verdict"][~np.isfinite(numbers).all(axis=1)] == "do not use").all()


@settings(**FEW)
@given(column=st.sampled_from(["of_a", "of_b", "kind", "item"]), row=st.integers(0, 11), value=ODD)
def test_bad_groups_and_probabilities_never_give_a_silent_nan(column, row, value):
    check_one_odd_value(grouped(12, seed=3), GROUPED, column, row, value)


@settings(**FEW)
@given(column=st.sampled_from(["who", "by_old", "by_new"]), row=st.integers(0, 11), value=ODD)
def test_bad_loggers_never_give_a_silent_nan(column, row, value):
    check_one_odd_value(several(12, seed=3), BY, column, row, value)


def test_the_mixture_of_loggers_by_hand():
    small = pd.DataFrame(
        {
            "who": ["old", "new", "new", "new"],
            "item": list("abab"),
            "by_old": [0.9, 0.1, 0.9, 0.1],
            "by_new": [0.5, 0.5, 0.5, 0.5],
            "click": [1, 1, 0, 1],
        }
    )
    found = evaluate(small, {"a": 0.2, "b": 0.8}, BY, n_boot=20)
    mixture = {"a": 0.9 / 4 + 0.5 * 3 / 4, "b": 0.1 / 4 + 0.5 * 3 / 4}
    expected = (0.2 / mixture["a"] + 2 * 0.8 / mixture["b"]) / 4
    assert rewards(found).loc["ips", "value"] == pytest.approx(expected)
    assert found.warnings["target"][1] == (
        "the rows were written by several policies ('new' 75%, 'old' 25%): propensities are those of this mixture "
        "(balanced); only the estimator `weighted` weighs each row by the policy that wrote it."
    )
    assert found.left_out["weighted"] == (
        "needs the precision of every logger, and 1 row(s) of 'old' all contribute 0.222222 to click."
    )


def test_loggers_as_on_plain_arrays():
    table = several(900)
    found = rewards(evaluate(table, {"a": 0.5, "b": 0.5}, BY))
    assert list(found.index) == ["ips", "snips", "weighted"]
    who = (table["who"] == "old").to_numpy().astype(int)
    arrays = table["click"], np.full(900, np.log(0.5)), np.log(table[["by_new", "by_old"]].to_numpy()), who
    assert found.loc["ips", "value"] == pytest.approx(loggers.balanced(*arrays).value[0], rel=1e-12)
    assert found.loc["weighted", "value"] == pytest.approx(loggers.weighted(*arrays).value[0], rel=1e-12)
    weight = loggers.weighted_weight(*arrays)[:, 0]
    assert found.loc["weighted", "ess"] == pytest.approx(weight.sum() ** 2 / np.square(weight).sum())
    assert found.loc["weighted", "max_weight"] == pytest.approx(weight.max())
    assert rewards(evaluate(table.sample(frac=1.0, random_state=1), {"a": 0.5, "b": 0.5}, BY)).equals(found)


def test_loggers_together_know_the_truth():
    found = rewards(evaluate(several(6000), {"a": 0.5, "b": 0.5}, BY))
    for name in ("ips", "snips", "weighted"):
        assert abs(found.loc[name, "value"] - 0.45) < 4 * found.loc[name, "se"]
    assert set(found["verdict"]) == {"trust"}


def test_weighted_needs_every_propensity_to_tell_something():
    table = several(300).assign(sale=0)
    found = evaluate(table, {"a": 0.5, "b": 0.5}, {**BY, "reward": ["click", "sale"]})
    assert found.left_out["weighted"].endswith("row(s) of 'new' all contribute 0 to sale.")
    with pytest.raises(
        ValueError, match="estimator 'weighted' cannot be used for policy 'target': it needs the precis"
    ):
        evaluate(table, {"a": 0.5, "b": 0.5}, {**BY, "reward": ["click", "sale"]}, estimators=["weighted"])
    plain = {"reward": "click", "action": "item", "propensity": "by_new"}
    with pytest.raises(
        ValueError, match="it needs who wrote each row, and the propensities by all who did: of a table"
    ):
        evaluate(table, {"a": 0.5, "b": 0.5}, plain, estimators=["weighted"])


def test_an_action_that_was_logged_but_had_no_chance_in_some_rows_is_without_support_there():
    n = 2000
    rng = np.random.default_rng(0)
    chance = np.where(np.arange(n)[:, None] % 4 == 0, [1.0, 0.0], [0.5, 0.5])  # in a quarter of the rows only a
    item = np.where(rng.random(n) < chance[:, 0], "a", "b")
    table = pd.DataFrame({"item": item, "click": rng.random(n) < 0.3, "pa": chance[:, 0], "pb": chance[:, 1]})
    columns = {"reward": "click", "action": "item", "propensities": {"a": "pa", "b": "pb"}}
    found = evaluate(table, {"a": 0.5, "b": 0.5}, columns)
    assert "12.5% of what it would show was never logged" in " ".join(found.warnings["target"])


def test_no_interval_is_called_guaranteed_where_weights_need_not_have_the_mean_1():
    table = several(300)
    assert evaluate(table, {"a": 0.5, "b": 0.5}, {"reward": "click", "action": "item"}).guaranteed == ()
    assert evaluate(table, {"a": 0.5, "b": 0.5}, BY).guaranteed == ()
    plain = {"reward": "click", "action": "item", "propensity": "by_new"}
    assert evaluate(table, {"a": 0.5, "b": 0.5}, plain).guaranteed == ()  # of half of the rows it was another's
    assert evaluate(table[table["who"] == "new"], {"a": 0.5, "b": 0.5}, plain).guaranteed != ()


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"propensity_by": None}, "columns names `logger` but no `propensity_by`; name both"),
        ({"logger": None}, "columns names `propensity_by` but no `logger`; name both"),
        ({"propensity": "by_new"}, "columns names both `propensity` and `propensity_by`, of one policy and of several"),
        ({"propensities": {"a": "by_new"}}, "columns names both `propensities` and `propensity_by`, of one policy"),
        (
            {"propensity_by": {"old": "by_old"}},
            r"row 1: column 'who' \(logger\) is 'new', of which columns\['propensity",
        ),
        (
            {"propensity_by": {"old": "by_old", "new": "zero"}},
            r"row 1: column 'zero' \(propensity by 'new'\) is 0.0; a l",
        ),
        ({"slate": "who"}, "columns names `logger`, which is of single actions, and `slate`"),
    ],
)
def test_loggers_that_cannot_be(columns, message):
    with pytest.raises(ValueError, match=message):
        evaluate(several(30).assign(zero=0.0), {"a": 1.0}, {**BY, **columns})


def test_a_weight_that_no_float_holds_is_refused_by_the_tables_own_row():
    """Under the mixture it would do, by its own logger it would not."""
    table = several(30).iloc[::-1]
    row = int((table["who"] == "new").to_numpy().argmax())
    table.iloc[row, table.columns.get_loc("by_new")] = 5e-324
    with pytest.raises(ValueError, match=rf"row {row} \(index {29 - row}\): the weight of policy 'target' is e\^74\d"):
        evaluate(table, {"a": 0.5, "b": 0.5}, BY)


def test_a_logger_may_never_do_what_another_did():
    table = several(300)
    table.loc[(table["who"] == "new") & (table["item"] == "a"), "by_old"] = 0.0
    found = rewards(evaluate(table, {"a": 0.5, "b": 0.5}, BY))
    mixture = {"a": 2 / 3 * 0.2 + 1 / 3 * 0.95, "b": 2 / 3 * 0.8 + 1 / 3 * 0.05}
    only = {"a": 2 / 3 * 0.2, "b": mixture["b"]}  # of rows that the new one wrote
    chance = [(only if who == "new" else mixture)[item] for who, item in zip(table["who"], table["item"], strict=True)]
    assert found.loc["ips", "value"] == pytest.approx((0.5 / np.array(chance) * table["click"]).mean())
