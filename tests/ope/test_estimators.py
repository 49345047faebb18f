"""Every estimator by its name, through `evaluate`, on a log whose truth is known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from recsim.ope import ESTIMATORS, evaluate
from recsim.ope.estimators import PREFERRED, PREFERRED_SESSION, chosen
from recsim.policy import Decision

STEPS = 3  # slates a session of the log, in contexts of their own
WEIGHTED = ["tis", "wis", "pdis", "pdis-rips", "wpdis"]


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


@pytest.fixture(scope="module")
def valued(world, features):
    """Both policies by all estimators of sessions: one click objective at a time, by policy and estimator."""
    log = world.log(1500, seed=5, steps=STEPS)
    policies = [world.target, world.behaviour]
    frame = evaluate(log, policies, seed=0, features=features, estimators=list(PREFERRED_SESSION)).to_frame()
    assert set(frame["estimand"]) == {"session"}
    return log, frame.query("objective == 'click'").set_index(["policy", "estimator"])


@pytest.mark.parametrize("estimator", [name for name in PREFERRED_SESSION if name != "fqe"])
def test_sessions_are_worth_their_slates_where_these_do_not_depend_on_each_other(world, valued, estimator):
    row = valued[1].loc[("target", estimator)]
    assert abs(row["value"] - STEPS * world.truth(world.target)[0]) < 4 * row["se"]


def test_fitted_values_of_sessions_are_held_against_the_weights(world, valued):
    fqe, corrected = (valued[1].loc[("target", name)] for name in ("fqe", "session-dr"))
    assert fqe["low"] < STEPS * world.truth(world.target)[0] < fqe["high"]
    assert fqe["low"] < corrected["value"] < fqe["high"]
    assert fqe["verdict"] == "caution"
    assert corrected["se"] < valued[1].loc[("target", "pdis"), "se"]


@pytest.mark.parametrize("estimator", WEIGHTED)
def test_the_logging_policy_gets_the_mean_return(valued, estimator):
    log, frame = valued
    row, sessions = frame.loc[("behaviour", estimator)], len(np.unique(log.user))
    assert row["value"] == pytest.approx(log.objectives[:, :, 0].sum() / sessions)
    assert row["ess"] == pytest.approx(sessions)


def test_single_actions_have_estimators_of_their_own(world, tiny_log, features):
    first = replace(
        tiny_log,
        info=replace(tiny_log.info, slate_size=1),
        **{
            name: getattr(tiny_log, name)[:, :1]
            for name in ("slate", "click", "conversion", "objectives", "step_log_prob")
        },
    )
    frame = evaluate(first, [TopOnly(world.target)], seed=0, features=features).to_frame()
    values = frame.query("objective == 'click'").set_index("estimator")["value"]
    assert list(values.index) == ["ips", "snips", "dm", "dr", "sndr"]
    again = evaluate(first, [TopOnly(world.target)], seed=0, estimators=["sips", "snrips"]).to_frame()
    slates = again.query("objective == 'click'").set_index("estimator")["value"]
    assert values["ips"] == slates["sips"]
    assert values["snips"] == pytest.approx(slates["snrips"], rel=1e-12)


def test_what_an_estimator_needs_is_told(world, tiny_log):
    with pytest.raises(
        ValueError, match="estimator 'ips' cannot be used for policy 'target': it values single actions"
    ):
        evaluate(tiny_log, [world.target], seed=0, estimators=["ips"])
    with pytest.raises(ValueError, match="estimator 'dr' cannot be used for policy 'target': it needs a reward model"):
        evaluate(tiny_log, [world.target], seed=0, estimators=["dr"])


def test_by_default_what_cannot_be_used_is_left_out_with_the_reason(world, tiny_log):
    found = evaluate(tiny_log, [world.target], seed=0)
    assert set(found.left_out) == {"dm", "dr"}
    assert found.left_out["dr"].startswith("needs a reward model: pass `features`")
    assert set(found.to_frame()["estimator"]) == {"sips", "rips", "snsips", "snrips"}


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
