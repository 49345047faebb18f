"""Every estimator by its name, through `evaluate`, on a log whose truth is known."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest

from recsim.ope import ESTIMATORS, evaluate
from recsim.ope.evaluation.action_estimators import ACTION_ESTIMATORS, TRIED, tuning
from recsim.ope.evaluation.case import Case
from recsim.ope.evaluation.estimators import PREFERRED, PREFERRED_SESSION, chosen
from recsim.ope.evaluation.inputs import inputs_of, target_of
from recsim.ope.positions import iips
from recsim.ope.pseudo_inverse import pi, product_weight, uniform_weight, wpi
from recsim.policy import Decision, Ranking

STEPS = 3  # slates a session of the log, in contexts of their own
WEIGHTED = ["tis", "wis", "pdis", "pdis-rips", "pdis-pi", "wpdis", "mis"]


class TopOnly:
    """Another policy's first item."""

    name = "top"

    def __init__(self, policy) -> None:
        self.policy = policy

    def act(self, observation, streams) -> Decision:
        decision = self.policy.act(observation, streams)
        return Decision(decision.slate[:, :1], decision.step_log_prob[:, :1])

    def step_log_prob(self, observation, slate):
        return self.policy.step_log_prob(observation, slate)

    log_prob = step_log_prob

    def first_probability(self, observation):
        chance = np.exp(self.policy.table[observation.argmax(axis=1)])
        return chance / chance.sum(axis=1, keepdims=True)


@pytest.fixture(scope="module")
def valued(world, features):
    """Both policies by all estimators of sessions: one click objective at a time, by policy and estimator."""
    log = world.log(1500, seed=5, steps=STEPS)
    policies = [ranking(world.target), ranking(world.behaviour)]
    frame = evaluate(
        log, policies, seed=0, features=features, logging=policies[1], estimators=list(PREFERRED_SESSION)
    ).to_frame()
    assert set(frame["estimand"]) == {"session"}
    return log, frame.query("objective == 'click'").set_index(["policy", "estimator"])


@pytest.mark.parametrize("estimator", [name for name in PREFERRED_SESSION if name not in ("fqe", "dice", "magic")])
def test_sessions_are_worth_their_slates_where_these_do_not_depend_on_each_other(world, valued, estimator):
    row = valued[1].loc[("target", estimator)]
    assert abs(row["value"] - STEPS * world.truth(world.target)[0]) < 4 * row["se"]


def test_fitted_values_of_sessions_are_held_against_the_weights(world, valued):
    fqe, corrected = (valued[1].loc[("target", name)] for name in ("fqe", "session-dr"))
    assert fqe["low"] < STEPS * world.truth(world.target)[0] < fqe["high"]
    assert fqe["low"] < corrected["value"] < fqe["high"]
    assert fqe["verdict"] == "caution"
    assert corrected["se"] < valued[1].loc[("target", "pdis"), "se"]


@pytest.mark.parametrize("estimator", ["dice", "magic"])
def test_what_models_and_visits_say_is_held_against_the_weights(world, valued, estimator):
    row = valued[1].loc[("target", estimator)]
    assert row["low"] < STEPS * world.truth(world.target)[0] < row["high"]
    assert row["verdict"] == "caution"


@pytest.mark.parametrize("estimator", WEIGHTED)
def test_the_logging_policy_gets_the_mean_return(valued, estimator):
    log, frame = valued
    row, sessions = frame.loc[("behaviour", estimator)], len(np.unique(log.user))
    assert row["value"] == pytest.approx(log.objectives[:, :, 0].sum() / sessions)
    assert row["ess"] == pytest.approx(sessions)


def first_positions(log):
    """The log of the top positions alone."""
    columns = ("slate", "click", "conversion", "objectives", "step_log_prob")
    top = {name: getattr(log, name)[:, :1] for name in columns}
    return replace(log, info=replace(log.info, slate_size=1), **top)


@pytest.fixture(scope="module")
def single(world, features):
    """A log of single actions, its truth, and both policies by all estimators of single actions."""
    log = first_positions(world.log(4000, seed=6, steps=1))
    names = [one.name for one in ACTION_ESTIMATORS if one.name not in ("replay", "weighted")] + [
        "dm",
        "dr",
        "sips",
        "snrips",
    ]
    frame = evaluate(
        log,
        [TopOnly(world.target)],
        seed=0,
        features=features,
        logging=TopOnly(world.behaviour),
        groups=np.arange(6) // 2,
        estimators=names,
    ).to_frame()
    context, slate = world.everything()
    truth = world.chance(world.target) @ world.expected(context, slate)[:, 0, 0]
    return log, truth, frame.query("objective == 'click'").set_index("estimator")


@pytest.mark.parametrize(
    "estimator",
    ["ips", "snips", "clipped-ips", "subgaussian-ips", "sndr", "switch-dr", "dros", "subgaussian-dr", "offcem"],
)
def test_single_actions_are_worth_what_is_true(single, estimator):
    _, truth, frame = single
    assert abs(frame.loc[estimator, "value"] - truth) < 4 * frame.loc[estimator, "se"]


def test_single_actions_are_slates_of_one_item(single):
    values = single[2]["value"]
    assert values["ips"] == values["sips"]
    assert values["snips"] == pytest.approx(values["snrips"], rel=1e-12)


def test_groups_of_one_action_are_the_actions_and_one_group_is_the_mean_reward(world, single):
    def by(groups):
        policies = {"logging": TopOnly(world.behaviour), "groups": groups}
        found = evaluate(single[0], [TopOnly(world.target)], seed=0, estimators=["mips"], **policies)
        return found.estimates[0].value

    assert by(np.arange(6)) == pytest.approx(single[2].loc["ips", "value"], rel=1e-9)
    assert by(np.zeros(6, int)) == pytest.approx(single[0].objectives[:, 0, 0].mean(), rel=1e-9)


class Best:
    """Always the item of the highest score."""

    name = "best"

    def __init__(self, table) -> None:
        self.item = table.argmax(axis=1)

    def step_log_prob(self, observation, slate):
        return np.where(slate == self.item[observation.argmax(axis=1), None], 0.0, -np.inf)


def test_replay_averages_the_rows_in_which_the_policy_would_have_done_the_same(world):
    log = first_positions(world.log(600, seed=7, steps=1))
    best = Best(world.appeal[:, :, 0])
    with pytest.raises(ValueError, match="uniform"):
        evaluate(log, [best], seed=0, estimators=["replay"])
    uniform = replace(log, step_log_prob=np.full(log.slate.shape, -np.log(6)))
    found = evaluate(uniform, [best], seed=0, estimators=["replay"]).estimates[0]
    same = best.step_log_prob(log.observation, log.slate)[:, 0] == 0
    assert found.value == pytest.approx(log.objectives[same, 0, 0].mean())
    assert found.ess == same.sum()


def test_weights_are_tamed_by_the_strongest_number_that_does_no_harm_to_see(world, single):
    log = single[0]
    case = Case(inputs_of(log), target_of(TopOnly(world.target), log))
    for name in ("clipped-ips", "subgaussian-ips"):
        chosen_number = tuning(case, name)
        assert chosen_number in TRIED[name]
        assert case.tuned[name] == chosen_number


def test_by_default_single_actions_have_estimators_of_their_own(world, single, features):
    frame = evaluate(single[0], [TopOnly(world.target)], seed=0, features=features).to_frame()
    assert list(frame["estimator"].unique()) == ["ips", "snips", "dm", "dr", "sndr"]


@dataclass(frozen=True)
class Table:
    """Scores of a tiny policy as a scorer."""

    table: np.ndarray

    def scores(self, observation):
        return self.table[observation.argmax(axis=1)]


def ranking(policy) -> Ranking:
    return Ranking(policy.name, Table(policy.table), 3, 1.0)


PLACED = ["iips", "sniips", "pi", "wpi", "pi-variate", "pi-variates", "pbm", "pbm-dr", "interpol", "aips", "cascade-dr"]


@pytest.fixture(scope="module")
def placed(world, tiny_log, features):
    """Both policies by all estimators that need to know where a policy puts items."""
    policies = [ranking(world.target), ranking(world.behaviour)]
    looked = 1.0 / (1.0 + np.arange(3))
    needed = {"features": features, "logging": policies[1], "examination": looked}
    frame = evaluate(tiny_log, policies, seed=0, estimators=PLACED, **needed).to_frame()
    return frame.query("objective == 'click'").set_index(["policy", "estimator"])


@pytest.mark.parametrize("estimator", PLACED)
def test_the_logging_policy_gets_the_mean_reward_wherever_it_puts_items(tiny_log, placed, estimator):
    row = placed.loc[("behaviour", estimator)]
    mean = tiny_log.objectives[:, :, 0].sum(axis=1).mean()
    assert row["value"] == pytest.approx(mean, rel=0.03 if estimator in ("pbm-dr", "cascade-dr") else 1e-9)
    held = bool(ESTIMATORS[estimator].held_against)
    assert row["verdict"] == ("caution" if held else "trust")
    assert ("it assumes more of users than snrips" in row["reason"]) == held


@pytest.mark.parametrize("estimator", PLACED)
def test_values_of_slates_are_not_far_from_the_truth(world, placed, estimator):
    """Users who tire of what is alike break most assumptions a little: by less than a twentieth of the value here."""
    row, truth = placed.loc[("target", estimator)], world.truth(world.target)[0]
    assert abs(row["value"] - truth) < 4 * row["se"] + 0.05 * truth


def test_estimators_by_position_are_those_of_plain_arrays(world, tiny_log, placed):
    target, logged = (
        ranking(one).marginal_log_prob(tiny_log.observation, tiny_log.slate) for one in (world.target, world.behaviour)
    )
    assert placed.loc[("target", "iips"), "value"] == pytest.approx(
        float(iips(tiny_log.objectives, target, logged).value[0])
    )
    weight = product_weight(target, logged)
    assert placed.loc[("target", "wpi"), "value"] == pytest.approx(float(wpi(tiny_log.objectives, weight).value[0]))


def test_a_uniform_log_needs_no_logging_policy_for_the_pseudo_inverse(world, tiny_log):
    alike = replace(tiny_log, step_log_prob=np.tile(-np.log([6.0, 5.0, 4.0]), (len(tiny_log), 1)))
    target = ranking(world.target)
    found = evaluate(alike, [target], seed=0, estimators=["pi"]).estimates[0].value
    weight = uniform_weight(target.position_log_prob(alike.observation, alike.slate), 6)
    assert found == pytest.approx(float(pi(alike.objectives, weight).value[0]), rel=1e-12)


def test_what_an_estimator_needs_is_told(world, tiny_log):
    with pytest.raises(
        ValueError, match="estimator 'ips' cannot be used for policy 'target': it values single actions"
    ):
        evaluate(tiny_log, [world.target], seed=0, estimators=["ips"])
    with pytest.raises(ValueError, match="estimator 'dr' cannot be used for policy 'target': it needs a reward model"):
        evaluate(tiny_log, [world.target], seed=0, estimators=["dr"])


def test_by_default_what_cannot_be_used_is_left_out_with_the_reason(world, tiny_log):
    found = evaluate(tiny_log, [world.target], seed=0)
    assert set(found.left_out) == {"dm", "dr", "fqe", "session-dr"}
    assert found.left_out["dr"].startswith("needs a reward model: pass `features`")
    assert set(found.to_frame()["estimator"]) == {"sips", "rips", "snsips", "snrips", "wpdis"}


def test_names_are_checked():
    with pytest.raises(ValueError, match="there is no estimator 'sipps'; choose from sips, rips"):
        chosen(["sipps"])
    with pytest.raises(ValueError, match="estimator 'sips' is named twice"):
        chosen(["sips", "sips"])


def test_every_estimator_has_its_place_among_those_of_its_estimand():
    by_estimand = {kind: {e.name for e in ESTIMATORS.values() if e.estimand == kind} for kind in ("slate", "session")}
    assert set(PREFERRED) == by_estimand["slate"]
    assert set(PREFERRED_SESSION) == by_estimand["session"]
    for estimator in ESTIMATORS.values():
        if estimator.weighting is None:
            assert ESTIMATORS[estimator.corrected_by].weighting is not None
