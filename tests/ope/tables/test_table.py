from __future__ import annotations

import decimal
import html
import math
import re

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st

from recsim.ope import evaluate, table_of
from recsim.ope.tables.calibration import CANNOT_BE_KNOWN
from recsim.report import render_evaluation, write_evaluation

COLUMNS = {"reward": "click", "action": "item", "propensity": "chance", "session": "user", "time": "step"}
CONTEXT = {**COLUMNS, "context": ["taste"]}
TRUTH = {"even": 0.35, "best": 0.6}


def logged(n_users: int, seed: int = 0) -> pd.DataFrame:
    """Three decisions a user: taste 0 or 1, items a, b, c, of which a softmax of taste shows one."""
    rng = np.random.default_rng(seed)
    n = 3 * n_users
    taste = rng.integers(0, 2, n)
    chance = np.array([[0.5, 0.3, 0.2], [0.2, 0.3, 0.5]])[taste]
    item = (chance.cumsum(axis=1) > rng.random((n, 1))).argmax(axis=1)
    worth = np.array([[0.2, 0.3, 0.6], [0.6, 0.3, 0.1]])[taste, item]
    click = rng.random(n) < worth
    return pd.DataFrame(
        {
            "user": np.repeat(np.arange(n_users), 3),
            "step": np.tile(np.arange(3), n_users),
            "taste": np.array(["sweet", "sour"])[taste],
            "item": np.array(["a", "b", "c"])[item],
            "chance": chance[np.arange(n), item],
            "click": click,
            "sale": click & (rng.random(n) < 0.3),
        }
    )


def best(table: pd.DataFrame) -> np.ndarray:
    """(n, 3): c for those who like it sweet, a for the others."""
    sweet = (table["taste"] == "sweet").to_numpy()
    return np.where(sweet[:, None], [[0.0, 0.0, 1.0]], [[1.0, 0.0, 0.0]])


def rows_of(evaluation, policy="even", objective="reward"):
    frame = evaluation.to_frame()
    return frame[(frame["policy"] == policy) & (frame["objective"] == objective)].set_index("estimator")


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    return logged(1000)


@pytest.fixture(scope="module")
def evaluation(table):
    return evaluate(table, policy={"even": 1 / 3, "best": best}, columns=CONTEXT)


def test_by_hand():
    small = pd.DataFrame({"click": [1, 0, 1, 1], "item": list("aabb"), "chance": [0.5, 0.5, 0.25, 0.25]})
    columns = {"reward": "click", "action": "item", "propensity": "chance"}
    found = rows_of(evaluate(small, policy={"a": 0.25, "b": 0.75}, columns=columns), "target")
    assert found.loc["ips", "value"] == pytest.approx((0.5 + 0 + 3 + 3) / 4)  # weights 1/2, 1/2, 3, 3
    assert found.loc["snips", "value"] == pytest.approx(6.5 / 7)
    assert found.loc["ips", "ess"] == pytest.approx(49 / 18.5)
    assert set(found["verdict"]) == {"do not use"}


@pytest.mark.parametrize("policy", TRUTH)
@pytest.mark.parametrize("estimator", ["ips", "snips", "dr", "sndr"])
def test_the_truth_is_within_four_standard_errors(evaluation, policy, estimator):
    row = rows_of(evaluation, policy).loc[estimator]
    assert abs(row["value"] - TRUTH[policy]) < 4 * row["se"]
    assert row["verdict"] == "trust"


def test_every_estimator_that_the_table_allows(evaluation):
    assert list(rows_of(evaluation).index) == ["ips", "snips", "dm", "dr", "sndr"]
    assert evaluation.left_out == {}
    assert evaluation.objectives == ("click", "reward")
    assert (evaluation.n_slates, evaluation.n_sessions) == (3000, 1000)
    assert rows_of(evaluation).loc["dr", "se"] < rows_of(evaluation).loc["ips", "se"]
    assert evaluation.warnings["even"] == []


def test_the_order_of_rows_changes_nothing(table, evaluation):
    policies = {"even": 1 / 3, "best": best}
    shuffled = table.sample(frac=1.0, random_state=1)
    assert evaluate(shuffled, policy=policies, columns=CONTEXT).to_frame().equals(evaluation.to_frame())
    plain = {key: value for key, value in CONTEXT.items() if key not in ("session", "time")}
    one, two = (evaluate(rows, policy=policies, columns=plain).to_frame() for rows in (table, shuffled))
    assert one.equals(two)


def test_an_array_goes_with_its_rows(table, evaluation):
    shuffled = table.sample(frac=1.0, random_state=2)
    found = evaluate(shuffled, policy={"best": best(shuffled)}, columns=CONTEXT)
    assert rows_of(found, "best").equals(rows_of(evaluation, "best"))


def test_types_change_nothing(table, evaluation):
    other = table.assign(
        click=table["click"].astype("boolean"),
        chance=table["chance"].astype("float64[pyarrow]"),
        item=pd.Categorical(table["item"], categories=["z", "c", "b", "a"]),
        taste=table["taste"].astype(object),
        user=table["user"].astype(np.int32),
        step=pd.Timestamp("2024-05-31") + pd.to_timedelta(table["step"], unit="h"),
    )
    found = evaluate(other, policy={"even": 1 / 3, "best": best}, columns=CONTEXT)
    assert found.to_frame().equals(evaluation.to_frame())


def test_ids_of_any_size(table, evaluation):
    ids = {"a": 3, "b": 300, "c": 10**15}
    large = table.assign(item=table["item"].map(ids))
    found = evaluate(large, policy={"even": 1 / 3, "best": best}, columns=CONTEXT)
    assert found.to_frame().equals(evaluation.to_frame())
    shares = evaluate(large, policy={"even": dict.fromkeys(ids.values(), 1 / 3)}, columns=CONTEXT)
    assert rows_of(shares).equals(rows_of(evaluation))


def test_several_objectives_and_their_weighted_sum(table):
    columns = {**CONTEXT, "reward": {"clicks": "click", "sales": "sale"}}
    found = evaluate(table, policy=1 / 3, columns=columns, weights={"clicks": 1.0, "sales": 10.0})
    assert found.objectives == ("clicks", "sales", "reward")
    values = found.to_frame().pivot_table(index="estimator", columns="objective", values="value")
    assert np.allclose(values["reward"], values["clicks"] + 10 * values["sales"], rtol=1e-12)
    equal = evaluate(table, policy=1 / 3, columns={**COLUMNS, "reward": ["click", "sale"]})
    assert equal.objectives == ("click", "sale", "reward")


def test_a_column_called_reward_is_the_objective(table):
    found = evaluate(table.rename(columns={"click": "reward"}), policy=1 / 3, columns={**CONTEXT, "reward": "reward"})
    assert found.objectives == ("reward",)
    same = rows_of(evaluate(table, policy=1 / 3, columns=CONTEXT), "target")
    for name in ("value", "se", "low", "high"):
        assert np.allclose(rows_of(found, "target")[name], same[name], rtol=1e-9)
    with pytest.raises(ValueError, match=r"an objective is called 'reward', the name of the weighted sum"):
        evaluate(table, policy=1 / 3, columns={**COLUMNS, "reward": {"reward": "click", "sale": "sale"}})


def test_positions_are_context(table):
    """Where rows of slates are logged apart, an action is as good as its position lets it be."""
    rng = np.random.default_rng(3)
    position = rng.integers(1, 3, 4000)
    item = rng.integers(0, 2, 4000)
    click = rng.random(4000) < np.where(position == 1, 0.6, 0.2) * np.where(item == 0, 1.0, 0.5)
    apart = pd.DataFrame({"position": position, "item": item, "click": click, "chance": 0.5})
    columns = {"reward": "click", "action": "item", "position": "position", "propensity": "chance", "context": []}
    row = rows_of(evaluate(apart, policy={0: 1.0, 1: 0.0}, columns=columns), "target").loc["dr"]
    assert abs(row["value"] - 0.4) < 4 * row["se"]
    model, _ = table_of(apart, {0: 1.0, 1: 0.0}, columns).model["target"]
    assert model.max() > 0.55
    assert model.min() < 0.15


def test_without_session_a_sentence_says_so(table):
    found = evaluate(table, policy=1 / 3, columns={**CONTEXT, "session": None})
    assert found.n_sessions == 3000
    assert any(sentence.startswith("no column is named as `session`") for sentence in found.warnings["target"])


@pytest.mark.parametrize("time", [{}, {"time": "day"}])
def test_guaranteed_intervals_are_not_told_rewards_by_the_order_of_rows(time):
    """Sorted by content, all losses came before all wins, and bets on the next row lost: 40 of 40 missed."""
    columns, missed = {"reward": "click", "action": "item", "propensity": "chance", **time}, 0
    for seed in range(40):
        rng = np.random.default_rng(seed)
        click = (rng.random(300) < 0.4).astype(int)
        rows = pd.DataFrame(
            {"click": click, "item": rng.integers(0, 2, 300), "chance": 0.5, "day": np.arange(300) // 99}
        )
        found = evaluate(rows, {"new": {0: 0.7, 1: 0.3}}, columns, n_boot=20, estimators=["ips"])
        assert {bound.objective for bound in found.guaranteed} == {"click", "reward"}
        missed += not all(bound.low <= 0.4 <= bound.high for bound in found.guaranteed)
    assert missed <= 5  # 2 are expected at most; more than 5 have a chance of 1 in 70


def test_sessions_of_several_columns(table):
    twice = table.assign(visit=table["step"] // 2)
    assert evaluate(twice, policy=1 / 3, columns={**COLUMNS, "session": ["user", "visit"]}).n_sessions == 2000


def test_estimated_propensities_are_never_trusted(table):
    columns = {key: value for key, value in CONTEXT.items() if key != "propensity"}
    found = evaluate(table, policy={"even": 1 / 3, "best": best}, columns=columns)
    frame = found.to_frame()
    assert set(frame["verdict"]) <= {"caution", "do not use"}
    assert rows_of(found).loc["ips", "reason"].startswith("the log's propensities are estimates")
    for policy, truth in TRUTH.items():
        row = rows_of(found, policy).loc["dr"]
        assert abs(row["value"] - truth) < 4 * row["se"]
    assert CANNOT_BE_KNOWN in found.warnings["even"]
    calibration = table_of(table, 1 / 3, columns).calibration
    assert calibration.method == "classifier"
    assert calibration.log_loss < calibration.marginal_log_loss - 0.05


def test_the_report_shows_how_well_propensities_were_estimated(table, tmp_path):
    columns = {key: value for key, value in CONTEXT.items() if key != "propensity"}
    found = evaluate(table, {"even": 1 / 3, "best": best}, columns)
    told = found.to_dict()["calibration"]
    assert sum(one["count"] for one in told["bins"]) == 3 * 3000  # rows times actions
    assert sum(one["count"] * one["observed"] for one in told["bins"]) == pytest.approx(3000)
    assert told["sentence"].startswith("Predicted from the context, the logged actions have a log-loss of ")
    assert told["sentence"].endswith(CANNOT_BE_KNOWN)
    page = write_evaluation(found.to_dict(), tmp_path / "page.html").read_text(encoding="utf-8")
    assert "Estimated propensities and what happened" in page
    assert CANNOT_BE_KNOWN in html.unescape(page)
    assert CANNOT_BE_KNOWN in " ".join(render_evaluation(found.to_dict()).split())
    assert len(pd.read_csv(tmp_path / "page.estimates.csv")) == len(found.to_frame())


def test_the_report_of_known_propensities_says_nothing_of_calibration(evaluation, tmp_path):
    assert evaluation.calibration is None
    assert evaluation.to_dict()["calibration"] is None
    page = write_evaluation(evaluation.to_dict(), tmp_path / "page.html").read_text(encoding="utf-8")
    assert "Estimated propensities" not in page
    assert CANNOT_BE_KNOWN not in html.unescape(page)


def test_a_confounder_that_the_table_does_not_hold_biases_everything(table):
    """Frequencies know no taste, by which the items were chosen: the estimate is confidently wrong, with caution."""
    columns = {key: value for key, value in COLUMNS.items() if key != "propensity"}
    found = evaluate(table, policy={"even": 1 / 3}, columns=columns)
    row = rows_of(found).loc["ips"]
    assert row["value"] < TRUTH["even"] - 4 * row["se"]
    assert row["verdict"] == "caution"
    assert CANNOT_BE_KNOWN in found.warnings["even"]
    assert table_of(table, 1 / 3, columns).calibration.method == "frequency"


def test_actions_that_were_never_logged(table):
    found = evaluate(table, policy={"new": {"a": 0.5, "d": 0.5}}, columns=CONTEXT)
    assert found.warnings["new"][0] == "new: 50.00% of its choices are actions that were never logged."
    assert found.left_out["dr"].startswith("needs the rewards of actions that were never logged, which are 50.00%")
    assert set(rows_of(found, "new")["verdict"]) == {"do not use"}
    assert re.search(r"about (4|5)\d% of what it would show was never", " ".join(found.warnings["new"]))


def test_models_need_all_probabilities(table):
    found = evaluate(table.assign(p=1 / 3), policy="p", columns=CONTEXT)
    assert list(rows_of(found, "p").index) == ["ips", "snips"]
    assert found.left_out["dm"].startswith("needs the policy's probabilities of all actions")
    with pytest.raises(ValueError, match=r"estimator 'dr' cannot be used for policy 'p': it needs the policy's prob"):
        evaluate(table.assign(p=1 / 3), policy="p", columns=CONTEXT, estimators=["dr"])
    assert "context" in evaluate(table, policy=1 / 3, columns=COLUMNS).left_out["dr"]


def test_the_logging_policy_earns_the_mean(table):
    row = rows_of(evaluate(table, policy="chance", columns=COLUMNS), "chance").loc["ips"]
    assert row["value"] == pytest.approx(table["click"].mean(), rel=1e-12)
    assert row["ess"] == pytest.approx(3000)


def test_differences_of_policies_are_paired(evaluation):
    interval = evaluation.difference("best", "even")
    assert abs(interval.value[-1] - 0.25) < 4 * interval.se[-1]
    assert evaluation.leads()[0].policy == "best"


def test_progress(table):
    seen = []
    evaluate(table, {"even": 1 / 3, "a": {"a": 1.0}}, COLUMNS, progress=lambda *part: seen.append(part))
    assert seen == [(1, 2, "even: estimates and intervals"), (2, 2, "a: estimates and intervals")]


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"propensity": "chance"}, "columns names no `reward`"),
        ({"reward": "click", "propensty": "chance"}, "columns has no meaning 'propensty'; did you mean 'propensity'"),
        ({"reward": "click", "zzz": "chance"}, "columns has no meaning 'zzz'; choose from reward, propensity"),
        ({"reward": "click"}, "columns names no `propensity` and no `action` to estimate it from"),
        ({"reward": "click", "joint": "chance"}, "columns names `joint`, which is of slates, but no `slate`"),
        ({"reward": "clicks", "propensity": "chance"}, "no column 'clicks', named as reward; did you mean 'click'"),
        ({"reward": ["click", "click"], "propensity": "chance"}, "names a column twice"),
        ({"reward": "click", "action": "item", "item": "item"}, "names both `action` and `item`"),
    ],
)
def test_names_that_do_not_fit(table, columns, message):
    with pytest.raises(ValueError, match=message):
        evaluate(table, policy=0.3, columns=columns)


def test_arguments_of_wrong_types(table):
    with pytest.raises(TypeError, match="columns is list; pass a dictionary"):
        evaluate(table, policy=0.3, columns=["click"])
    with pytest.raises(TypeError, match=r"columns\['propensity'\] is 3; it must be the name of one column"):
        evaluate(table, policy=0.3, columns={"reward": "click", "propensity": 3})
    with pytest.raises(TypeError, match=r"columns\['context'\] is 3; it must be the name of a column or a list"):
        evaluate(table, policy=0.3, columns={**COLUMNS, "context": 3})
    with pytest.raises(TypeError, match=r"columns\['reward'\] is \[\]; name a column"):
        evaluate(table, policy=0.3, columns={**COLUMNS, "reward": []})
    with pytest.raises(TypeError, match="weights is float; pass a dictionary"):
        evaluate(table, policy=0.3, columns=COLUMNS, weights=1.0)
    with pytest.raises(TypeError, match=r"the table is a dict; pass a pandas.DataFrame \(others have .to_pandas"):
        evaluate({"click": [1]}, policy=0.3, columns=COLUMNS)


def test_weights_that_do_not_fit(table):
    columns = {**COLUMNS, "reward": ["click", "sale"]}
    with pytest.raises(ValueError, match="weights names 'views', which is no objective; they are click, sale"):
        evaluate(table, policy=0.3, columns=columns, weights={"click": 1, "sale": 1, "views": 1})
    with pytest.raises(ValueError, match="weights has none for 'sale'; give every objective one"):
        evaluate(table, policy=0.3, columns=columns, weights={"click": 1})
    with pytest.raises(ValueError, match="the weight of 'sale' is nan; every weight must be finite"):
        evaluate(table, policy=0.3, columns=columns, weights={"click": 1, "sale": math.nan})
    with pytest.raises(ValueError, match=r"row \d+: column 'click \+ sale' \(weighted sum\) is"):
        evaluate(table, policy=0.3, columns=columns, weights={"click": 1e300, "sale": 1})


def test_tables_that_are_too_small(table):
    with pytest.raises(ValueError, match="the table has no rows; an evaluation needs at least 2 sessions"):
        evaluate(table[:0], policy=0.3, columns=COLUMNS)
    with pytest.raises(ValueError, match=r"the log has 1 session\(s\)"):
        evaluate(table[:3], policy=0.3, columns=COLUMNS)


def test_values_are_refused_by_the_tables_own_row(table):
    other = table.sample(frac=1.0, random_state=4)
    other["chance"] = other["chance"].where(np.arange(3000) != 17, 0.0)
    with pytest.raises(ValueError, match=rf"row 17 \(index {other.index[17]}\): column 'chance' \(propensity\) is 0.0"):
        evaluate(other, policy=1 / 3, columns=COLUMNS)
    other["chance"] = other["chance"].replace(0.0, 1e-200)
    with pytest.raises(
        ValueError, match=rf"row 17 \(index {other.index[17]}\): the weight of policy 'target' is e\^459"
    ):
        evaluate(other, policy=1 / 3, columns=COLUMNS)
    with pytest.raises(
        ValueError, match=r"row \d+.*: column 'big' \(reward\) is 1e\+16; at most 1e\+15 can be averaged"
    ):
        evaluate(other.assign(big=1e16), policy=1 / 3, columns={**COLUMNS, "reward": "big"})


ODD = st.one_of(
    st.floats(width=64),
    st.integers(-(2**70), 2**70),
    st.booleans(),
    st.none(),
    st.text(max_size=3),
    st.sampled_from([pd.NA, pd.NaT, decimal.Decimal("NaN"), 1j, (1, 2), pd.Timestamp("2024-05-31"), b"x", object()]),
)


EXAMPLES = {
    "deadline": None,
    "database": None,
    "derandomize": True,
    "phases": [Phase.explicit, Phase.generate],
    "suppress_health_check": [HealthCheck.function_scoped_fixture],
}


def check_one_odd_value(column: str, row: int, value: object, columns: dict) -> None:
    """Whatever one value of a table becomes, an error says so, or every NaN stands beside `do not use`."""
    table = logged(4, seed=5).assign(p=1 / 3)
    table["taste"] = (table["taste"] == "sweet").astype(float)
    cells = table[column].tolist()
    cells[row] = value
    table[column] = cells if isinstance(value, (int, float)) else pd.Series(cells, dtype=object)
    policies = {"column": "p", "even": {"a": 1 / 3, "b": 1 / 3, "c": 1 / 3}}
    message = ""
    try:
        frame = evaluate(table, policy=policies, columns=columns, n_boot=20).to_frame()
    except (ValueError, TypeError) as error:
        message = str(error)
    if message:
        assert f"row {row}:" in message or f"column {column!r}" in message or "add up to" in message
        return
    numbers = frame[["value", "se", "low", "high"]].to_numpy()
    assert (frame["verdict"][~np.isfinite(numbers).all(axis=1)] == "do not use").all()


@settings(max_examples=60, **EXAMPLES)
@given(column=st.sampled_from(["click", "item", "chance", "user", "step", "p"]), row=st.integers(0, 11), value=ODD)
@example(column="chance", row=3, value=5e-324)
@example(column="chance", row=3, value=1e-120)
@example(column="chance", row=3, value=0.0)
@example(column="chance", row=3, value=math.nan)
@example(column="click", row=3, value=1e15)
@example(column="click", row=3, value=math.inf)
@example(column="p", row=0, value=math.nan)
def test_bad_tables_never_give_a_silent_nan(column, row, value):
    check_one_odd_value(column, row, value, COLUMNS)


@pytest.mark.slow
@settings(max_examples=25, **EXAMPLES)
@given(column=st.sampled_from(["click", "item", "user", "taste"]), row=st.integers(0, 11), value=ODD)
@example(column="taste", row=3, value=1e30)
@example(column="taste", row=3, value=2**70)
@example(column="taste", row=3, value=math.nan)
def test_bad_context_never_gives_a_silent_nan(column, row, value):
    check_one_odd_value(column, row, value, {**CONTEXT, "propensity": None})


@settings(max_examples=60, **EXAMPLES)
@given(
    policy=st.one_of(
        ODD,
        st.lists(ODD, max_size=13),
        st.lists(st.floats(0, 1), min_size=12, max_size=12),
        st.dictionaries(st.sampled_from(["a", "b", "c", "d"]), st.one_of(st.floats(), ODD), max_size=4),
    )
)
def test_bad_policies_never_give_a_silent_nan(policy):
    """Whatever is given as a policy, an error names it, or every NaN stands beside `do not use`."""
    table, message = logged(4, seed=5), ""
    try:
        frame = evaluate(table, policy={"new": policy}, columns=COLUMNS, n_boot=20).to_frame()
    except (ValueError, TypeError) as error:
        message = str(error)
    if message:
        assert "policy" in message
        return
    numbers = frame[["value", "se", "low", "high"]].to_numpy()
    assert (frame["verdict"][~np.isfinite(numbers).all(axis=1)] == "do not use").all()


def test_steps_of_one_time_have_no_order(table):
    tied = table.copy()
    tied.loc[4, "step"] = 0  # user 1 has rows 3, 4 and 5
    message = r"^row 4: session 1 has a second row of time 0, the first in row 3; estimator 'pdis' .* its own time\.$"
    with pytest.raises(ValueError, match=message):
        evaluate(tied, policy=1 / 3, columns=COLUMNS, estimators=["ips", "pdis"])
    assert len(rows_of(evaluate(tied, policy=1 / 3, columns=COLUMNS), "target"))  # which needs no order
    assert len(rows_of(evaluate(table, policy=1 / 3, columns=COLUMNS, estimators=["pdis"]), "target"))


@pytest.mark.parametrize(
    ("policy", "unsupported"),
    [({"a": 0.5, "b": 0.2, "z": 0.3}, 0.3), ({"a": 1.0}, 0.0), (1 / 3, 0.0), (0.2, None), ("even", None)],
)
def test_a_case_knows_what_was_never_logged(table, policy, unsupported):
    found = table_of(table.assign(even=1 / 3), policy={"own": policy}, columns=COLUMNS)
    assert found.case("own").unsupported == (None if unsupported is None else pytest.approx(unsupported))
