"""Interests told from histories: the truth, the predictors, and that nothing leaks."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from recsim.catalog import Catalog
from recsim.language.interest import (
    TaughtInterests,
    UntaughtInterests,
    category_affinity,
    fusion,
    said_of_others,
)
from recsim.language.interest_features import (
    CONTENT_FREE,
    Source,
    by_category,
    category_counts,
    mean_embeddings,
    model_scores,
)
from recsim.language.interest_heads import FOLDS, Predicted, by_fold
from recsim.language.interest_histories import Histories, histories_of
from recsim.language.interest_scores import scores_of
from recsim.logs import collect
from recsim.policy import uniform
from recsim.simulator import Simulator
from recsim.streams import Streams
from recsim.users.interest import InterestConfig, InterestUsers

CONFIG = InterestConfig(click_offset=-1.0, boredom=0.0, monotony=0.0, disappointment=0.0)
Floats = np.ndarray


class Echo:
    """A language model that believes every word of a prompt: categories are the likelier the more they are named."""

    name, fingerprint = "echo", "0"

    def __init__(self) -> None:
        self.asked: list[str] = []

    def log_probs(self, prompts: list[str], answers: list[str]) -> Floats:
        self.asked += prompts
        return np.array([[-5.0 - len(a) + prompt.count(a.strip()) for a in answers] for prompt in prompts])

    def write(self, prompts: list[str], *, max_tokens: int = 60) -> list[str]:
        return ["" for _ in prompts]


@pytest.fixture(scope="module")
def told(catalog: Catalog) -> tuple[Histories, Floats]:
    """300 users after 8 slates of 6, and their affinities as they began."""
    users = InterestUsers(catalog, replace(CONFIG, drift=0.0))
    world = Simulator(catalog, users, slate_size=6, horizon=8, seed=11)
    histories = histories_of(collect(world, uniform(catalog, 6), 300))
    world.reset(300)
    return histories, category_affinity(users, world.state, catalog)


def test_affinity_is_the_mean_chance_of_a_click(catalog: Catalog) -> None:
    users = InterestUsers(catalog, CONFIG)
    state = users.sample(Streams.of(3, 300))  # more than are computed at once
    found = category_affinity(users, state, catalog)
    click = users.appeal(state, np.tile(np.arange(24), (300, 1))).click
    for user in (0, 1, 255, 256, 299):
        for category in range(4):
            mean = np.mean([click[user, item] for item in range(24) if catalog.category[item] == category])
            assert found[user, category] == pytest.approx(mean)


def test_counts_by_category_by_hand(catalog: Catalog) -> None:
    a, b = (int(np.flatnonzero(catalog.category == c)[0]) for c in (0, 2))
    item = np.array([[a, b, a, a], [b, -1, -1, -1]])
    click = np.array([[True, False, False, False], [False, False, False, False]])
    found = category_counts(catalog)(None)(Histories(np.array([0, 1]), item, click))  # type: ignore[arg-type]
    assert found[0, :4].tolist() == [1.0, 0.0, 0.0, 0.0]  # clicked
    assert found[0, 4:8] == pytest.approx([2 / 3, 0.0, 1 / 3, 0.0])  # passed over
    rate = 1 / 4
    lifts = [(1 + rate) / ((3 + 1) * rate), 1.0, rate / ((1 + 1) * rate), 1.0]
    assert found[0, 8:] == pytest.approx(np.log(lifts))
    assert found[1].tolist() == [0.0] * 4 + [0.0, 0.0, 1.0, 0.0] + [0.0] * 4


def test_mean_embeddings_by_hand() -> None:
    rows = np.array([[1.0, 0.0], [0.0, 1.0], [4.0, 4.0]], np.float32)
    histories = Histories(np.array([0]), np.array([[0, 2, 1, 2]]), np.array([[True, True, False, False]]))
    found = mean_embeddings(rows, 3)(histories)(histories)
    assert found[0] == pytest.approx([2.5, 2.0, 2.0, 2.5, np.log(3.0)])
    with pytest.raises(ValueError, match=r"^the embedding has 3 rows for 5 items; one an item is needed\.$"):
        mean_embeddings(rows, 5)


def test_a_language_model_is_asked_once_a_history_and_calibrated(catalog: Catalog) -> None:
    echo = Echo()
    items = [int(np.flatnonzero(catalog.category == c)[0]) for c in (1, 3)]
    table = catalog.table.assign(title=[f"a {name} thing" for name in catalog.table["category"]])
    shop = catalog.replaced(table=table)
    histories = Histories(np.array([0, 1, 2]), np.array([[items[0]], [items[1]], [items[0]]]), np.ones((3, 1), bool))
    features = model_scores(echo, shop)(histories)
    found = features(histories)
    assert len(echo.asked) == 2 + len(CONTENT_FREE)
    assert features(histories).tolist() == found.tolist()
    assert len(echo.asked) == 2 + len(CONTENT_FREE)
    assert found.argmax(axis=1).tolist() == [1, 3, 1]
    assert np.exp(found).sum(axis=1) == pytest.approx(1.0)
    # Without calibration, long names are unlikely to this model whatever was clicked.
    assert np.delete(found[0], 1) == pytest.approx(np.full(3, np.delete(found[0], 1)[0]))


def test_untaught_interests_are_the_log_probabilities_themselves() -> None:
    said = np.log(np.array([[0.2, 0.8], [0.5, 0.5]]))
    found = UntaughtInterests(lambda histories: said).predict(None)  # type: ignore[arg-type]
    assert found.top == pytest.approx(np.exp(said))
    assert found.affinity is said


def sources(catalog: Catalog) -> dict[str, Source]:
    text = mean_embeddings(catalog.modalities["text"].embedding, len(catalog))
    return {"counts": category_counts(catalog), "text": text}


@pytest.mark.parametrize("which", ["counts", "text", "stacked"])
def test_predictors_learn_interests_of_other_users(
    catalog: Catalog, told: tuple[Histories, Floats], which: str
) -> None:
    """Far above what is known without a history; chance has a personal correlation of 0."""
    histories, affinity = told
    by_name = sources(catalog)
    first, others = slice(200), slice(200, None)
    if which == "stacked":
        predictor = TaughtInterests.stacked([*by_name.values()], histories[first], affinity[first])
    else:
        predictor = TaughtInterests.fit(by_name[which], histories[first], affinity[first])
    predicted = predictor.predict(histories[others])
    found = scores_of(predicted, affinity[others])
    assert found["personal correlation"].mean() > 0.3
    usual = np.bincount(affinity[first].argmax(axis=1), minlength=4) / 200
    assert found["log loss"].mean() < -np.log(usual[affinity[others].argmax(axis=1)]).mean()
    assert predicted.top.sum(axis=1) == pytest.approx(1.0)


def test_users_who_were_told_are_not_predicted(catalog: Catalog, told: tuple[Histories, Floats]) -> None:
    histories, affinity = told
    source = category_counts(catalog)
    for predictor in (
        TaughtInterests.fit(source, histories[:50], affinity[:50]),
        TaughtInterests.stacked([source], histories[:50], affinity[:50]),
    ):
        with pytest.raises(ValueError, match=r"^user 49 is among those whose interests were told \(1 such users\)"):
            predictor.predict(histories[49:80])


def test_nothing_leaks_from_a_user_s_own_interests(catalog: Catalog) -> None:
    """Features that are pure noise, one a user: in the folds, and of others, they say nothing of anybody."""
    luck = np.random.Generator(np.random.Philox(8))
    histories = Histories(np.arange(200), np.zeros((200, 1), np.int64), np.zeros((200, 1), bool))
    noise, affinity = luck.normal(size=(400, 150)), luck.random((200, 4))
    taught = TaughtInterests.stacked([lambda others: lambda some: noise[some.user]] * 2, histories, affinity)
    fresh = Histories(np.arange(200, 400), histories.item, histories.click)
    found = scores_of(taught.predict(fresh), luck.random((200, 4)))
    assert abs(found["personal correlation"].mean()) < 4 * 0.6 / np.sqrt(200)
    assert found["log loss"].mean() < np.log(4.0) + 0.1  # had noise explained the told, it would be sure and wrong


def test_sources_learn_from_the_told_folds_only(told: tuple[Histories, Floats]) -> None:
    """What the last regression is judged by was learned, in both stages, without the users of the fold."""
    histories, affinity = told
    seen: list[tuple[set[int], set[int]]] = []

    def source(others: Histories):  # type: ignore[no-untyped-def]
        def features(some: Histories) -> Floats:
            seen.append((set(others.user.tolist()), set(some.user.tolist())))
            return some.clicked(24).toarray()

        return features

    TaughtInterests.stacked([source], histories[:40], affinity[:40])
    apart = [pair for pair in seen if pair[0] != pair[1]]
    assert all(not (others & some) for others, some in apart)
    everybody = set(range(40))
    within = Counter(frozenset(others | some) for others, some in apart)
    assert (
        within.pop(frozenset(everybody)) == 2 * FOLDS
    )  # the whole fusion for each fold, and the first stage for the last
    assert within == {frozenset(everybody - set(range(fold, 40, FOLDS))): FOLDS for fold in range(FOLDS)}


def test_what_a_fusion_says_of_others_never_depends_on_their_interests(
    catalog: Catalog, told: tuple[Histories, Floats]
) -> None:
    histories, affinity = told[0][:60], told[1][:60]
    learn = fusion([*sources(catalog).values()])
    before = said_of_others(learn, histories, affinity)
    for fold in (0, 3):
        rows = np.arange(60) % FOLDS == fold
        after = said_of_others(learn, histories, np.where(rows[:, None], affinity[:, ::-1], affinity))
        np.testing.assert_array_equal(after[rows], before[rows])
        assert (after[~rows] != before[~rows]).any()


def test_scores_of_items_are_averaged_by_category(catalog: Catalog) -> None:
    score = np.random.Generator(np.random.Philox(2)).random((3, 24))
    found = by_category(lambda others: lambda histories: score, catalog)(None)(None)  # type: ignore[arg-type]
    expected = [[score[u][catalog.category == c].mean() for c in range(4)] for u in range(3)]
    assert found == pytest.approx(np.array(expected))


def test_by_fold_puts_rows_back_in_their_place() -> None:
    found = by_fold(13, lambda rows: np.flatnonzero(rows)[:, None].astype(float))
    assert found[:, 0].tolist() == list(range(13))


def test_what_nothing_can_be_learned_from_is_refused(catalog: Catalog, told: tuple[Histories, Floats]) -> None:
    histories, affinity = told
    source = category_counts(catalog)
    with pytest.raises(ValueError, match=r"^affinities have shape \(299, 4\) for 300 users; a row a user"):
        TaughtInterests.fit(source, histories, affinity[1:])
    with pytest.raises(ValueError, match=r"^9 users are told; at least 10 are needed, and hundreds to be of use\.$"):
        TaughtInterests.fit(source, histories[:9], affinity[:9])
    with pytest.raises(ValueError, match="all users who are told have the same favourite category; tell of more"):
        TaughtInterests.stacked([source], histories[:20], np.tile([0.1, 0.2, 0.3, 0.4], (20, 1)))


def test_the_same_histories_teach_the_same(catalog: Catalog, told: tuple[Histories, Floats]) -> None:
    histories, affinity = told

    def once() -> Predicted:
        by_name = [*sources(catalog).values()]
        return TaughtInterests.stacked(by_name, histories[:100], affinity[:100]).predict(histories[100:])

    first, second = once(), once()
    np.testing.assert_array_equal(first.affinity, second.affinity)
    np.testing.assert_array_equal(first.top, second.top)
