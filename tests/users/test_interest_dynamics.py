"""What a slate does to a user: drift, satiation, patience, bait. Each effect is seen alone, the others switched off."""

from dataclasses import replace

import numpy as np
import pytest

from recsim.catalog import Catalog
from recsim.streams import Streams
from recsim.users.choice import PositionBased
from recsim.users.interest import InterestConfig, InterestState, InterestUsers

CERTAIN = 60.0  # logits: a click or conversion that cannot fail
ALL_SEEN = PositionBased(decay=0.0)


def clicking(catalog: Catalog, **constants: float) -> InterestUsers:
    """Users who look at everything and click everything."""
    return InterestUsers(catalog, InterestConfig(click_offset=CERTAIN, choice=ALL_SEEN, **constants), seed=2)


def ignoring(catalog: Catalog, **constants: float) -> InterestUsers:
    """Users who look at everything and click nothing."""
    return InterestUsers(catalog, InterestConfig(click_offset=-CERTAIN, choice=ALL_SEEN, **constants), seed=2)


def one(users: InterestUsers, user: int = 0) -> tuple[InterestState, Streams]:
    streams = Streams.of(0, [user])
    return users.sample(streams), streams


def test_interests_drift_toward_the_clicked_item_in_every_modality(catalog: Catalog) -> None:
    users = clicking(catalog, drift=0.2)
    whole = [item for item in range(len(catalog)) if all(m.present[item] for m in catalog.modalities.values())]
    streams = Streams.of(0, len(whole))
    state = users.sample(streams)
    _, after = users.respond(state, np.array(whole)[:, None], streams)
    taste = catalog.taste[whole]
    for start, stop in zip(catalog.offsets[:-1], catalog.offsets[1:], strict=True):
        before, now = ((part.interest[:, start:stop] * taste[:, start:stop]).sum(axis=1) for part in (state, after))
        assert (now > before).all()
        moved = state.interest[:, start:stop] + 0.2 * (taste[:, start:stop] - state.interest[:, start:stop])
        moved /= np.linalg.norm(moved, axis=1, keepdims=True)
        np.testing.assert_allclose(after.interest[:, start:stop], moved, atol=1e-6)


def test_a_modality_that_the_item_lacks_does_not_drift(catalog: Catalog) -> None:
    image = catalog.modalities["image"]
    item = int(np.flatnonzero(~image.present & catalog.modalities["text"].present)[0])
    columns = slice(int(catalog.offsets[1]), int(catalog.offsets[2]))
    users = clicking(catalog, drift=0.5)
    state, streams = one(users)
    _, after = users.respond(state, np.array([[item]]), streams)
    assert np.array_equal(after.interest[:, columns], state.interest[:, columns])
    assert not np.array_equal(after.interest[:, : columns.start], state.interest[:, : columns.start])


def test_interests_stay_without_a_click(catalog: Catalog) -> None:
    users = ignoring(catalog, drift=0.5)
    state, streams = one(users)
    _, after = users.respond(state, np.arange(6)[None], streams)
    assert np.array_equal(after.interest, state.interest)


def test_satiation_rises_and_recovers(catalog: Catalog) -> None:
    rates = {"satiation_seen": 0.1, "satiation_click": 0.3, "satiation_recovery": 0.25}
    slate = np.flatnonzero(catalog.category == 1)[:2][None]
    users = clicking(catalog, **rates)
    state, streams = one(users)
    _, after = users.respond(state, slate, streams)
    np.testing.assert_allclose(after.satiation[0], [0, 2 * (0.1 + 0.3), 0, 0], atol=1e-6)
    _, later = users.respond(after, np.full((1, 2), -1), streams)
    np.testing.assert_allclose(later.satiation[0], [0, 0.75 * 0.8, 0, 0], atol=1e-6)
    looking = ignoring(catalog, **rates)
    _, seen = looking.respond(state, slate, streams)
    np.testing.assert_allclose(seen.satiation[0], [0, 2 * 0.1, 0, 0], atol=1e-6)


def test_satiation_lowers_the_appeal_of_its_category_only(catalog: Catalog) -> None:
    users = InterestUsers(catalog, InterestConfig(satiation_cost=2.0))
    state, _ = one(users)
    fed = replace(state, satiation=np.array([[0, 1.5, 0, 0]], np.float32))
    every = np.arange(len(catalog))[None]
    before, now = users.appeal(state, every), users.appeal(fed, every)
    same = catalog.category != 1
    assert np.array_equal(before.click[0, same], now.click[0, same])
    assert (now.click[0, ~same] < before.click[0, ~same]).all()
    logit = np.log(now.click / (1 - now.click)) - np.log(before.click / (1 - before.click))
    np.testing.assert_allclose(logit[0, ~same], -2.0 * 1.5, rtol=1e-5)


def test_boredom_ends_the_session(catalog: Catalog) -> None:
    users = ignoring(catalog, boredom=1.0, monotony=0.0)
    state, streams = one(users)
    state = replace(state, patience=np.array([2.5], np.float32))
    left = []
    for _ in range(3):
        response, state = users.respond(state, np.arange(4)[None], streams)
        left.append(bool(response.leave[0]))
    assert left == [False, False, True]
    assert state.patience[0] == pytest.approx(-0.5)


def test_monotony_costs_patience(catalog: Catalog) -> None:
    users = ignoring(catalog, boredom=0.0, monotony=2.0, satiation_seen=0.1, satiation_recovery=0.0)
    state, streams = one(users)
    state = replace(state, satiation=np.array([[0.3, 0, 0, 0]], np.float32), patience=np.array([5.0], np.float32))
    slate = np.array([[np.flatnonzero(catalog.category == c)[0] for c in (0, 1)]])
    _, after = users.respond(state, slate, streams)
    assert after.patience[0] == pytest.approx(5.0 - 2.0 * ((0.3 + 0.1) + 0.1) / 2, abs=1e-6)


def test_an_empty_slate_costs_boredom_and_nothing_else(catalog: Catalog) -> None:
    users = clicking(catalog, boredom=0.5, monotony=3.0)
    state, streams = one(users)
    response, after = users.respond(state, np.full((1, 5), -1), streams)
    assert not response.click.any()
    assert after.patience[0] == pytest.approx(state.patience[0] - 0.5)


def test_enjoyment_gives_patience_up_to_the_limit(catalog: Catalog) -> None:
    users = clicking(catalog, bait_share=0.0, boredom=0.0, monotony=0.0, enjoyment=1.0, patience_limit=9.0)
    state, streams = one(users)
    state = replace(state, patience=np.array([2.0], np.float32))
    item = np.array([[4]])
    _, after = users.respond(state, item, streams)
    appeal = users.appeal(state, item).click[0, 0]
    assert appeal == pytest.approx(1.0)  # the offset makes the click certain, not the pleasure
    plain = InterestUsers(catalog, InterestConfig(click_offset=0.0, bait_share=0.0), seed=2)
    assert after.patience[0] == pytest.approx(2.0 + plain.appeal(state, item).click[0, 0], abs=1e-5)
    _, full = users.respond(replace(state, patience=np.array([8.9], np.float32)), np.arange(10)[None], streams)
    assert full.patience[0] == 9.0


def test_bait_lures_and_disappoints(catalog: Catalog) -> None:
    lure = {"bait_share": 0.5, "bait_lure": 1.5, "bait_regret": 2.5}
    baited = InterestUsers(catalog, InterestConfig(**lure), seed=2)
    honest = InterestUsers(catalog, InterestConfig(**lure | {"bait_lure": 0.0, "bait_regret": 0.0}), seed=2)
    bait = baited.bait.astype(float)
    state, streams = one(baited)
    every = np.arange(len(catalog))[None]
    lured, plain = baited.appeal(state, every), honest.appeal(state, every)
    click, conversion = (
        np.log(with_bait / (1 - with_bait)) - np.log(without / (1 - without))
        for with_bait, without in ((lured.click, plain.click), (lured.conversion, plain.conversion))
    )
    np.testing.assert_allclose(click[0], 1.5 * bait, atol=1e-5)
    np.testing.assert_allclose(conversion[0], -2.5 * bait, atol=1e-5)
    assert 0 < (bait > 0).sum() < len(bait)
    regretting = clicking(catalog, bait_share=0.5, boredom=0.0, monotony=0.0, enjoyment=0.0, disappointment=2.0)
    worst = int(bait.argmax())
    _, after = regretting.respond(state, np.array([[worst]]), streams)
    assert after.patience[0] == pytest.approx(state.patience[0] - 2.0 * bait[worst], abs=1e-5)
