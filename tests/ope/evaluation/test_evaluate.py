from __future__ import annotations

import json
import math
import re
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st
from threadpoolctl import threadpool_limits

from recsim.ope import Evaluation, evaluate
from recsim.ope.evaluation import inputs

ESTIMATORS = ["sips", "rips", "snsips", "snrips", "dm", "dr"]
COLUMNS = [
    "policy",
    "estimator",
    "estimand",
    "objective",
    "value",
    "se",
    "low",
    "high",
    "ess",
    "max_weight",
    "mean_weight",
    "verdict",
    "reason",
]


@pytest.fixture(scope="module")
def evaluation(world, tiny_log, features) -> Evaluation:
    policies = [world.target, world.behaviour, world.greedy]
    return evaluate(tiny_log, policies, features=features, seed=0, estimators=ESTIMATORS)


def test_every_policy_estimator_and_objective(evaluation):
    frame = evaluation.to_frame()
    assert list(frame.columns) == COLUMNS
    assert len(frame) == 3 * 6 * 3
    assert list(frame["policy"].unique()) == ["target", "behaviour", "greedy"]
    assert list(frame["estimator"].unique()) == ESTIMATORS
    assert list(frame["objective"].unique()) == ["click", "like", "reward"]
    assert not frame.drop(columns=["ess", "max_weight", "mean_weight"]).isna().any(axis=None)
    assert frame["ess"].isna().equals(frame["estimator"] == "dm")


def test_the_truth_is_within_four_standard_errors(world, evaluation):
    frame = evaluation.to_frame().set_index(["policy", "estimator", "objective"])
    for policy in (world.target, world.behaviour):
        truth = dict(zip(("click", "like"), world.truth(policy), strict=True))
        truth["reward"] = truth["click"] + 0.5 * truth["like"]
        for estimator in set(ESTIMATORS) - {"dm"}:
            for objective, value in truth.items():
                row = frame.loc[(policy.name, estimator, objective)]
                assert abs(row["value"] - value) < 4 * row["se"], (policy.name, estimator, objective)
                assert row["low"] < row["value"] < row["high"]


def test_the_weighted_reward_is_the_sum_of_its_parts(evaluation):
    values = evaluation.to_frame().pivot_table(index=["policy", "estimator"], columns="objective", values="value")
    assert np.allclose(values["reward"], values["click"] + 0.5 * values["like"], rtol=1e-12)


def test_the_logging_policy_gets_the_mean_reward_and_full_trust(tiny_log, evaluation):
    frame = evaluation.to_frame().query("policy == 'behaviour' and objective == 'click'").set_index("estimator")
    mean = tiny_log.objectives[:, :, 0].sum(axis=1).mean()
    for estimator in ("sips", "rips", "snsips", "snrips"):
        assert frame.loc[estimator, "value"] == pytest.approx(mean, rel=1e-12)
        assert frame.loc[estimator, "ess"] == pytest.approx(len(tiny_log))
        assert frame.loc[estimator, "verdict"] == "trust"
    assert frame.loc["dr", "value"] == pytest.approx(mean, abs=0.03)
    assert frame.loc["dm", "verdict"] == "caution"
    assert evaluation.warnings["behaviour"] == []


def test_dr_is_tighter_than_weights_alone(evaluation):
    se = evaluation.to_frame().query("policy == 'target' and objective == 'click'").set_index("estimator")["se"]
    assert se["dr"] < se["rips"] < se["sips"]


def test_a_policy_far_from_the_log_is_refused_in_words(evaluation):
    frame = evaluation.to_frame().query("policy == 'greedy' and estimator == 'sips'")
    assert set(frame["verdict"]) == {"do not use"}
    assert frame["reason"].str.contains("effective sample size").all()
    assert any(
        sentence.startswith("greedy, whole slates: effective sample size") for sentence in evaluation.warnings["greedy"]
    )


def test_no_overlap_is_not_a_number_and_says_so(world, tiny_log, features):
    nowhere = type(world.greedy)("nowhere", world.greedy.table, temperature=0.0)
    top = nowhere.act(tiny_log.observation, None).slate
    log = tiny_log[(tiny_log.slate[:, 0] != top[:, 0])]
    result = evaluate(log, [nowhere], features=features, seed=0)
    frame = result.to_frame().set_index(["estimator", "objective"])
    assert math.isnan(frame.loc[("snsips", "click"), "value"])
    assert frame.loc[("sips", "click"), "value"] == 0.0
    assert set(frame["verdict"]) == {"do not use"}
    assert "never show any of the logged slates" in frame.loc[("snsips", "click"), "reason"]
    record = next(row for row in result.to_dict()["estimates"] if row["estimator"] == "snsips")
    assert record["value"] is None


def test_rare_objectives_are_flagged(world, tiny_log, features):
    rare = tiny_log.objectives.copy()
    rare[:, :, 1] = 0.0
    rare[:9, 0, 1] = 1.0  # three sessions
    frame = evaluate(replace(tiny_log, objectives=rare), [world.behaviour], features=features, seed=0).to_frame()
    verdicts = frame.query("estimator == 'rips'").set_index("objective")
    assert verdicts.loc["like", "verdict"] == "do not use"
    assert verdicts.loc["like", "reason"].startswith("about 3 sessions decide how far the estimate may be off")
    assert verdicts.loc["click", "verdict"] == "trust"


def test_same_seed_same_table_in_any_row_order(world, tiny_log, features, evaluation):
    policies = [world.target, world.behaviour, world.greedy]
    frame = evaluation.to_frame()
    again = evaluate(tiny_log, policies, features=features, seed=0, estimators=ESTIMATORS).to_frame()
    assert again.equals(frame)
    rows = np.random.default_rng(1).permutation(len(tiny_log))
    shuffled = evaluate(tiny_log[rows], policies, features=features, seed=0, estimators=ESTIMATORS).to_frame()
    numbers = frame.select_dtypes("number").columns
    assert np.allclose(shuffled[numbers], frame[numbers], rtol=1e-10, atol=1e-12, equal_nan=True)
    other = evaluate(tiny_log, policies, features=features, seed=1, estimators=ESTIMATORS).to_frame()
    assert not np.allclose(other["low"], frame["low"], rtol=1e-6, equal_nan=True)


def test_threads_do_not_matter(world, tiny_log, features, evaluation):
    for n_threads in (1, 2):
        with threadpool_limits(n_threads):
            again = evaluate(
                tiny_log,
                [world.target, world.behaviour, world.greedy],
                features=features,
                seed=0,
                estimators=ESTIMATORS,
            )
        assert again.to_frame().equals(evaluation.to_frame())


def test_blocks_of_rows_do_not_matter(world, tiny_log, monkeypatch):
    whole = inputs.target_of(world.target, tiny_log)
    monkeypatch.setattr("recsim.ope.reward_model.ROWS_AT_ONCE", 7)
    assert np.array_equal(inputs.target_of(world.target, tiny_log), whole)


def test_to_dict_is_json(evaluation):
    record = json.loads(json.dumps(evaluation.to_dict(), allow_nan=False))
    assert (record["n_slates"], record["n_sessions"], record["n_boot"], record["level"]) == (1200, 400, 200, 0.95)
    assert record["objectives"] == ["click", "like", "reward"]
    assert len(record["estimates"]) == 54
    assert list(record["estimates"][0]) == COLUMNS
    assert set(record["warnings"]) == {"target", "behaviour", "greedy"}


def test_paired_difference(world, evaluation):
    interval = evaluation.difference("target", "behaviour")
    truth = world.truth(world.target) - world.truth(world.behaviour)
    assert (np.abs(interval.value[:2] - truth) < 4 * interval.se[:2]).all()
    frame = evaluation.to_frame().query("estimator == 'dr' and objective == 'click'").set_index("policy")
    assert interval.value[0] == pytest.approx(frame.loc["target", "value"] - frame.loc["behaviour", "value"])
    with pytest.raises(
        ValueError, match=r"policy 'nobody' with estimator 'dr' was not evaluated; choose from policies beh"
    ):
        evaluation.difference("nobody", "target")
    with pytest.raises(ValueError, match="the difference of two dm estimates has no honest interval"):
        evaluation.difference("target", "behaviour", "dm")
    wide = evaluation.difference("target", "behaviour", level=0.99)
    assert (wide.value == interval.value).all()
    assert (wide.high > interval.high).all()


def test_leads_are_paired_differences_by_one_estimator(evaluation):
    (lead,) = evaluation.leads()  # of greedy there is no usable estimate by weights
    assert {lead.policy, lead.against} == {"target", "behaviour"}
    assert (lead.estimator, lead.objective) == ("dr", "reward")
    interval = evaluation.difference(lead.policy, lead.against)
    assert (lead.mean, lead.low, lead.high) == (interval.value[2], interval.low[2], interval.high[2])
    assert lead.mean > 0
    assert evaluation.to_dict()["differences"][0]["mean"] == lead.mean


def test_leads_hold_together(world, tiny_log, features):
    third = replace(world.target, name="third", table=world.behaviour.table * 0.9)
    found = evaluate(tiny_log, [world.target, world.behaviour, third], features=features, seed=0)
    leads = found.leads()
    assert len(leads) == 2
    for lead in leads:
        assert lead.low == found.difference(lead.policy, lead.against, level=1 - 0.05 / 3).low[2]  # all three pairs
    assert evaluate(tiny_log, [world.target], features=features, seed=0).leads() == []
    nowhere = evaluate(tiny_log[:60], [world.greedy], features=features, seed=0)
    assert nowhere.leads() == []


def test_the_interval_of_the_direct_method_holds_the_models_error(world, tiny_log, evaluation):
    """A model that knows nothing of the items misses by what DR corrects, and its interval says so."""
    blind = evaluate(
        tiny_log, [world.target], features=lambda x, slate: np.zeros((*slate.shape, 1), np.float32), seed=0
    )
    rows = blind.to_frame().query("objective == 'click'").set_index("estimator")
    miss = abs(rows.loc["dm", "value"] - rows.loc["dr", "value"])
    assert rows.loc["dm", "se"] > miss / 1.96
    assert rows.loc["dm", "low"] < rows.loc["dm", "value"] - miss
    assert rows.loc["dm", "high"] > rows.loc["dm", "value"] + miss
    assert rows.loc["dm", "low"] < world.truth(world.target)[0] < rows.loc["dm", "high"]
    assert "the reward model is off by" in rows.loc["dm", "reason"]


def test_progress_counts_up_to_the_end(world, tiny_log, features):
    seen = []
    evaluate(
        tiny_log, [world.target, world.greedy], features=features, seed=0, progress=lambda *part: seen.append(part)
    )
    assert [done for done, _, _ in seen] == [1, 2, 3, 4, 5, 6]
    assert {total for _, total, _ in seen} == {6}
    assert seen[0][2] == "fitting the reward model"
    assert seen[-1][2] == "greedy: estimates and intervals"


class Odd:
    """A policy that answers with `answer` whatever is asked."""

    name = "odd"

    def __init__(self, answer):
        self.step_log_prob = answer


def test_what_cannot_be_evaluated(world, tiny_log, features, changed):
    def check(log, policies=(world.target,), **options):
        return evaluate(log, list(policies), features=features, seed=0, **options)

    with pytest.raises(ValueError, match="the log is empty"):
        check(tiny_log[:0])
    with pytest.raises(ValueError, match="no policies were given"):
        check(tiny_log, [])
    with pytest.raises(ValueError, match="two policies are called 'target'"):
        check(tiny_log, [world.target, world.target])
    with pytest.raises(ValueError, match=r"the log has 1 session\(s\)"):
        check(tiny_log[:3])
    with pytest.raises(ValueError, match=r"row 7, position 1 of step_log_prob of the log is nan"):
        check(changed(tiny_log, "step_log_prob", (7, 1), np.nan))
    with pytest.raises(ValueError, match=r"row 7, position 1 of step_log_prob of the log is -inf; a logged choice"):
        check(changed(tiny_log, "step_log_prob", (7, 1), -np.inf))
    with pytest.raises(
        ValueError, match=r"row 7, position 1 of step_log_prob of the log is 0.3, a probability above 1"
    ):
        check(changed(tiny_log, "step_log_prob", (7, 1), 0.3))
    with pytest.raises(ValueError, match=r"row 9, position 0, objective 1 of objectives is nan"):
        check(changed(tiny_log, "objectives", (9, 0, 1), np.nan))
    with pytest.raises(ValueError, match=r"user has shape \(10,\) but slate has shape \(1200, 3\)"):
        check(replace(tiny_log, user=tiny_log.user[:10], session=tiny_log.session[:10]))
    with pytest.raises(TypeError, match="step_log_prob of the log holds int64"):
        check(replace(tiny_log, step_log_prob=np.zeros(tiny_log.slate.shape, np.int64)))
    with pytest.raises(ValueError, match=r"holds 2 objectives but names 1 \(click\) and has 2 weights"):
        check(replace(tiny_log, info=replace(tiny_log.info, objectives=("click",))))
    with pytest.raises(ValueError, match="an objective of the log is called 'reward'"):
        check(replace(tiny_log, info=replace(tiny_log.info, objectives=("click", "reward"))))
    with pytest.raises(ValueError, match=r"weights are \(1.0, nan\)"):
        check(replace(tiny_log, info=replace(tiny_log.info, weights=(1.0, math.nan))))
    with pytest.raises(
        ValueError, match=r"step_log_prob of policy 'odd' has shape \(1200,\) for slates of shape \(1200, 3\)"
    ):
        check(tiny_log, [Odd(lambda observation, slate: np.zeros(len(slate)))])
    with pytest.raises(ValueError, match=r"row 0, position 0 of step_log_prob of policy 'odd' is nan"):
        check(tiny_log, [Odd(lambda observation, slate: np.full(slate.shape, np.nan))])


@settings(
    max_examples=40,
    deadline=None,
    database=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    sessions=st.integers(2, 20),
    column=st.sampled_from(["objectives", "step_log_prob"]),
    row=st.integers(0, 5),
    position=st.integers(0, 2),
    value=st.floats(width=64),
)
@example(sessions=2, column="objectives", row=0, position=0, value=1.7e308)
@example(sessions=2, column="objectives", row=0, position=0, value=1e15)
@example(sessions=2, column="objectives", row=0, position=0, value=5e-324)
@example(sessions=2, column="step_log_prob", row=5, position=2, value=-1e300)
@example(sessions=2, column="step_log_prob", row=5, position=2, value=-300.0)
@example(sessions=2, column="step_log_prob", row=5, position=2, value=math.nan)
def test_bad_logs_never_give_a_silent_nan(world, tiny_log, features, changed, sessions, column, row, position, value):
    """Whatever one value of a log becomes, an error names it, or every NaN stands beside `do not use`."""
    place = (row, position, 0) if column == "objectives" else (row, position)
    bad = changed(tiny_log[: 3 * sessions], column, place, value)
    message = ""
    try:
        frame = evaluate(bad, [world.target, world.greedy], features=features, seed=0, n_boot=20).to_frame()
    except ValueError as error:
        message = str(error)
    if message:
        assert re.match(rf"row {row}, position [{position}-2]", message)
        return
    assert math.isfinite(value)
    silent = ~np.isfinite(frame[["value", "se", "low", "high"]]).all(axis=1) & (frame["verdict"] != "do not use")
    assert not silent.any()
