"""Values that obp 0.5.7 gives on the same rows: points to 1e-9, and intervals on the same resamples."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from recsim.marginals import plackett_luce_marginal_log_prob
from recsim.ope import Resamples, Terms, bandit, bootstrap, cascade_dr, dm, dr, rips, sips, snrips, snsips
from recsim.ope.intervals import draws_of
from recsim.ope.positions import iips, sniips
from recsim.ope.pseudo_inverse import pi, product_weight
from recsim.ope.selection import least, shrinkage_mse, slope

FOLDER = Path(__file__).parents[2].parent / "shared" / "reference" / "ope"
CASES = ("K5_perm6_cascade_additive", "K5_fact8_standard_decay", "K10_perm12_cascade_decay", "K10_fact10_cascade_decay")

pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason=f"reference values are not beside the checkout: {FOLDER}")


class SlateCase:
    """One reference log of slates as (n, k) arrays."""

    def __init__(self, name: str) -> None:
        self.meta = json.loads((FOLDER / f"slate_{name}.json").read_text())
        self.data = np.load(FOLDER / f"slate_{name}.npz")
        self.shape = (self.meta["n_slates"], self.meta["len_list"])
        self.reward = self.table("reward").astype(float)
        self.logged = self.steps("pscore_cascade")
        self.target = self.steps("evaluation_policy_pscore_cascade")

    def table(self, key: str) -> np.ndarray:
        return self.data[key].reshape(self.shape)

    def steps(self, key: str) -> np.ndarray:
        joint = np.log(self.table(key))
        return np.diff(joint, axis=1, prepend=0.0)

    def to_go(self) -> tuple[np.ndarray, np.ndarray]:
        """The reference's model of the reward to go at the logged items, and its expectation under the target."""
        base, exam, action = self.data["base_expected_reward"], self.data["exam_weight"], self.table("action")
        (n, k), rows = self.shape, np.arange(self.shape[0])
        later = 0.8 * (k - 1 - np.arange(k))[None, :] * base.mean(axis=1)[:, None]  # (n, k)
        left = np.exp(self.data["evaluation_policy_logit"])
        at_logged, expected = np.empty((2, n, k))
        for position in range(k):
            chance = left / left.sum(axis=1, keepdims=True)
            model = exam[position] * base + later[:, position, None]  # (n, items)
            at_logged[:, position] = model[rows, action[:, position]]
            expected[:, position] = (chance * model).sum(axis=1)
            if not self.meta["is_factorizable"]:
                left[rows, action[:, position]] = 0.0
        return at_logged, expected

    @property
    def marginals(self) -> tuple[np.ndarray, np.ndarray]:
        """Log-probabilities of items at their positions, of the target and the policy in force."""
        target = self.table("evaluation_policy_pscore_item_position")
        return np.log(target), np.log(self.table("pscore_item_position"))

    def terms(self, estimator: str) -> Terms:
        logs = (self.reward, self.target, self.logged)
        if estimator == "cascade-dr":
            return cascade_dr(*logs, *self.to_go())
        if estimator in ("iips", "sniips"):
            return {"iips": iips, "sniips": sniips}[estimator](self.reward, *self.marginals)
        return {"sips": sips, "rips": rips, "snsips": snsips, "snrips": snrips}[estimator](*logs)


def reference_resamples(n: int, n_boot: int, seed: int) -> Resamples:
    generator = np.random.RandomState(seed)
    return Resamples.of_indices([generator.randint(0, n, n) for _ in range(n_boot)], n)


def assert_same_interval(terms: Terms, expected: dict, n_boot: int, seed: int, alpha: float) -> None:
    resamples = reference_resamples(len(terms), n_boot, seed)
    draws, interval = draws_of(terms, resamples)[:, 0], bootstrap(terms, resamples, level=1 - alpha)
    assert draws.mean() == pytest.approx(expected["boot_mean"], abs=1e-9)
    theirs = np.quantile(draws, [alpha / 2, 1 - alpha / 2])  # of the sample of draws, which is a little too narrow
    assert theirs == pytest.approx([expected["lower"], expected["upper"]], abs=1e-9)
    step = 2 * np.diff(np.sort(draws)).max()
    assert theirs[0] - step <= interval.low[0] <= theirs[0]
    assert theirs[1] <= interval.high[0] <= theirs[1] + step


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("estimator", ["sips", "iips", "rips", "snsips", "sniips", "snrips", "cascade-dr"])
def test_slate_values(case, estimator):
    case = SlateCase(case)
    expected = case.meta["estimators"][estimator]["value"]
    assert case.terms(estimator).value[0] == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("case", [case for case in CASES if "perm" in case])
def test_exact_marginals_are_those_that_went_into_the_reference(case):
    case = SlateCase(case)
    for logits, expected in zip(("evaluation_policy_logit", "behavior_policy_logit"), case.marginals, strict=True):
        found = plackett_luce_marginal_log_prob(case.data[logits], case.table("action"))
        np.testing.assert_allclose(found, expected, atol=1e-11)


@pytest.mark.parametrize("case", [case for case in CASES if "fact" in case])
def test_pseudo_inverse_value(case):
    case = SlateCase(case)
    expected = case.meta["estimators"]["pi (vw-estimators formula)"]["value"]
    assert pi(case.reward, product_weight(*case.marginals)).value[0] == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("estimator", ["sips", "iips", "rips", "cascade-dr"])
def test_slate_intervals_on_the_same_resamples(case, estimator):
    case = SlateCase(case)
    settings = case.meta["bootstrap"]
    expected = case.meta["estimators"][estimator]["ci"]
    assert_same_interval(case.terms(estimator), expected, settings["n"], settings["seed"], settings["alpha"])


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("estimator", ["snsips", "sniips", "snrips"])
def test_self_normalised_intervals_are_not_the_fixed_denominator_ones(case, estimator):
    case = SlateCase(case)
    settings, expected = case.meta["bootstrap"], case.meta["estimators"][estimator]["ci"]
    terms = case.terms(estimator)
    mean_weight = Terms(terms.numerator, np.broadcast_to(terms.denominator.mean(axis=0), terms.denominator.shape))
    assert_same_interval(mean_weight, expected, settings["n"], settings["seed"], settings["alpha"])
    ours = bootstrap(terms, reference_resamples(len(terms), settings["n"], settings["seed"]))
    assert abs(ours.low[0] - expected["lower"]) > 1e-3
    if estimator == "snsips":
        assert ours.high[0] - ours.low[0] < 0.95 * (expected["upper"] - expected["lower"])


class BanditCase:
    """The reference log of single actions, as the arrays that estimators take."""

    def __init__(self) -> None:
        self.meta = json.loads((FOLDER / "bandit.json").read_text())
        data = np.load(FOLDER / "bandit.npz")
        rows, action = np.arange(len(data["action"])), data["action"]
        self.reward, self.logged = data["reward"], np.log(data["pscore"])
        self.target = np.log(data["action_dist"][rows, action])
        self.logs = (self.reward, self.target, self.logged)
        self.models = (data["q_hat"][rows, action], (data["action_dist"] * data["q_hat"]).sum(axis=1))

    def terms(self, estimator: str) -> Terms:
        both = (*self.logs, *self.models)
        return {
            "ipw": lambda: bandit.ips(*self.logs),
            "ipw_clip_3": lambda: bandit.ips(*self.logs, clip=3.0),
            "snipw": lambda: bandit.snips(*self.logs),
            "dm": lambda: bandit.dm(self.models[1]),
            "dr": lambda: bandit.dr(*both),
            "sndr": lambda: bandit.sndr(*both),
            "switch-dr_3": lambda: bandit.switch_dr(*both, threshold=3.0),
            "dr-os_10": lambda: bandit.dros(*both, shrinkage=10.0),
            "sg-ipw_0.05": lambda: bandit.subgaussian_ips(*self.logs, share=0.05),
            "sg-dr_0.05": lambda: bandit.subgaussian_dr(*both, share=0.05),
        }[estimator]()

    def tuned(self, family: str) -> dict[float, tuple[Terms, np.ndarray, np.ndarray | None]]:
        """For every value tried: the terms, the weights it uses and the reward model it corrects."""
        logs, both, pair = self.logs, (*self.logs, *self.models), (self.target, self.logged)
        make = {
            "ipw": lambda value: (bandit.ips(*logs, clip=value), bandit.clipped_weight(*pair, value), None),
            "dr": lambda value: (bandit.dr(*both, clip=value), bandit.clipped_weight(*pair, value), self.models[0]),
            "switch-dr": lambda value: (
                bandit.switch_dr(*both, threshold=value),
                bandit.switched_weight(*pair, value),
                self.models[0],
            ),
            "dr-os": lambda value: (
                bandit.dros(*both, shrinkage=value),
                bandit.shrunk_weight(*pair, value),
                self.models[0],
            ),
        }[family]
        return {value: make(value) for value in self.meta["tuning"]["lambdas"]}

    def slate_terms(self, estimator: str) -> Terms:
        """The same by slate estimators, for slates of one item."""
        reward, target, logged, model_logged, model_target = (array[:, None] for array in (*self.logs, *self.models))
        logs = (reward.astype(float), target, logged)
        return {
            "ipw": lambda: sips(*logs),
            "ipw (rips)": lambda: rips(*logs),
            "snipw": lambda: snsips(*logs),
            "snipw (snrips)": lambda: snrips(*logs),
            "dm": lambda: dm(model_target),
            "dr": lambda: dr(*logs, model_logged, model_target),
        }[estimator]()


@pytest.fixture(scope="module")
def case() -> BanditCase:
    return BanditCase()


PLAIN = ["ipw", "ipw_clip_3", "dm", "dr", "switch-dr_3", "dr-os_10", "sg-ipw_0.05", "sg-dr_0.05"]
SELF_NORMALISED = ["snipw", "sndr"]
FAMILIES = ["ipw", "dr", "switch-dr", "dr-os"]


@pytest.mark.parametrize("estimator", [*PLAIN, *SELF_NORMALISED])
def test_bandit_values(case, estimator):
    expected = case.meta["estimators"][estimator]["value"]
    assert case.terms(estimator).value[0] == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("estimator", PLAIN)
def test_bandit_intervals_on_the_same_resamples(case, estimator):
    assert_same_interval(case.terms(estimator), case.meta["estimators"][estimator]["ci"], 200, 12345, 0.05)


@pytest.mark.parametrize("estimator", SELF_NORMALISED)
def test_bandit_resamples_have_their_own_denominators(case, estimator):
    """Fault 8 of obp: with the mean weight of the whole log its intervals come out, and they are not ours."""
    terms, expected = case.terms(estimator), case.meta["estimators"][estimator]["ci"]
    fixed = Terms(terms.numerator, np.broadcast_to(terms.denominator.mean(axis=0), terms.denominator.shape))
    assert_same_interval(fixed, expected, 200, 12345, 0.05)
    ours = bootstrap(terms, reference_resamples(len(terms), 200, 12345))
    assert abs(ours.low[0] - expected["lower"]) > 1e-4


@pytest.mark.parametrize("rule", ["slope", "mse"])
@pytest.mark.parametrize("family", FAMILIES)
def test_tuned_values_and_their_intervals(case, family, rule):
    expected, tried = case.meta["estimators"][f"{family}_tuned_{rule}"], case.tuned(family)
    delta = case.meta["tuning"]["delta"]
    if rule == "slope":
        chosen = slope({value: terms for value, (terms, _, _) in tried.items()}, delta)
    else:
        weight = bandit.importance_weight(case.target, case.logged)
        scores = {
            value: shrinkage_mse(terms, case.reward, weight, used, model, delta=delta)
            for value, (terms, used, model) in tried.items()
        }
        chosen = least(scores)
    assert chosen == [expected["best_hyperparam"]]
    terms = tried[chosen[0]][0]
    assert terms.value[0] == pytest.approx(expected["value"], abs=1e-9)
    assert_same_interval(terms, expected["ci"], 200, 12345, 0.05)


@pytest.mark.parametrize("estimator", ["ipw", "ipw (rips)", "snipw", "snipw (snrips)", "dm", "dr"])
def test_slates_of_one_item_are_a_contextual_bandit(case, estimator):
    expected = case.meta["estimators"][estimator.split(" ")[0]]["value"]
    assert case.slate_terms(estimator).value[0] == pytest.approx(expected, abs=1e-9)


def test_reference_estimators_are_all_compared(case):
    tuned = {f"{name}_tuned_{rule}" for name in FAMILIES for rule in ("slope", "mse")}
    assert set(case.meta["estimators"]) == {*PLAIN, *SELF_NORMALISED, *tuned}
