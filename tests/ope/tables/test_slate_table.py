from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from recsim.ope import evaluate, rips, sips

COLUMNS = {
    "slate": ["user", "step"],
    "position": "position",
    "item": "item",
    "reward": ["click", "like"],
    "propensity": "chance",
    "session": "user",
    "time": "step",
}
WEIGHTS = {"click": 1.0, "like": 0.5}


def long_table(log, **policies) -> pd.DataFrame:
    """One row per slate and position of a log, positions from 1, with step-wise probabilities of all policies."""
    n, k = log.slate.shape
    table = pd.DataFrame(
        {
            "user": np.repeat(log.user, k),
            "step": np.repeat(log.step, k),
            "position": np.tile(np.arange(1, k + 1), n),
            "item": log.slate.ravel(),
            "click": log.objectives[:, :, 0].ravel(),
            "like": log.objectives[:, :, 1].ravel(),
            "chance": np.exp(log.step_log_prob).ravel(),
        }
    )
    for name, policy in policies.items():
        table[name] = np.exp(policy.step_log_prob(log.observation, log.slate)).ravel()
    return table


@pytest.fixture(scope="module")
def table(world, tiny_log) -> pd.DataFrame:
    return long_table(tiny_log, target=world.target, greedy=world.greedy)


@pytest.fixture(scope="module")
def evaluation(table):
    return evaluate(table, policy={"target": "target", "greedy": "greedy"}, columns=COLUMNS, weights=WEIGHTS)


def test_a_long_table_says_what_its_log_says(world, tiny_log, evaluation):
    expected = evaluate(tiny_log, [world.target, world.greedy], seed=0).to_frame()
    frame = evaluation.to_frame()
    assert list(frame["estimator"].unique()) == ["sips", "rips", "snsips", "snrips"]
    keys = ["policy", "estimator", "objective"]
    both = frame.merge(expected, on=keys)
    assert len(both) == len(frame) == 24
    for name in ("value", "se", "low", "high", "ess"):
        assert np.allclose(both[f"{name}_x"], both[f"{name}_y"], rtol=1e-9, equal_nan=True), name
    assert both["verdict_x"].equals(both["verdict_y"])


def test_sessions_can_be_valued_where_their_order_is_known(world, tiny_log, table):
    names = ["pdis", "wis"]
    expected = evaluate(tiny_log, [world.target], seed=0, estimators=names).to_frame()
    frame = evaluate(table, policy="target", columns=COLUMNS, weights=WEIGHTS, estimators=names).to_frame()
    assert set(frame["estimand"]) == {"session"}
    assert np.allclose(frame[["value", "low", "high"]], expected[["value", "low", "high"]], rtol=1e-9)
    for name in ("session", "time"):
        with pytest.raises(
            ValueError, match=r"estimator 'pdis' values whole sessions, .*name the columns `session` and"
        ):
            evaluate(table, policy="target", columns={**COLUMNS, name: None}, estimators=names)


def test_the_order_of_rows_changes_nothing(table, evaluation):
    shuffled = table.sample(frac=1.0, random_state=1)
    found = evaluate(shuffled, policy={"target": "target", "greedy": "greedy"}, columns=COLUMNS, weights=WEIGHTS)
    assert found.to_frame().equals(evaluation.to_frame())


def test_types_and_other_forms_of_policies_change_nothing(table, evaluation):
    other = table.assign(
        position=table["position"].astype(np.int32) - 1,
        click=table["click"].astype(bool),
        chance=table["chance"].astype("Float64"),
        user=table["user"].astype(str).str.zfill(4),
    )
    policies = {"target": table["target"].to_numpy(), "greedy": lambda rows: rows["greedy"]}
    found = evaluate(other, policy=policies, columns=COLUMNS, weights=WEIGHTS)
    assert found.to_frame().equals(evaluation.to_frame())


def test_joint_probabilities_of_slates(table, evaluation):
    joint = table.groupby(["user", "step"])[["chance", "target"]].transform("prod").add_prefix("joint_")
    columns = {**COLUMNS, "joint": "joint_chance", "propensity": None}
    frame = evaluate(table.join(joint), policy={"target": "joint_target"}, columns=columns, weights=WEIGHTS).to_frame()
    assert list(frame["estimator"].unique()) == ["sips", "snsips"]
    expected = evaluation.to_frame().query("policy == 'target' and estimator in ('sips', 'snsips')")
    for name in ("value", "se", "low", "high", "ess"):
        assert np.allclose(frame[name], expected[name], rtol=1e-9), name
    bad = table.join(joint)
    bad.loc[4, "joint_chance"] = 0.9
    with pytest.raises(
        ValueError, match=r"row 4: joint_chance differs from row 3 of the same slate; the probability of"
    ):
        evaluate(bad, policy={"target": "joint_target"}, columns=columns)
    with pytest.raises(ValueError, match=r"row \d: target differs from row 0 of the same slate"):
        evaluate(table.join(joint), policy="target", columns=columns)


def test_by_hand():
    two = pd.DataFrame({"slate": [1, 0, 0, 1], "place": [1, 1, 0, 0], "click": [1, 0, 1, 0]})
    two["chance"], two["p"] = 0.5, [0.5, 0.25, 1.0, 0.25]
    columns = {"slate": "slate", "position": "place", "reward": "click", "propensity": "chance"}
    found = evaluate(two, policy="p", columns=columns).to_frame().query("objective == 'reward'").set_index("estimator")
    reward, target, half = [[1, 0], [0, 1]], np.log([[1.0, 0.25], [0.25, 0.5]]), np.log([[0.5, 0.5], [0.5, 0.5]])
    assert found.loc["sips", "value"] == pytest.approx(sips(reward, target, half).value[0]) == pytest.approx(0.75)
    assert found.loc["rips", "value"] == pytest.approx(rips(reward, target, half).value[0]) == pytest.approx(1.25)


def test_a_slate_with_a_missing_or_repeated_row_is_refused(table):
    with pytest.raises(ValueError, match=r"row 3: slate 0, 1 has no position 2, as others have; add the missing row"):
        evaluate(table.drop(index=4), policy="target", columns=COLUMNS)
    with pytest.raises(ValueError, match=r"slate 0, 0 has no position 1, as others have"):
        evaluate(table.drop(index=0), policy="target", columns=COLUMNS)
    twice = pd.concat([table, table.iloc[[4]]])
    with pytest.raises(
        ValueError, match=r"row 3,600 \(index 4\): slate 0, 1 has position 2 a second time, first in row 4"
    ):
        evaluate(twice, policy="target", columns=COLUMNS)
    with pytest.raises(ValueError, match=r"row 1: column 'position' \(position\) is 2, and none is smaller"):
        evaluate(table[table["position"] > 1].reset_index(drop=True).iloc[[1, 0, 3, 2]].sort_index(ascending=False)
                 .reset_index(drop=True), policy="target", columns=COLUMNS)  # fmt: skip


def test_shorter_slates_can_be_filled(table):
    short = table.copy()
    short.loc[[5, 11], ["click", "like"]] = 0.0
    short.loc[[5, 11], ["chance", "target"]] = 1.0
    assert len(evaluate(short, policy="target", columns=COLUMNS).to_frame()) == 12


def test_what_contradicts_itself(table):
    def check(changed, **columns):
        return evaluate(changed, policy="target", columns={**COLUMNS, **columns})

    with pytest.raises(ValueError, match=r"row 1: other differs from row 0 of the same slate; the session and time"):
        check(table.assign(other=np.arange(len(table))), session="other")
    with pytest.raises(ValueError, match=r"row 1: other differs from row 0 of the same slate; the session and time"):
        check(table.assign(other=np.arange(len(table))), time="other")
    with pytest.raises(ValueError, match="columns names both `propensity` and `joint`"):
        check(table, joint="chance")
    with pytest.raises(ValueError, match="columns names neither `propensity` .* nor `joint`"):
        check(table, propensity=None)
    with pytest.raises(ValueError, match="columns names a `slate` but no `position`"):
        check(table, position=None)
    with pytest.raises(ValueError, match=r"row 0: column 'position' \(position\) is 1.5; positions are whole numbers"):
        check(table.assign(position=table["position"] + 0.5))
    far = table.assign(position=table["position"].where(np.arange(len(table)) != 7, 10**12))
    with pytest.raises(ValueError, match=r"slate .* has no position \d, as others have; add the missing row"):
        check(far)
    with pytest.raises(TypeError, match=r"row 0: column 'position' \(position\) holds str"):
        check(table.assign(position=table["position"].astype(str)))
    with pytest.raises(ValueError, match=r"row 7: column 'item' \(action\) is missing"):
        check(table.assign(item=table["item"].where(np.arange(len(table)) != 7)))
    tiny = table.assign(chance=table["chance"].where(np.arange(len(table)) != 7, 1e-200))
    with pytest.raises(ValueError, match=r"row 7: the weight of policy 'target' is e\^4\d\d"):
        check(tiny)


@settings(
    max_examples=60,
    deadline=None,
    database=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    column=st.sampled_from(["user", "step", "position", "item", "click", "chance", "target"]),
    row=st.integers(0, 17),
    value=st.one_of(
        st.floats(width=64), st.none(), st.text(max_size=2), st.sampled_from([pd.NA, 1j, [1], -1, 0, 1, 2])
    ),
)
def test_bad_tables_never_give_a_silent_nan(table, column, row, value):
    """Whatever one value of a table becomes, an error says so, or every NaN stands beside `do not use`."""
    bad = table[:18].copy()
    cells = bad[column].tolist()
    cells[row] = value
    bad[column] = pd.Series(cells, dtype=None if isinstance(value, (int, float)) else object)
    message = ""
    try:
        frame = evaluate(bad, policy={"target": "target", "greedy": "greedy"}, columns=COLUMNS, n_boot=20).to_frame()
    except (ValueError, TypeError) as error:
        message = str(error)
    if message:
        assert "row " in message or repr(column) in message
        return
    assert not isinstance(value, float) or math.isfinite(value)
    numbers = frame[["value", "se", "low", "high"]].to_numpy()
    assert (frame["verdict"][~np.isfinite(numbers).all(axis=1)] == "do not use").all()


def test_slates_of_one_time_have_no_order(table):
    tied = table.assign(page=table["step"]).astype({"step": int})
    slate = tied["user"].astype(str) + "/" + tied["step"].astype(str)
    own = tied["user"] == tied["user"].iloc[0]
    tied.loc[own, "step"] = 7
    second = int((own & (slate != slate[0])).to_numpy().argmax())
    message = rf"^row {second}: session {tied['user'].iloc[0]} has a second slate of time 7, the first in row 0; "
    with pytest.raises(ValueError, match=message):
        evaluate(tied, policy="target", columns={**COLUMNS, "slate": ["user", "page"]}, estimators=["pdis"])
