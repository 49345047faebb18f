"""A policy that keeps every rule, and mutants of it, each of which its rule must catch."""

import random
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest

from recsim.catalog import Catalog
from recsim.policy import Decision, certain_log_prob, plackett_luce_log_prob, plackett_luce_sample
from recsim.simulator import Simulator
from recsim.testing import POLICY_RULES, BrokenRules, Check, check_policy
from recsim.users import make_users

CATALOG, K = Catalog.synthetic(n_items=7, n_categories=3, dims={"text": 4}, seed=2), 3


def world(**options: Any) -> Simulator:
    users = make_users("marketplace", CATALOG, {"click_offset": 0.0} | options)
    return Simulator(CATALOG, users, slate_size=K, horizon=6, seed=5)


@dataclass
class Sound:
    """Draws what is like that which was clicked, without replacement."""

    name = "sound"

    def logits(self, observation):
        return observation[:, :4].astype(np.float64) @ CATALOG.taste.T * 3.0

    def act(self, observation, streams):
        slate = plackett_luce_sample(self.logits(observation), K, streams)
        return Decision(slate, self.step_log_prob(observation, slate))

    def step_log_prob(self, observation, slate):
        return plackett_luce_log_prob(self.logits(observation), slate)

    def log_prob(self, observation, slate):
        return self.step_log_prob(observation, slate).sum(axis=1)


def test_the_sound_policy_keeps_every_rule() -> None:
    report = check_policy(Sound(), world())
    outcomes = {check.rule: check.outcome for check in report.checks}
    assert outcomes == {rule.name: "passed" for rule in POLICY_RULES} | {
        "certain slates leave nothing to luck": "skipped"
    }


MUTANTS: list[tuple[str, type[Sound], str]] = []


def breaks(rule: str, detail: str) -> Callable[[type[Sound]], type[Sound]]:
    """Registers a mutant of `Sound` with the rule that must catch it and the detail that it tells."""

    def register(mutant: type[Sound]) -> type[Sound]:
        MUTANTS.append((rule, mutant, detail))
        return mutant

    return register


# form


@breaks("decisions have their form", r"^act gave ndarray$")
class Bare(Sound):
    def act(self, observation, streams):
        return super().act(observation, streams).slate


@breaks("decisions have their form", r"^slate is an array \(16, 2\) int64$")
class Short(Sound):
    def act(self, observation, streams):
        decision = super().act(observation, streams)
        return replace(decision, slate=decision.slate[:, :2])


@breaks("decisions have their form", r"^slate is an array \(16, 3\) int32$")
class Narrow(Sound):
    def act(self, observation, streams):
        decision = super().act(observation, streams)
        return replace(decision, slate=decision.slate.astype(np.int32))


@breaks("decisions have their form", r"^step_log_prob is an array \(16,\) float64$")
class Joint(Sound):
    def act(self, observation, streams):
        decision = super().act(observation, streams)
        return replace(decision, step_log_prob=decision.log_prob)


@breaks("decisions have their form", r"^step_log_prob is 0\.\d+ in row 0, position 0 at step 0$")
class Probabilities(Sound):
    def act(self, observation, streams):
        decision = super().act(observation, streams)
        return replace(decision, step_log_prob=np.exp(decision.step_log_prob))


@breaks("decisions have their form", r"^step_log_prob is nan in row 3, position 0 at step 2$")
class Unknown(Sound):
    def act(self, observation, streams):
        decision = super().act(observation, streams)
        rows = (np.arange(len(observation)) == 3) & (streams.step == 2)
        return replace(decision, step_log_prob=np.where(rows[:, None], np.nan, decision.step_log_prob))


@breaks("slates have no repeats", r"^the slate \[.*\] has an item twice in row \d+ at step 0$")
class WithReplacement(Sound):
    def act(self, observation, streams):
        chance = np.exp(self.logits(observation))
        edge = np.cumsum(chance / chance.sum(axis=1, keepdims=True), axis=1)
        slate = (streams.uniform("draw", K)[:, :, None] > edge[:, None, :]).sum(axis=2)
        return Decision(slate, np.take_along_axis(np.log(np.diff(edge, axis=1, prepend=0.0)), slate, axis=1))


@breaks("decisions have their form", r"^item 7 is shown in row \d+, position \d at step 0$")
class FromOne(Sound):
    def act(self, observation, streams):
        decision = super().act(observation, streams)
        return replace(decision, slate=decision.slate + 1)


# luck


@breaks("same streams, same slate", r"^slate in row \d+ at step 3 is another when asked again$")
class OwnGenerator(Sound):
    def __init__(self):
        self.generator = np.random.Generator(np.random.Philox(0))

    def act(self, observation, streams):
        noisy = self.logits(observation) + self.generator.gumbel(size=(len(observation), len(CATALOG)))
        slate = np.argsort(-noisy, axis=1)[:, :K]
        return Decision(slate, self.step_log_prob(observation, slate))


@breaks("same streams, same slate", r"^slate in row \d+ at step 3 is another when asked again$")
class OneBuffer(Sound):
    def __init__(self):
        self.buffer = np.empty((16, K), np.int64)

    def act(self, observation, streams):
        decision = super().act(observation, streams)
        self.buffer[: len(observation)] = decision.slate
        return replace(decision, slate=self.buffer[: len(observation)])


@breaks("draws come only from the streams", r"^the global generator of np\.random was used$")
class GlobalNumpy(Sound):
    def act(self, observation, streams):
        np.random.random()  # noqa: NPY002
        return super().act(observation, streams)


@breaks("draws come only from the streams", r"^the global generator of random was used$")
class GlobalEstimate(Sound):
    def step_log_prob(self, observation, slate):
        random.random()
        return super().step_log_prob(observation, slate)


@breaks("arguments are not written to", r"^act wrote to the observation$")
class Scales(Sound):
    def act(self, observation, streams):
        observation[:, 4:] *= 2.0
        return super().act(observation, streams)


@breaks("arguments are not written to", r"^log_prob wrote to the slate$")
class Sorts(Sound):
    def log_prob(self, observation, slate):
        found = super().log_prob(observation, slate)
        slate.sort(axis=1)
        return found


@breaks("order of rows does not matter", r"^slate in row \d+ at step 3 is another in another order of rows$")
class OneDraw(Sound):
    def act(self, observation, streams):
        return super().act(observation, streams[np.zeros(len(streams), int)])


@breaks("batch equals single", r"^slate in row \d at step 3 is another for the user alone$")
class Standardised(Sound):
    def logits(self, observation):
        found = super().logits(observation)
        return found - found.mean(axis=0)


@breaks(
    "certain slates leave nothing to luck", r"^the slate in row 0 at step 3 is certain, \[.*\], but with other luck"
)
class Overconfident(Sound):
    def act(self, observation, streams):
        decision = super().act(observation, streams)
        return replace(decision, step_log_prob=0 * decision.step_log_prob)


# probabilities


@breaks("step_log_prob agrees with act", r"^act and step_log_prob say -[\d.]+ and -[\d.]+ in row 0, position 0$")
class OtherTemperature(Sound):
    def step_log_prob(self, observation, slate):
        return plackett_luce_log_prob(self.logits(observation) / 2.0 + 0.1 * CATALOG.novelty, slate)

    def act(self, observation, streams):
        slate = plackett_luce_sample(self.logits(observation), K, streams)
        return Decision(slate, plackett_luce_log_prob(self.logits(observation), slate))


@breaks("step_log_prob agrees with act", r"^step_log_prob, asked twice, is -[\d.]+ and -[\d.]+ in row 0, position 0$")
class FreshEstimates(Sound):
    def __init__(self):
        self.generator = np.random.Generator(np.random.Philox(0))

    def act(self, observation, streams):
        slate = plackett_luce_sample(self.logits(observation), K, streams)
        return Decision(slate, super().step_log_prob(observation, slate), exact=False)

    def step_log_prob(self, observation, slate):
        return super().step_log_prob(observation, slate) - self.generator.random(slate.shape)


@breaks("step_log_prob agrees with act", r"^step_log_prob is -inf in row 0, position 0, for what is shown there$")
class NeverSampled(FreshEstimates):
    def step_log_prob(self, observation, slate):
        return np.full(slate.shape, -np.inf)

    def act(self, observation, streams):
        slate = plackett_luce_sample(self.logits(observation), K, streams)
        return Decision(slate, np.full(slate.shape, -1.0), exact=False)


@breaks("log_prob is the sum over positions", r"^log_prob is -[\d.]+ in row 0, where step_log_prob sums to -[\d.]+$")
class MeanOfSteps(Sound):
    def log_prob(self, observation, slate):
        return self.step_log_prob(observation, slate).mean(axis=1)


@breaks("what cannot be shown has no probability", r"^a slate with an item twice, \[.*\] in row 0, has a probability$")
class Softmax(Sound):
    def step_log_prob(self, observation, slate):
        if (slate < 0).any() or (slate >= len(CATALOG)).any():
            raise ValueError("no such item")
        logits = self.logits(observation)
        chosen = np.take_along_axis(logits, slate, axis=1)
        gone = np.cumsum(np.exp(chosen), axis=1) - np.exp(chosen)
        return chosen - np.log(np.exp(logits).sum(axis=1, keepdims=True) - gone)


@breaks(
    "what cannot be shown has no probability", r"^a slate with an empty position, \[\d, \d, -1\] in row 0, has a pr"
)
class Wraps(Sound):
    def step_log_prob(self, observation, slate):
        clipped = np.where(slate < 0, slate + len(CATALOG), slate)
        try:
            return super().step_log_prob(observation, clipped)
        except ValueError:
            return np.full(slate.shape, -np.inf)


@breaks(
    "what cannot be shown has no probability", r"^the slate \[.*\] in row 0 has a probability, though \[.*\] is cert"
)
class CertainOfTheTop(Sound):
    def act(self, observation, streams):
        slate = np.argsort(-self.logits(observation), axis=1, kind="stable")[:, :K]
        return Decision(slate, self.step_log_prob(observation, slate))

    def step_log_prob(self, observation, slate):
        best = np.argsort(-self.logits(observation), axis=1, kind="stable")[:, :K]
        told = certain_log_prob(best, slate)
        ordinary = (np.sort(slate)[:, 1:] != np.sort(slate)[:, :-1]).all(axis=1)
        ordinary &= ((slate >= 0) & (slate < len(CATALOG))).all(axis=1)
        told[ordinary, K - 1] = told[ordinary, 0]
        return told


@breaks("probabilities sum to 1", r"^the probabilities of all 210 slates sum to \d\.\d+ in row \d$")
class Unnormalised(Sound):
    """Divides by the sum over all items at every position, also where some are gone."""

    def step_log_prob(self, observation, slate):
        plackett_luce_log_prob(self.logits(observation), slate)  # refuses repeats
        logits = self.logits(observation)
        return np.take_along_axis(logits - np.log(np.exp(logits).sum(axis=1, keepdims=True)), slate, axis=1)


@breaks("draws are as likely as told", r"^item \d is at position \d in row \d with probability [\d.]+ as told, but in ")
class ShowsTheBottomFirst(Sound):
    def act(self, observation, streams):
        slate = plackett_luce_sample(self.logits(observation), K, streams)[:, ::-1].copy()
        return Decision(slate, self.step_log_prob(observation, slate))


@breaks("draws are as likely as told", r"^item \d is at position 0 in row \d with probability [\d.]+ as told, but in ")
class SameLuckForAll(Sound):
    def act(self, observation, streams):
        anybody = replace(streams, user=0 * streams.user)
        return super().act(observation, anybody)


@pytest.mark.parametrize(("rule", "mutant", "detail"), MUTANTS, ids=[mutant.__name__ for _, mutant, _ in MUTANTS])
def test_a_mutant_is_caught_by_the_rule_meant_for_it(rule: str, mutant: type[Sound], detail: str) -> None:
    check = caught(mutant())[rule]
    assert check.outcome == "failed"
    assert re.search(detail, check.detail), check.detail
    assert check.cause


def caught(policy: Any) -> dict[str, Check]:
    with pytest.raises(BrokenRules) as error:
        check_policy(policy, world())
    return {check.rule: check for check in error.value.report.checks}


def test_every_rule_has_a_mutant() -> None:
    assert {rule for rule, _, _ in MUTANTS} == {rule.name for rule in POLICY_RULES}


def test_an_error_of_the_policy_is_told_with_its_place() -> None:
    class Fragile(Sound):
        def act(self, observation, streams):
            raise ZeroDivisionError("no users\nat all")

    first, second, *_ = caught(Fragile()).values()
    assert re.fullmatch(r"ZeroDivisionError: no users \(test_policy_mutants\.py, line \d+\)", first.detail)
    assert first.cause == "The policy raised this error"
    assert (second.outcome, second.detail) == ("skipped", "it cannot be told while 'decisions have their form' fails")
