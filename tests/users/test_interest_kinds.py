"""Kinds of people, trust, and users of whom nothing is known."""

from dataclasses import replace

import numpy as np
import pytest

from recsim.catalog import Catalog
from recsim.streams import Streams
from recsim.users.choice import PositionBased
from recsim.users.interest import InterestConfig, InterestState, InterestUsers

N = 4000


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    """24 items that all have both modalities: an interest moves only in those that the persona has."""
    return Catalog.synthetic(n_items=24, n_categories=4, dims={"text": 6, "image": 5}, seed=7)


def people(catalog: Catalog, personas: int, strength: float, *, seed: int = 0) -> InterestState:
    config = InterestConfig(personas=personas, persona_strength=strength)
    return InterestUsers(catalog, config, seed=seed).sample(Streams.of(1, N))


def lengths(catalog: Catalog, interest: np.ndarray) -> np.ndarray:
    """(n, M) length of an interest in each modality."""
    return np.sqrt(np.add.reduceat(interest.astype(float) ** 2, catalog.offsets[:-1], axis=1))


def test_personas_without_strength_change_nobody(catalog: Catalog) -> None:
    own, mixed = people(catalog, 0, 1.0), people(catalog, 5, 0.0)
    assert np.array_equal(mixed.interest, own.interest)
    assert np.array_equal(mixed.weight, own.weight)
    assert (own.persona == -1).all()
    assert np.array_equal(np.unique(mixed.persona), np.arange(5))
    assert np.array_equal(mixed.patience, own.patience)


def test_at_full_strength_everyone_is_the_persona(catalog: Catalog) -> None:
    state = people(catalog, 5, 1.0)
    for kind in range(5):
        alike = state.persona == kind
        for part in (state.interest, state.weight):
            np.testing.assert_allclose(part[alike], part[alike][:1].repeat(alike.sum(), axis=0), atol=1e-6)
    assert len(np.unique(state.weight[:, 0].round(4))) == 5
    np.testing.assert_allclose(state.weight.sum(axis=1), 1.0, atol=1e-6)
    assert state.appetite.std() > 0.5  # other traits stay one's own


def test_halfway_is_between(catalog: Catalog) -> None:
    own, half, all_the_way = (people(catalog, 5, strength) for strength in (0.0, 0.5, 1.0))
    np.testing.assert_allclose(half.weight, (own.weight + all_the_way.weight) / 2, atol=1e-6)
    between = (own.interest.astype(float) + all_the_way.interest) / 2
    length = np.repeat(lengths(catalog, between), np.diff(catalog.offsets), axis=1)
    far = length > 1e-3  # opposite interests have no direction between them
    np.testing.assert_allclose(half.interest[far], (between / np.where(far, length, 1.0))[far], atol=1e-4)
    np.testing.assert_allclose(lengths(catalog, half.interest), 1.0, atol=1e-5)


def test_shares_of_the_personas_belong_to_the_world(catalog: Catalog) -> None:
    first, others = people(catalog, 4, 0.5, seed=1), people(catalog, 4, 0.5, seed=2)
    config = InterestConfig(personas=4)
    elsewhere = InterestUsers(catalog, config, seed=1).sample(Streams.of(99, N))
    share, again, other = (np.bincount(state.persona, minlength=4) / N for state in (first, elsewhere, others))
    assert (share > 0).all()
    assert np.ptp(share) > 0.05
    assert (np.abs(share - again) < 4 * np.sqrt(2 * share * (1 - share) / N)).all()
    assert np.abs(share - other).max() > 0.05


def test_a_persona_is_the_same_in_later_sessions_of_the_world(catalog: Catalog) -> None:
    users = InterestUsers(catalog, InterestConfig(personas=3, persona_strength=1.0), seed=4)
    one, two = users.sample(Streams.of(1, 300)), users.sample(Streams.of(2, 300, session=1))
    for kind in range(3):
        ours, theirs = one.interest[one.persona == kind], two.interest[two.persona == kind]
        np.testing.assert_allclose(ours[0], theirs[0], atol=1e-6)


@pytest.mark.parametrize("memory", [0.0, 0.75, 1.0])
def test_trust_moves_toward_what_the_clicked_items_were_worth(catalog: Catalog, memory: float) -> None:
    config = InterestConfig(
        trust_memory=memory, click_offset=60.0, bait_share=0.5, trust_scale=1.0, choice=PositionBased(0.0)
    )
    users, streams = InterestUsers(catalog, config, seed=2), Streams.of(0, 20)
    state = replace(users.sample(streams), trust=np.linspace(-1, 1, 20, dtype=np.float32))
    bait = users.bait.argsort()
    slate = np.tile([bait[-1], bait[-4], bait[0]], (20, 1))
    response, after = users.respond(state, slate, streams)
    assert response.click.all()
    honesty = (1 - 2 * users.bait[slate[0]].astype(float)).mean()
    assert -1 < honesty < 0.7
    np.testing.assert_allclose(after.trust, memory * state.trust + (1 - memory) * honesty, atol=1e-6)


def test_trust_stays_without_a_click(catalog: Catalog) -> None:
    users = InterestUsers(catalog, InterestConfig(trust_memory=0.5, click_offset=-60.0), seed=2)
    streams = Streams.of(0, 20)
    state = replace(users.sample(streams), trust=np.full(20, 0.3, np.float32))
    _, after = users.respond(state, np.tile(np.arange(4), (20, 1)), streams)
    assert np.array_equal(after.trust, state.trust)


def test_trust_raises_utility(catalog: Catalog) -> None:
    users = InterestUsers(catalog, InterestConfig(trust_scale=2.0, conversion_slope=0.5))
    state = users.sample(Streams.of(0, 20))
    assert not state.trust.any()
    every = np.tile(np.arange(len(catalog)), (20, 1))
    plain, trusting = users.appeal(state, every), users.appeal(replace(state, trust=state.trust + 0.5), every)

    def logit(probability: np.ndarray) -> np.ndarray:
        logits: np.ndarray = np.log(probability / (1 - probability))
        return logits

    np.testing.assert_allclose(logit(trusting.click) - logit(plain.click), 1.0, atol=1e-5)
    np.testing.assert_allclose(logit(trusting.conversion) - logit(plain.conversion), 0.5, atol=1e-5)


@pytest.mark.parametrize(("share", "told"), [(0.0, False), (1.0, True)])
def test_cold_users_tell_nothing(catalog: Catalog, share: float, told: bool) -> None:
    users = InterestUsers(catalog, InterestConfig(profile_share=share))
    profile = users.profile(users.sample(Streams.of(0, N)))
    assert profile.shape == (N, len(catalog.categories))
    assert (profile.any(axis=1) == told).all()
