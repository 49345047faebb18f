"""A view of the items: users meet the true ones, agents see the view, and objectives are the true ones."""

import numpy as np
import pytest

from recsim import Catalog, Modality
from recsim.logs import collect
from recsim.modalities.corruption import corrupt
from recsim.oracle import MyopicOracle
from recsim.policy import Policy, uniform
from recsim.simulator import Simulator
from recsim.truth import value_on_log
from recsim.users import make_users
from recsim.view import check_view

PRESETS = ("marketplace", "feed", "news", "choc")


@pytest.fixture(scope="module")
def view(catalog: Catalog) -> Catalog:
    """The items with other texts, images and categories than they have, and one modality fewer dimensions."""
    seen = corrupt(corrupt(corrupt(catalog, "gaussian", 4), "missing_image", 4), "swapped_categories", 5)
    text = seen.modalities["text"]
    narrow = Modality("text", text.embedding[:, :3], text.present)
    return seen.replaced(modalities={"text": narrow, "image": seen.modalities["image"]})


def simulators(catalog: Catalog, view: Catalog, preset: str = "marketplace", **world: int) -> list[Simulator]:
    """The same users with and without the view."""
    users = make_users(preset, catalog, seed=3)
    return [Simulator(items, users, slate_size=5, horizon=8, seed=9, **world) for items in (catalog, view)]


def slates(n: int, m: int, seed: int) -> np.ndarray:
    draw = np.random.Generator(np.random.Philox(seed))
    return np.argsort(draw.random((n, m)), axis=1)[:, :5].astype(np.int64)


@pytest.mark.parametrize("preset", PRESETS)
def test_the_same_slate_meets_the_same_answers(catalog: Catalog, view: Catalog, preset: str) -> None:
    true, seen = simulators(catalog, view, preset, recent=3)
    observed = [simulator.reset(40) for simulator in (true, seen)]
    assert observed[0].shape != observed[1].shape
    for moment in range(12):
        shown = slates(40, len(catalog), moment)
        one, other = true.step(shown), seen.step(shown)
        for name in ("click", "conversion", "leave", "examined", "delay"):
            np.testing.assert_array_equal(getattr(one.response, name), getattr(other.response, name))
        for name in ("objectives", "reward", "terminated", "truncated", "slate"):
            np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
        for simulator in (true, seen):
            simulator.renew(simulator.ended)


def test_expectations_and_oracles_are_those_of_the_truth(catalog: Catalog, view: Catalog) -> None:
    true, seen = simulators(catalog, view)
    observed = [simulator.reset(40) for simulator in (true, seen)]
    shown = slates(40, len(catalog), 1)
    np.testing.assert_array_equal(true.expected(shown), seen.expected(shown))
    np.testing.assert_array_equal(true.examination(shown), seen.examination(shown))
    decided = [
        MyopicOracle(simulator).act(seen_by_agents, simulator.streams).slate
        for simulator, seen_by_agents in zip((true, seen), observed, strict=True)
    ]
    np.testing.assert_array_equal(*decided)


def test_observations_are_what_the_view_says_of_what_was_clicked(catalog: Catalog, view: Catalog) -> None:
    _, seen = simulators(catalog, view)
    seen.reset(60)
    step = seen.step(slates(60, len(catalog), 2))
    liked = seen.layout.read(step.observation, "liked")
    exposure = seen.layout.read(step.observation, "exposure")
    for row in range(60):
        clicked = step.slate[row][step.response.click[row]]
        np.testing.assert_allclose(liked[row], view.taste[clicked].sum(axis=0) / (1 + len(clicked)), atol=1e-6)
        shown = np.bincount(view.category[step.slate[row]], minlength=len(view.categories)) / 5
        np.testing.assert_allclose(exposure[row], 0.2 * shown, atol=1e-6)


def test_a_log_is_of_the_view_and_can_be_replayed_in_it_only(catalog: Catalog, view: Catalog) -> None:
    true, seen = simulators(catalog, view)
    policy: Policy = uniform(view, 5)
    log, honest = collect(seen, policy, 30), collect(true, uniform(catalog, 5), 30)
    assert (log.info.catalog, log.info.fingerprint) == (view.name, view.fingerprint)
    assert log.info.fingerprint != honest.info.fingerprint
    for name in ("slate", "click", "conversion", "objectives"):  # a policy that looks at nothing
        np.testing.assert_array_equal(getattr(log, name), getattr(honest, name))
    np.testing.assert_array_equal(value_on_log(seen, log, policy), value_on_log(true, honest, uniform(catalog, 5)))


def test_a_counterfactual_meets_the_true_user(catalog: Catalog, view: Catalog) -> None:
    true, seen = simulators(catalog, view)
    series = slates(6, len(catalog), 5)
    one, other = (simulator.counterfactual(17, series) for simulator in (true, seen))
    np.testing.assert_array_equal(one.click, other.click)
    np.testing.assert_array_equal(one.reward, other.reward)


def test_objectives_and_prices_are_the_true_ones(catalog: Catalog, view: Catalog) -> None:
    check_view(catalog, view)
    np.testing.assert_array_equal(catalog.novelty, view.novelty)
    np.testing.assert_array_equal(catalog.price_level, view.price_level)


def test_what_is_no_view_is_refused(catalog: Catalog) -> None:
    fewer = Catalog.synthetic(n_items=23, n_categories=4)
    with pytest.raises(ValueError, match="the view 'synthetic' has 23 items and the catalogue 'synthetic' 24"):
        check_view(catalog, fewer)
    table = catalog.table
    turned = table.assign(item_id=table["item_id"].to_list()[::-1])
    with pytest.raises(ValueError, match="item_id of row 0 is 'item-000023' in the view 'synthetic' and 'item-000000'"):
        check_view(catalog, catalog.replaced(table=turned))
    dearer = table.assign(price=table["price"].where(table.index != 5, 1e6))
    with pytest.raises(ValueError, match=r"price of row 5 is 1000000\.0 in the view"):
        check_view(catalog, catalog.replaced(table=dearer))
    famous = table.assign(popularity=1.0)
    with pytest.raises(ValueError, match="popularity of row 0 is"):
        check_view(catalog, catalog.replaced(table=famous))
    other = table.assign(category=table["category"].replace("category_3", "category_9"))
    with pytest.raises(ValueError, match="category 'category_3' is in only one of the view"):
        check_view(catalog, catalog.replaced(table=other))
