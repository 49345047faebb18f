"""Who the sampled users are."""

import numpy as np
from scipy import stats

from recsim.catalog import Catalog
from recsim.streams import Streams, purpose_key
from recsim.users.interest import InterestConfig, InterestUsers

N = 4000


def test_interests_have_unit_length_in_every_modality(catalog: Catalog) -> None:
    state = InterestUsers(catalog).sample(Streams.of(0, 200))
    assert state.interest.dtype == np.float32
    for start, stop in zip(catalog.offsets[:-1], catalog.offsets[1:], strict=True):
        length = np.linalg.norm(state.interest[:, start:stop], axis=1)
        assert ((np.abs(length - 1) < 1e-5) | (length == 0)).all()  # 0 where no anchor has the modality


def test_without_noise_a_single_anchor_is_the_interest(catalog: Catalog) -> None:
    users = InterestUsers(catalog, InterestConfig(anchors=1, interest_noise=0.0))
    state = users.sample(Streams.of(0, 300))
    similarity = state.interest @ catalog.taste.T
    anchors = (catalog.taste**2).sum(axis=1)  # one per modality that the item has
    np.testing.assert_allclose((similarity / anchors).max(axis=1), 1.0, atol=1e-5)
    assert len(np.unique(similarity.argmax(axis=1))) == len(catalog)


def sixteen_bits(seed: int, purpose: str, user: int, session: int, size: int) -> np.ndarray:
    """(size,) uniform noise of mean 0 and variance 1, from 16 bits each of numpy's own generator."""
    key = np.array([seed, purpose_key(purpose)], np.uint64)
    blocks = [
        np.random.Philox(key=key, counter=np.array([block, 0, session, user], np.uint64)).random_raw(4)
        for block in range(-(-size // 16))
    ]
    bits = np.concatenate(blocks).astype("<u8").view("<u2")[:size].astype(float)
    return (bits - (2**16 - 1) / 2) / np.sqrt((2.0**32 - 1) / 12)


def test_interests_by_the_formula(catalog: Catalog) -> None:
    config = InterestConfig(anchors=3, interest_noise=0.4)
    streams = Streams.of(0, 50, session=2)
    state = InterestUsers(catalog, config).sample(streams)
    anchor = np.floor(streams.uniform("anchor", 3) * len(catalog)).astype(int)
    share = -np.log(streams.uniform("anchor share", 3))
    for row in range(50):
        noise = sixteen_bits(0, "interest noise", user=row, session=2, size=catalog.taste.shape[1])
        mean = share[row] / share[row].sum() @ catalog.taste[anchor[row]].astype(float)
        for start, stop in zip(catalog.offsets[:-1], catalog.offsets[1:], strict=True):
            part = mean[start:stop]
            part = part + 0.4 * np.linalg.norm(part) * noise[start:stop] / np.sqrt(stop - start)
            length = np.linalg.norm(part)
            np.testing.assert_allclose(state.interest[row, start:stop], part / length if length else part, atol=1e-6)


def test_interests_lie_near_items(catalog: Catalog) -> None:
    state = InterestUsers(catalog).sample(Streams.of(0, 300))
    random = Streams.of(0, 300).normal("anything", catalog.taste.shape[1])
    random /= np.linalg.norm(random, axis=1, keepdims=True)
    nearest, by_chance = (rows @ catalog.taste.T for rows in (state.interest / np.sqrt(2), random))
    assert nearest.max(axis=1).mean() > by_chance.max(axis=1).mean() + 0.1


def test_traits_follow_their_distributions(catalog: Catalog) -> None:
    config = InterestConfig(weight_concentration=2.0, price_sensitivity=0.4, appetite=0.7, profile_share=0.6)
    state = InterestUsers(catalog, config).sample(Streams.of(3, N))
    assert stats.kstest(state.price_sensitivity, stats.expon(scale=0.4).cdf).pvalue > 0.001
    assert stats.kstest(state.appetite, stats.norm(scale=0.7).cdf).pvalue > 0.001
    assert stats.kstest(state.weight[:, 0], stats.beta(2.0, 2.0).cdf).pvalue > 0.001  # a Dirichlet of two parts
    np.testing.assert_allclose(state.weight.sum(axis=1), 1.0, atol=1e-6)
    told = (state.declared >= 0).mean()
    assert abs(told - 0.6) < 4 * np.sqrt(0.6 * 0.4 / N)


def test_patience_is_one_slate_and_an_exponential_up_to_the_limit(catalog: Catalog) -> None:
    config = InterestConfig(patience=3.0, patience_limit=8.0)
    patience = InterestUsers(catalog, config).sample(Streams.of(3, N)).patience
    assert patience.min() >= 1.0
    assert patience.max() == 8.0
    assert stats.kstest(patience[patience < 8.0] - 1.0, stats.truncexpon(b=7.0 / 3.0, scale=3.0).cdf).pvalue > 0.001
    at_limit = np.exp(-7.0 / 3.0)
    assert abs((patience == 8.0).mean() - at_limit) < 4 * np.sqrt(at_limit * (1 - at_limit) / N)


def test_new_users_are_not_satiated(catalog: Catalog) -> None:
    state = InterestUsers(catalog).sample(Streams.of(0, 10))
    assert state.satiation.shape == (10, len(catalog.categories))
    assert not state.satiation.any()
