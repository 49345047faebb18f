from __future__ import annotations

import math
import re
from dataclasses import replace

import numpy as np
import pytest

from recsim.ope import Resamples, bootstrap, overlap_of, prefix_weight, sips, verdict_of, warnings_of
from recsim.ope.diagnostics import Overlap, harmonic_ess, model_verdict

GOOD = Overlap(
    n_slates=10_000,
    n_sessions=1_000,
    ess=4_000.0,
    largest=9.0,
    largest_share=0.001,
    mean=1.01,
    mean_se=0.02,
    zero_share=0.0,
)


def test_overlap_by_hand():
    overlap = overlap_of(np.array([0.0, 1.0, 2.0, 3.0]), np.array([0, 0, 1, 1]), 2)
    assert overlap.ess == pytest.approx(6**2 / (1 + 4 + 9))
    assert overlap.largest == 3.0
    assert overlap.largest_share == pytest.approx(3 / 6)
    assert overlap.mean == pytest.approx(1.5)
    # sessions add up to 1 and 5, each 2 from the mean of 3: sqrt(2 * (4 + 4)) / 4
    assert overlap.mean_se == pytest.approx(math.sqrt(2 * 8) / 4)
    assert overlap.z == pytest.approx(0.5 / 1.0)
    assert overlap.zero_share == 0.25
    assert (overlap.n_slates, overlap.n_sessions) == (4, 2)


def test_equal_weights_are_perfect():
    overlap = overlap_of(np.full(100, 1.0 + 1e-15), np.arange(100), 100)
    assert overlap.ess == pytest.approx(100)
    assert overlap.z == 0.0
    assert overlap.p_value == 1.0


def test_the_test_of_the_mean_weight():
    assert replace(GOOD, mean=1.0 + 1.96 * 0.02).p_value == pytest.approx(0.05, abs=1e-3)
    certain = replace(GOOD, mean=0.5, mean_se=0.0)
    assert certain.z == -math.inf
    assert certain.p_value == 0.0


def test_the_standard_error_is_clustered():
    weight = np.repeat([0.5, 1.5], 50)  # two sessions of equal weights
    apart = overlap_of(weight, np.arange(100), 100)
    together = overlap_of(weight, np.repeat([0, 1], 50), 2)
    assert together.mean_se == pytest.approx(0.5)
    assert apart.mean_se == pytest.approx(0.5 / math.sqrt(99))


def test_no_weight_at_all_and_huge_weights():
    nothing = overlap_of(np.zeros(5), np.arange(5), 5)
    assert (nothing.ess, nothing.largest_share, nothing.zero_share) == (0.0, 0.0, 1.0)
    huge = overlap_of(np.array([1e200, 1e200, 0.0]), np.arange(3), 3)
    assert huge.ess == pytest.approx(2.0)


@pytest.mark.parametrize(
    ("change", "level", "reason"),
    [
        ({}, "trust", r"effective sample size 4,000 slates"),
        ({"ess": 2.0}, "do not use", r"effective sample size 2.0 of 10,000 logged slates, fewer than 50"),
        ({"ess": 300.0}, "caution", r"effective sample size 300.0 .* the interval may be too narrow"),
        ({"largest_share": 0.4}, "do not use", r"one logged slate carries 40% of all weight"),
        ({"largest_share": 0.1}, "caution", r"one logged slate carries 10% of all weight: the estimate leans on it"),
        (
            {"mean": 0.5},
            "do not use",
            r"average weight is 0.5 ± 0.02 and should be 1: about 50% .* never, or too seldom",
        ),
        ({"mean": 0.9}, "caution", r"average weight is 0.9"),
        ({"mean": 1.6}, "do not use", r"the logged propensities are not those that were in force"),
        ({"mean": 0.5, "mean_se": 0.3}, "trust", r"no single slate"),
        ({"zero_share": 1.0, "mean": 0.0}, "do not use", r"never show any of the logged slates"),
        ({"n_sessions": 12}, "caution", r"the log has 12 sessions; intervals from fewer than 50 are too narrow"),
        ({"ess": 300.0, "mean": 0.5}, "do not use", r"average weight"),  # the worst problem decides
        ({"pareto_k": 0.69}, "trust", r"no single slate"),
        ({"pareto_k": 0.8}, "caution", r"heavy tail \(Pareto k 0.80, above 0.7\): the interval may be too narrow"),
        ({"pareto_k": 1.2}, "do not use", r"more data of the same kind would not settle .* guaranteed interval"),
        ({"pareto_k": 1.2, "possible": 12.0}, "trust", r"no single slate"),  # the tail ends where weights of 9 are
        ({"possible": 20_000.0, "mean_se": 0.07}, "caution", r"weights of up to 20,000 are possible .* up to 12%"),
        ({"possible": 20_000.0, "mean": 0.8, "mean_se": 0.07}, "do not use", r"none above 9.0 .* \(recsim.ope.seq"),
        ({"possible": 20_000.0}, "trust", r"no single slate"),  # the mean weight leaves no room for them
        ({"possible": 100.0, "mean_se": 0.2}, "trust", r"no single slate"),  # 10,000 slates would hold some
        ({"unsupported": 0.0}, "trust", r"no single slate"),
        ({"unsupported": 0.01}, "caution", r"1.0% of what it would show was never logged"),
        ({"unsupported": 0.2}, "do not use", r"20.0% of what it would show was never logged"),
    ],
)
def test_verdicts(change, level, reason):
    verdict = verdict_of(replace(GOOD, **change))
    assert verdict.level == level
    assert re.search(reason, verdict.reason)


def test_what_may_be_missing_from_the_log():
    """A share q of weight w is logged q / w often: none of it in n slates has a chance of exp(-n q / w)."""
    assert GOOD.unseen is None
    assert replace(GOOD, possible=17.9).unseen == 0.0  # weights of half of that were seen
    by_chance = replace(GOOD, possible=100.0, mean_se=1.0)
    assert by_chance.unseen == pytest.approx(3 * 100 / 10_000)
    assert math.exp(-10_000 * by_chance.unseen / 100.0) == pytest.approx(0.05, abs=1e-3)
    by_mean = replace(GOOD, possible=math.inf, mean=0.9, mean_se=0.01)
    assert by_mean.unseen == pytest.approx(0.1 + 1.645 * 0.01)
    assert replace(GOOD, possible=math.inf, mean=0.1, mean_se=2.0).unseen == 1.0


def test_what_is_missing_is_seldom_more_than_the_limit():
    rng = np.random.default_rng(1)
    for weight, share in ((50.0, 0.1), (400.0, 0.3)):
        missing = []
        for _ in range(400):
            heavy = rng.random(1000) < share / weight
            weights = np.where(heavy, weight, (1 - share) / (1 - share / weight) * rng.choice([0.5, 1.5], 1000))
            overlap = overlap_of(weights, np.arange(1000), 1000, possible=weight)
            missing.append(overlap.unseen is not None and (share if not heavy.any() else 0.0) > overlap.unseen)
        assert np.mean(missing) <= 0.05


def test_support_is_counted():
    overlap = overlap_of(np.array([0.0, 0.0, 1.5]), np.arange(3), 3, possible=4.0, unsupported=0.25)
    assert (overlap.zero_slates, overlap.possible, overlap.unsupported) == (2, 4.0, 0.25)
    assert overlap.pareto_k is None


def test_the_shape_of_the_tail():
    rng = np.random.default_rng(2)
    heavy = overlap_of(rng.random(20_000) ** -1.3, np.arange(20_000), 20_000)
    light = overlap_of(rng.random(20_000) ** -0.2, np.arange(20_000), 20_000)
    assert heavy.pareto_k is not None
    assert light.pareto_k is not None
    assert heavy.pareto_k > 1.0
    assert light.pareto_k < 0.5


def test_verdicts_on_draws_and_rewards():
    assert verdict_of(GOOD, undefined_draws=3).level == "do not use"
    assert "3 bootstrap draws had no slate" in verdict_of(GOOD, undefined_draws=3).reason
    assert verdict_of(GOOD, rewarded_sessions=20).level == "trust"
    rare = verdict_of(GOOD, rewarded_sessions=4)
    assert (rare.level, rare.reason) == ("caution", "only 4 sessions have any of it where the weights count.")


def test_positions_share_an_effective_size():
    assert harmonic_ess(np.array([100.0, 100.0]), np.array([0.3, 0.7])) == pytest.approx(100)
    assert harmonic_ess(np.array([60.0, 20.0]), np.array([0.75, 0.25])) == pytest.approx(1 / (0.75 / 60 + 0.25 / 20))
    assert harmonic_ess(np.array([100.0, 0.0]), np.array([1.0, 0.0])) == pytest.approx(100)  # earns nothing there
    assert harmonic_ess(np.array([100.0, 0.0]), np.array([0.9, 0.1])) == 0.0


def test_the_reward_model_alone_is_never_trusted():
    assert model_verdict(GOOD, 0.0, 0.001).level == "caution"
    assert model_verdict(GOOD, 0.3, 0.2).level == "caution"  # within its error
    assert model_verdict(GOOD, 0.09, 0.01).level == "caution"  # clear, but small
    biased = model_verdict(GOOD, -0.3, 0.02)
    assert (biased.level, biased.reason) == (
        "do not use",
        "the reward model is off by -30% ± 2% where the log can check it for this policy.",
    )
    assert model_verdict(replace(GOOD, ess=3.0), 0.0, 0.01).level == "do not use"


def test_warnings_are_sentences_with_the_policys_name():
    assert warnings_of("near", GOOD) == []
    sentences = warnings_of(
        "far", replace(GOOD, ess=2.0, largest_share=0.6, mean=0.4, zero_share=0.9), undefined_draws=1
    )
    assert len(sentences) == 5
    assert all(sentence.startswith("far: ") and sentence.endswith(".") for sentence in sentences)
    assert sentences[-1] == "far: 90% of the logged slates are ones that it would never show."


def test_rare_heavy_weights_are_noticed():
    """A target that mostly shows what is hardly ever logged: the sample looks calm, the mean weight tells."""
    rng = np.random.default_rng(0)
    rare = rng.random(1_000) < 0.0005  # logged with chance 0.0005, shown by the target with chance 0.9
    weight = np.where(rare, 0.9 / 0.0005, 0.1 / 0.9995)
    overlap = overlap_of(weight, np.arange(1_000), 1_000)
    assert verdict_of(overlap).level == "do not use"


@pytest.mark.slow
def test_verdicts_sort_intervals_by_their_coverage():
    """Nominal 95 % intervals in worlds of very different overlap: trusted ones cover, refused ones do not."""
    rng = np.random.default_rng(3)
    hits: dict[str, list[bool]] = {"trust": [], "caution": [], "do not use": []}
    for _ in range(40):
        items, size = int(rng.choice([10, 100, 1000])), int(rng.choice([500, 4000]))
        taste = rng.normal(size=(3, items))
        logits = np.array([rng.uniform(0, 1.2) * taste[0], rng.uniform(0.3, 2.5) * taste[1]])
        logging, target = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
        click = 1 / (1 + np.exp(2 - taste[2]))
        for seed in range(20):
            item = rng.choice(items, size, p=logging)
            steps = np.log(target[item])[:, None], np.log(logging[item])[:, None]
            terms = sips((rng.random(size) < click[item])[:, None], *steps)
            interval = bootstrap(terms, Resamples.draw(size, 200, seed))
            overlap = overlap_of(prefix_weight(*steps)[:, 0], np.arange(size), size)
            hits[verdict_of(overlap).level].append(bool(interval.low[0] <= target @ click <= interval.high[0]))
    share = {level: float(np.mean(found)) for level, found in hits.items()}
    assert min(len(found) for found in hits.values()) > 50
    assert share["trust"] > 0.92
    assert share["do not use"] < 0.85
    assert share["trust"] > share["caution"] > share["do not use"]
