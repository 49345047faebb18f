"""Faults that were found in other libraries, each with a test that it is not ours.

"obp 3" is the third fault of that library in the list of what was found. Those of estimators and intervals that have
a file of their own are tested beside these.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from recsim.agents.fusion.static import StaticFusion
from recsim.agents.offline.credit import credit
from recsim.catalog import Catalog
from recsim.logs import Log, collect, read_log, write_log
from recsim.ope import Terms, cascade_dr, dm, dr, evaluate, reward_model, rips, sips, snrips, snsips
from recsim.ope.intervals import clusters_of
from recsim.policy import Ranking, uniform
from recsim.simulator import Simulator
from recsim.streams import Streams
from recsim.truth import value_on_log
from recsim.users.choice import PositionBased, choice_model
from recsim.users.contract import Appeal, Response
from recsim.users.interest import InterestConfig, InterestUsers

K = 5
WEIGHTED = {"sips": sips, "rips": rips, "snsips": snsips, "snrips": snrips}


@dataclass
class Kind:
    """A state: what a user likes."""

    kind: np.ndarray


class Tastes:
    """Users who look at every position: one kind likes items of high numbers, the other those of low numbers."""

    def __init__(self, n_items: int, probability: Callable[[Any], Any] = lambda liking: 0.8 * liking) -> None:
        self.n_items, self.choice, self.probability = n_items, PositionBased(decay=0.0), probability

    def sample(self, users: Streams) -> Kind:
        return Kind((users.user % np.uint64(2)).astype(np.int64))

    def respond(self, state: Kind, slate: np.ndarray, users: Streams) -> tuple[Response, Kind]:
        _, click = self.choice.sample(self.appeal(state, slate), slate, users)
        return Response(click, np.zeros_like(click), np.zeros(len(slate), bool)), state

    def appeal(self, state: Kind, items: np.ndarray) -> Appeal:
        place = items / (self.n_items - 1)
        liking = np.where(state.kind[:, None] == 0, place, 1.0 - place)
        click = np.clip(self.probability(liking), 0.0, 1.0)
        return Appeal(click, np.zeros_like(click))


@dataclass(frozen=True)
class Order:
    """Scores by an order of the items, the same for everybody."""

    values: np.ndarray

    def scores(self, observation: np.ndarray) -> np.ndarray:
        return np.tile(self.values, (len(observation), 1))


@dataclass(frozen=True)
class Never:
    """A policy that would not have shown a single logged slate."""

    shows: Any
    name: str = "never"

    def act(self, observation: np.ndarray, streams: Streams) -> Any:
        return self.shows.act(observation, streams)

    def step_log_prob(self, observation: np.ndarray, slate: np.ndarray) -> np.ndarray:
        return np.full(slate.shape, -np.inf)


def interest(catalog: Catalog, choice: str, seed: int = 4) -> Simulator:
    config = InterestConfig(choice=choice_model(choice), click_offset=-1.0)
    return Simulator(catalog, InterestUsers(catalog, config), slate_size=K, horizon=6, seed=seed)


def test_obp_1_a_slate_s_rewards_come_from_its_own_user(catalog: Catalog) -> None:
    """There the reward of slate i is drawn from the context of slate i // k."""
    users = Tastes(len(catalog), probability=lambda liking: liking > 0.5)
    log = collect(Simulator(catalog, users, slate_size=K, horizon=3, seed=1), uniform(catalog, K), 300)
    high, first_kind = log.slate > (len(catalog) - 1) / 2, log.user % 2 == 0
    np.testing.assert_array_equal(log.click, np.where(first_kind[:, None], high, ~high))
    np.testing.assert_array_equal(log.objectives[:, :, 0], log.click)


def test_obp_1_expected_rewards_stand_in_the_row_of_their_situation(catalog: Catalog) -> None:
    """Each row of the truth is what the same session, simulated alone, is expected to earn there."""
    simulator = interest(catalog, "cascade")
    log, policy = collect(simulator, uniform(catalog, K), 40), uniform(catalog, K)
    truth = value_on_log(simulator, log, policy)
    for user in (0, 7, 31):
        alone = log[log.user == user]
        np.testing.assert_allclose(value_on_log(simulator, alone, policy), truth[log.user == user], rtol=1e-12)


def test_obp_2_the_best_policy_is_worth_more_than_the_worst(catalog: Catalog) -> None:
    """There 'optimal' and 'anti-optimal' are swapped, by an ascending sort."""
    simulator = Simulator(catalog, Tastes(len(catalog)), slate_size=K, horizon=3, seed=1)
    log = collect(simulator, uniform(catalog, K), np.arange(0, 400, 2))  # users who like high numbers
    order = np.arange(len(catalog), dtype=float)
    policies = (Ranking("best", Order(order), K), uniform(catalog, K), Ranking("worst", Order(-order), K))
    best, middle, worst = (value_on_log(simulator, log, policy)[:, 0].mean() for policy in policies)
    assert best == pytest.approx(0.8 * order[-K:].sum() / order[-1], rel=1e-9)
    assert middle == pytest.approx(0.8 * K / 2, rel=0.05)
    assert worst == pytest.approx(0.8 * order[:K].sum() / order[-1], rel=1e-9)


@pytest.fixture(scope="module")
def many() -> Catalog:
    return Catalog.synthetic(n_items=40_000, n_categories=4, dims={"text": 2}, seed=1)


def test_obp_3_items_beyond_127_and_32767_keep_their_rewards(many: Catalog, tmp_path: Path) -> None:
    """There item numbers are cast to int8, and rewards belong to other items."""
    users = Tastes(len(many), lambda liking: np.rint(liking * (len(many) - 1)) % 3 == 0)
    log = collect(Simulator(many, users, slate_size=K, horizon=2, seed=1), uniform(many, K), np.arange(0, 200, 2))
    write_log(log, tmp_path / "log.parquet")
    for found in (log, read_log(tmp_path / "log.parquet")):
        np.testing.assert_array_equal(found.slate, log.slate)
        assert (found.slate > 32_767).sum() > 50
        np.testing.assert_array_equal(found.click, found.slate % 3 == 0)


def test_obp_4_expected_rewards_are_double_precision(catalog: Catalog) -> None:
    """There they are kept in float16, 6e-4 off."""
    users = Tastes(len(catalog), probability=lambda liking: np.full_like(liking, 1.0 / 3.0))
    simulator = Simulator(catalog, users, slate_size=K, horizon=3, seed=1)
    log = collect(simulator, uniform(catalog, K), 20)
    truth = value_on_log(simulator, log, uniform(catalog, K))
    simulator.reset(20)
    expected = simulator.expected(log.slate[:20])
    assert expected.dtype == truth.dtype == np.float64
    assert (expected[:, :, 0] == 1.0 / 3.0).all()
    assert truth[:, 0] == pytest.approx(np.full(len(log), K / 3.0), rel=1e-14)


@pytest.mark.parametrize("n_users", [40, 400])
def test_obp_5_the_true_value_is_a_mean_over_slates(n_users: int, catalog: Catalog) -> None:
    """There it is a sum: 214 where the most that a slate can earn is 3."""
    simulator = Simulator(catalog, Tastes(len(catalog), np.ones_like), slate_size=K, horizon=3, seed=1)
    log = collect(simulator, uniform(catalog, K), n_users)
    clicks = value_on_log(simulator, log, uniform(catalog, K))[:, 0]
    np.testing.assert_array_equal(clicks, np.full(len(log), K))


@pytest.mark.parametrize("choice", ["pbm", "cascade", "dcm", "dbn", "mnl"])
def test_obp_6_the_true_value_is_what_simulation_gives(choice: str, catalog: Catalog) -> None:
    """There that of the cascade is biased: 1.527 where its own simulation gives 1.475 +- 0.001."""
    simulator = interest(catalog, choice)
    log = collect(simulator, uniform(catalog, K), 1_200)
    gap = (log.objectives.sum(axis=1) - value_on_log(simulator, log, uniform(catalog, K)))[:, 0]
    cluster, n = clusters_of(log.user, log.session)
    by_session = Terms(gap[:, None, None], np.ones((len(gap), 1))).grouped(cluster, n)
    se = np.sqrt(np.square(by_session.influence).sum())
    assert abs(gap.mean()) < 3.0 * se
    assert se < 0.03


def test_obp_7_the_logging_policy_looks_at_the_context(catalog: Catalog) -> None:
    """There the context's part of the logits is the same for all items, so that a softmax does not see it."""
    simulator = interest(catalog, "pbm")
    launch = collect(simulator, uniform(catalog, K), 300)
    policy = Ranking("production", StaticFusion.fit(launch, catalog, simulator.layout), K, temperature=0.5)
    late = launch[launch.step == 4]
    slate = np.tile(late.slate[:1], (len(late), 1))
    chance = policy.log_prob(late.observation, slate)
    assert chance.std() > 0.1
    log = collect(simulator, policy, 100)
    np.testing.assert_allclose(log.step_log_prob, policy.step_log_prob(log.observation, log.slate), rtol=1e-9)


def test_obp_11_deterministic_targets_have_model_estimates(world, tiny_log, features) -> None:
    """There a policy of probability 0 is refused, so that no static ranker can be judged by a model."""
    frame = evaluate(tiny_log, [world.greedy], features=features, seed=0, n_boot=20).to_frame()
    found = frame[frame["objective"] == "click"].set_index("estimator")
    truth = world.truth(world.greedy)[0]
    assert found.loc["dm", "value"] == pytest.approx(truth, rel=0.2)
    assert abs(found.loc["dr", "value"] - truth) < 4.0 * found.loc["dr", "se"]


def test_obp_11_items_are_no_numbers_to_the_reward_model(tiny_log: Log, features) -> None:
    """There raw item numbers are a feature. Renamed, with what is known of them, they are worth the same."""
    other = np.array([5, 3, 0, 1, 4, 2])
    renamed = other[tiny_log.slate]

    def by_new_name(observation: np.ndarray, slate: np.ndarray) -> np.ndarray:
        return features(observation, np.argsort(other)[slate])

    cluster, _ = clusters_of(tiny_log.user, tiny_log.session)
    found = []
    for slate, told in ((tiny_log.slate, features), (renamed, by_new_name)):
        model = reward_model.cross_fit(tiny_log.observation, slate, tiny_log.objectives, cluster, features=told, seed=0)
        found.append(reward_model.predict_logged(model, tiny_log.observation, slate))
    np.testing.assert_array_equal(*found)
    assert found[0].std() > 0.05


def test_coba_a_logged_probability_of_0_or_none_is_refused(tiny_log: Log, world, features, changed) -> None:
    """There either is silently taken for 1."""
    with pytest.raises(
        ValueError, match="row 3, position 1 of .* is -inf; a logged choice cannot have had probability"
    ):
        evaluate(changed(tiny_log, "step_log_prob", (3, 1), -np.inf), [world.target], features=features, seed=0)
    chance = tiny_log.step_log_prob.astype(object)
    chance[3, 1] = None
    with pytest.raises(TypeError, match="holds object; it must hold floating-point numbers"):
        evaluate(replace(tiny_log, step_log_prob=chance), [world.target], features=features, seed=0)


def test_coba_the_model_of_dr_has_not_seen_what_it_scores(tiny_log: Log, features) -> None:
    """There it learns and predicts on the same rows."""
    cluster, _ = clusters_of(tiny_log.user, tiny_log.session)
    lucky = cluster == 7
    richer = tiny_log.objectives + 5.0 * lucky[:, None, None]
    before, after = (
        reward_model.predict_logged(
            reward_model.cross_fit(tiny_log.observation, tiny_log.slate, part, cluster, features=features, seed=0),
            tiny_log.observation,
            tiny_log.slate,
        )
        for part in (tiny_log.objectives, richer)
    )
    np.testing.assert_array_equal(after[lucky], before[lucky])
    assert (after != before).any()


def test_scope_rl_7_a_discount_may_be_0_or_a_whole_number(tiny_log: Log) -> None:
    """There 0.0 gives nan and 1 a TypeError."""
    own = tiny_log.objectives @ np.array(tiny_log.info.weights)
    np.testing.assert_array_equal(credit(tiny_log, 0.0), own)
    np.testing.assert_array_equal(credit(tiny_log, 1), credit(tiny_log, 1.0))
    assert np.isfinite(credit(tiny_log, 1)).all()


def test_scope_rl_8_every_file_of_tests_has_tests() -> None:
    """There the tests of all estimators are empty files."""
    files = sorted(Path(__file__).parents[1].rglob("test_*.py"))
    assert len(files) > 50
    for path in files:
        assert re.search(r"^\s*def test_", path.read_text(), re.MULTILINE), path


def test_vw_estimators_no_context_and_no_weight_end_in_a_sentence(tiny_log: Log, world, features) -> None:
    """There, ZeroDivisionError or nan."""
    with pytest.raises(ValueError, match="the log is empty; an evaluation needs logged slates of at least 2 sessions"):
        evaluate(tiny_log[:0], [world.target], features=features, seed=0)
    found = evaluate(tiny_log, [Never(world.target)], features=features, seed=0, n_boot=20).to_frame()
    weighted = found[found["estimator"].isin(list(WEIGHTED))]
    assert (weighted["verdict"] == "do not use").all()
    assert weighted["reason"].str.contains("would never show any of the logged slates").all()


def test_skdr_eval_a_position_counts_by_all_choices_above_it() -> None:
    """There 'RIPS' has the ratio of the position alone: items below one that the target never shows count in full."""
    logged, target = np.log([[0.5, 0.5]]), np.array([[-np.inf, 0.0]])
    assert rips([[0.0, 1.0]], target, logged).value[0] == 0.0
    assert rips([[0.0, 1.0]], np.log([[0.1, 0.5]]), logged).value[0] == pytest.approx(0.1 / 0.5)


# The table of bad input: what other libraries answer with nan, a silent 0 or an error without a place.

HALF = np.log(np.full((4, 2), 0.5))


def with_value(array: np.ndarray, value: float) -> np.ndarray:
    out = np.array(array, float)
    out[2, 1] = value
    return out


def estimates(reward: Any, target: Any, logged: Any) -> list[Callable[[], Terms]]:
    """All estimators of slates, on the same arrays."""
    model = np.zeros((4, 2))
    calls = [lambda f=f: f(reward, target, logged) for f in WEIGHTED.values()]
    return [
        *calls,
        lambda: dr(reward, target, logged, model, model),
        lambda: cascade_dr(reward, target, logged, model, model),
    ]


@pytest.mark.parametrize(
    ("reward", "target", "logged", "message"),
    [
        (np.ones((4, 2)), HALF, with_value(HALF, -np.inf), "row 2, position 1 of .* is -inf; a logged choice cannot"),
        (np.ones((4, 2)), HALF, with_value(HALF, np.nan), "row 2, position 1 of .* is nan; that is no log-probability"),
        (np.ones((4, 2)), with_value(HALF, np.nan), HALF, "row 2, position 1 of .* is nan; .* Return -inf for slates"),
        (np.ones((4, 2)), HALF, with_value(HALF, 0.7), "row 2, position 1 .* is 0.7, a probability above 1"),
        (np.ones((4, 2)), with_value(HALF, 0.7), HALF, "row 2, position 1 .* is 0.7, a probability above 1"),
        (with_value(np.ones((4, 2)), np.nan), HALF, HALF, "row 2, position 1, objective 0 of reward is nan; .* Drop"),
        (np.ones((3, 2)), HALF, HALF, r"reward has shape \(3, 2, 1\) but .* has shape \(4, 2\)"),
        (np.ones((4, 2)), HALF[:3], HALF, r"logged has shape \(4, 2\) but target has shape \(3, 2\).*same slates"),
        (np.ones((4, 2)), np.vstack([HALF, HALF]), HALF, r"logged has shape \(4, 2\) but target has shape \(8, 2\)"),
        (np.ones((0, 2)), HALF[:0], HALF[:0], r"is empty \(shape \(0, 2.*\); an evaluation needs at least one"),
        (np.ones((4, 2)), HALF, HALF - 400.0, "row 0, position 0: the weight is e.400, so the slate was logged with"),
    ],
)
def test_bad_numbers_are_refused_with_their_place(reward: Any, target: Any, logged: Any, message: str) -> None:
    for call in estimates(reward, target, logged):
        with pytest.raises(ValueError, match=message):
            call()


def test_negative_probabilities_have_no_logarithm() -> None:
    """There they are accepted, if they add up to 1."""
    with np.errstate(invalid="ignore"):
        target = np.log(with_value(np.full((4, 2), 0.5), -0.5))
    for call in estimates(np.ones((4, 2)), target, HALF):
        with pytest.raises(ValueError, match="row 2, position 1 of target step_log_prob is nan"):
            call()


@pytest.mark.parametrize("kind", ["list", "tuple", "float32", "bool rewards"])
def test_lists_and_other_kinds_of_numbers_are_taken(kind: str) -> None:
    """There, ValueErrors about the class list."""
    reward, target, logged = np.array([[1, 0], [0, 1], [1, 1], [0, 0]]), HALF * 1.5, HALF
    expected = [call().value for call in estimates(reward, target, logged)]
    given: Any = {
        "list": [part.tolist() for part in (reward, target, logged)],
        "tuple": [tuple(map(tuple, part)) for part in (reward, target, logged)],
        "float32": [part.astype(np.float32) for part in (reward, target, logged)],
        "bool rewards": [reward.astype(bool), target, logged],
    }[kind]
    for call, value in zip(estimates(*given), expected, strict=True):
        assert call().value == pytest.approx(value, rel=1e-6)
    assert dm(given[0]).value == pytest.approx([4 / 4])


@pytest.mark.parametrize("kind", [np.int32, np.int16, np.uint32])
def test_item_user_and_session_numbers_may_be_of_any_width(kind: Any, tiny_log: Log, world, features) -> None:
    """There only int64 passes, and the message says that numbers must not be negative."""
    few = tiny_log[:150]
    columns = {name: getattr(few, name).astype(kind) for name in ("user", "session", "step", "slate")}
    found, expected = (
        evaluate(log, [world.target], features=features, seed=0, n_boot=20).to_frame()
        for log in (replace(few, **columns), few)
    )
    assert found.equals(expected)


def test_no_overlap_is_no_estimate() -> None:
    """There IPS is 0.0 with a standard error of 0.0, and nobody says a word; `evaluate` says `do not use` to it."""
    never = np.full((4, 2), -np.inf)
    for normalised in (snsips, snrips):
        assert np.isnan(normalised(np.ones((4, 2)), never, HALF).value).all()
    assert sips(np.ones((4, 2)), never, HALF).value.tolist() == [0.0]
