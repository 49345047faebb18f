"""Histories against a plain numpy account of the same slates."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recsim.catalog import Catalog
from recsim.history import EXPOSURE_MEMORY, LIKED_MEMORY, History, ItemFeatures, record_row
from recsim.observation import Layout

HORIZON = 12
CATALOG = Catalog.synthetic(24, 4, {"text": 6, "image": 5}, seed=7, missing=0.1)


class Account:
    """The same sums for one session, kept in float64 and written down as formulas."""

    def __init__(self, catalog: Catalog) -> None:
        self.taste = catalog.taste.astype(float)
        self.category = np.eye(len(catalog.categories))[catalog.category]
        self.extra = np.stack([catalog.price_level, catalog.novelty], axis=1).astype(float)
        self.slates: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []

    def record(self, slate: np.ndarray, click: np.ndarray, conversion: np.ndarray) -> None:
        self.slates.append((slate, click, conversion))

    def observe(self, profile: np.ndarray) -> np.ndarray:
        steps = len(self.slates)
        liked, passed, extra = np.zeros(self.taste.shape[1]), np.zeros(self.taste.shape[1]), np.zeros(2)
        weight_liked = weight_passed = clicks = 0.0
        exposure, category_clicks = np.zeros((2, self.category.shape[1]))
        for age, (slate, click, _) in enumerate(reversed(self.slates)):
            wanted, ignored = slate[(slate >= 0) & click], slate[(slate >= 0) & ~click]
            keep, share = LIKED_MEMORY**age, (1 - EXPOSURE_MEMORY) * EXPOSURE_MEMORY**age / len(slate)
            liked += keep * self.taste[wanted].sum(axis=0)
            extra += keep * self.extra[wanted].sum(axis=0)
            passed += keep * self.taste[ignored].sum(axis=0)
            weight_liked, weight_passed = weight_liked + keep * len(wanted), weight_passed + keep * len(ignored)
            exposure += share * self.category[slate[slate >= 0]].sum(axis=0)
            category_clicks += share * self.category[wanted].sum(axis=0)
            clicks += len(wanted)
        last = [flags.mean() for flags in self.slates[-1][1:]] if steps else [0.0, 0.0]
        scalars = [steps / HORIZON, np.log1p(clicks), *last, *(extra / (1 + weight_liked))]
        mean_liked, mean_passed = liked / (1 + weight_liked), passed / (1 + weight_passed)
        return np.concatenate([mean_liked, mean_passed, exposure, category_clicks, scalars, profile])


def record(history: History, slate: np.ndarray, click: np.ndarray, conversion: np.ndarray, items: ItemFeatures) -> None:
    for row in range(len(slate)):
        record_row(row, slate, click, conversion, items, history.sums)


def random_answers(
    catalog: Catalog, n: int, k: int, draw: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    slate = np.argsort(draw.random((n, len(catalog))), axis=1)[:, :k].astype(np.int64)
    slate[draw.random((n, k)) < 0.1] = -1
    click = (draw.random((n, k)) < 0.3) & (slate >= 0)
    return slate, click, click & (draw.random((n, k)) < 0.4)


@given(seed=st.integers(0, 2**32), steps=st.integers(0, HORIZON), k=st.integers(1, 9))
@settings(max_examples=25, deadline=None)
def test_observations_equal_the_account(seed: int, steps: int, k: int) -> None:
    catalog = CATALOG
    draw = np.random.Generator(np.random.Philox(seed))
    history, items, accounts = History.empty(3, catalog), ItemFeatures.of(catalog), [Account(catalog) for _ in range(3)]
    for _ in range(steps):
        answers = random_answers(catalog, 3, k, draw)
        record(history, *answers, items)
        for account, slate, click, conversion in zip(accounts, *answers, strict=True):
            account.record(slate, click, conversion)
    profile = draw.random((3, 2)).astype(np.float32)
    observation = history.observe(Layout.of(catalog, 2), profile, HORIZON)
    expected = [account.observe(told) for account, told in zip(accounts, profile, strict=True)]
    np.testing.assert_allclose(observation, expected, atol=2e-6)


def test_a_first_slate_by_hand(catalog: Catalog) -> None:
    history, layout = History.empty(1, catalog), Layout.of(catalog)
    click = np.array([[False, True, False, False]])
    record(history, np.array([[2, 5, -1, 9]]), click, np.zeros((1, 4), bool), ItemFeatures.of(catalog))
    observation = history.observe(layout, np.zeros((1, 0), np.float32), HORIZON)
    taste = catalog.taste
    np.testing.assert_allclose(layout.read(observation, "liked")[0], taste[5] / 2, atol=1e-7)
    np.testing.assert_allclose(layout.read(observation, "passed")[0], (taste[2] + taste[9]) / 3, atol=1e-7)
    share = 0.2 / 4
    expected = np.bincount(catalog.category[[2, 5, 9]], minlength=4) * share
    np.testing.assert_allclose(layout.read(observation, "exposure")[0], expected, atol=1e-7)
    assert layout.read(observation, "progress")[0, 0] == pytest.approx(1 / HORIZON)
    assert layout.read(observation, "clicks_so_far")[0, 0] == pytest.approx(np.log(2))
    assert layout.read(observation, "last_clicks")[0, 0] == 0.25
    assert layout.read(observation, "last_conversions")[0, 0] == 0.0


def test_rows_do_not_touch_each_other(catalog: Catalog) -> None:
    draw = np.random.Generator(np.random.Philox(5))
    items, layout, profile = ItemFeatures.of(catalog), Layout.of(catalog), np.zeros((8, 0), np.float32)
    together, alone = History.empty(8, catalog), [History.empty(1, catalog) for _ in range(8)]
    for _ in range(5):
        answers = random_answers(catalog, 8, 6, draw)
        record(together, *answers, items)
        for row, history in enumerate(alone):
            record(history, *(part[[row]] for part in answers), items)
    observation = together.observe(layout, profile, HORIZON)
    for row, history in enumerate(alone):
        assert np.array_equal(history.observe(layout, profile[:1], HORIZON)[0], observation[row])


def test_clear_forgets_some_sessions(catalog: Catalog) -> None:
    draw = np.random.Generator(np.random.Philox(5))
    history, layout, profile = History.empty(4, catalog), Layout.of(catalog, 1), np.ones((4, 1), np.float32)
    for _ in range(3):
        record(history, *random_answers(catalog, 4, 6, draw), ItemFeatures.of(catalog))
    before = history.observe(layout, profile, HORIZON)
    history.clear(np.array([1, 3]))
    after = history.observe(layout, profile, HORIZON)
    assert np.array_equal(after[::2], before[::2])
    assert not after[1::2, :-1].any()
    assert (after[:, -1] == 1).all()
    assert history.step.tolist() == [3, 0, 3, 0]


def test_indexing_copies(catalog: Catalog) -> None:
    draw = np.random.Generator(np.random.Philox(5))
    history, items = History.empty(4, catalog), ItemFeatures.of(catalog)
    record(history, *random_answers(catalog, 4, 6, draw), items)
    part = history[np.array([True, False, True, False])]
    kept = history.liked.copy()
    record(part, *random_answers(catalog, 2, 6, draw), items)
    assert part.step.tolist() == [2, 2]
    assert history.step.tolist() == [1, 1, 1, 1]
    assert np.array_equal(history.liked, kept)
    history[:2].liked[:] = 9
    assert np.array_equal(history.liked, kept)


def test_observations_are_new_arrays(catalog: Catalog) -> None:
    history, layout, profile = History.empty(2, catalog), Layout.of(catalog), np.zeros((2, 0), np.float32)
    first = history.observe(layout, profile, HORIZON)
    first += 1
    assert not history.observe(layout, profile, HORIZON).any()
