from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from recsim.agents.fusion.collaborative import COLLABORATIVE, GraphEmbeddings, ItemFactors, ItemNeighbours
from recsim.agents.fusion.hybrid import CONVERSION, HybridFusion, history, interactions
from recsim.agents.fusion.light_gcn import item_embeddings
from recsim.logs import Log, collect
from recsim.metrics import paired_interval
from recsim.policy import Ranking, popularity, uniform
from recsim.rollout import rollout
from recsim.simulator import Simulator

OPTIONS: dict[str, dict[str, Any]] = {
    "als": {"factors": 2},
    "item_knn": {"neighbours": 10},
    "lightgcn": {"size": 6, "epochs": 20},
}


@pytest.fixture(scope="module")
def telling(world: Simulator) -> Simulator:
    """The same world, which tells the last twelve items clicked and bought."""
    return Simulator(world.catalog, world.users, slate_size=4, horizon=10, seed=3, recent=12)


@pytest.fixture(scope="module")
def log(telling: Simulator) -> Log:
    return collect(telling, uniform(telling.catalog, 4), np.arange(10_000, 10_300))


@pytest.fixture(scope="module", params=COLLABORATIVE)
def fusion(request: pytest.FixtureRequest, telling: Simulator, log: Log) -> HybridFusion:
    return fitted(request.param, telling, log)


def fitted(method: str, telling: Simulator, log: Log) -> HybridFusion:
    return HybridFusion.fit(
        log, telling.catalog, telling.layout, method=method, own=("popularity", "click rate"), target="reward",
        **OPTIONS[method],
    )  # fmt: skip


def two_camps() -> csr_matrix:
    """60 users, of whom one half click items 0 to 5 and the other half 6 to 11, half of them each."""
    luck = np.random.Generator(np.random.Philox(1))
    camp = np.arange(60)[:, None] % 2 == np.arange(12) // 6
    return csr_matrix((camp & (luck.random((60, 12)) < 0.5)).astype(np.float32))


def test_interactions_and_histories_count_clicks_and_conversions(telling: Simulator, log: Log) -> None:
    users = np.unique(log.user)
    expected = np.zeros((len(users), 24))
    for row in range(len(log)):
        for position in range(4):
            worth = float(log.click[row, position]) + CONVERSION * float(log.conversion[row, position])
            expected[np.searchsorted(users, log.user[row]), log.slate[row, position]] += worth
    np.testing.assert_array_equal(interactions(log, 24).toarray(), expected)
    seen = history(log.observation, telling.layout, 24).toarray()
    for row in range(60):
        clicked, bought = (telling.layout.read(log.observation, name)[row] for name in ("clicked", "bought"))
        for item in range(24):
            assert seen[row, item] == (clicked == item).sum() + CONVERSION * (bought == item).sum()
    assert seen[log.step == 0].sum() == 0.0
    assert seen.sum() > 0.0


@pytest.mark.parametrize("method", COLLABORATIVE)
def test_one_click_tells_the_camp_and_none_tells_nothing(method: str) -> None:
    model = COLLABORATIVE[method].fit(two_camps(), **OPTIONS[method])
    newcomers = csr_matrix(np.eye(12, dtype=np.float32)[[0, 7]])
    scores = model.scores(newcomers)
    assert scores[0, 1:6].min() > scores[0, 6:].max()
    assert scores[1, [6, 8, 9, 10, 11]].min() > scores[1, :6].max()
    assert (model.scores(csr_matrix((2, 12), dtype=np.float32)) == 0.0).all()


def test_a_new_user_s_factor_is_the_least_squares_solution() -> None:
    model = ItemFactors.fit(two_camps(), factors=4, regularization=0.5, alpha=3.0)
    row, y = np.array([2.0, 0, 0, 1, 0, 0, 0, 5, 0, 0, 0, 0]), model.factors.astype(np.float64)
    confidence = np.where(row > 0.0, 3.0 * row, 1.0)
    factor = np.linalg.solve((y.T * confidence) @ y + 0.5 * np.eye(4), y.T @ (confidence * (row > 0.0)))
    np.testing.assert_allclose(model.scores(csr_matrix(row, dtype=np.float32))[0], y @ factor, atol=1e-5)


def test_neighbours_are_the_items_of_largest_cosine_but_never_the_item_itself() -> None:
    matrix = two_camps()
    columns = matrix.toarray().astype(np.float64)
    cosine = columns.T @ columns / np.outer(*[np.linalg.norm(columns, axis=0)] * 2)
    np.fill_diagonal(cosine, 0.0)
    everybody = ItemNeighbours.fit(matrix, neighbours=12)
    row = np.array([[1.0, 0, 0, 0, 5.0, 0, 0, 0, 0, 0, 0, 0]], np.float32)
    np.testing.assert_allclose(everybody.scores(csr_matrix(row)), row @ cosine, atol=1e-6)
    nearest = ItemNeighbours.fit(matrix, neighbours=2).similarity
    assert nearest.nnz == 24
    for item in range(12):  # the two nearest of each item add to its score
        assert nearest.toarray()[:, item].sum() == pytest.approx(np.sort(cosine[item])[-2:].sum())


def test_a_new_user_takes_part_in_the_graph_s_propagation() -> None:
    """Against dense matrices: two layers, a user whose own first embedding is 0, items as they were trained."""
    matrix = two_camps()
    model = GraphEmbeddings.fit(matrix, seed=4, size=5, layers=2, epochs=7)
    layers = item_embeddings(matrix, 4, 5, 2, 7, 0.02, 1e-4)  # (3, 12, 5)
    row, degree = np.array([1.0, 0, 0, 5.0, 0, 0, 0, 0, 1.0, 0, 0, 0]), matrix.toarray().sum(axis=0)
    passes = row / np.sqrt(row.sum() * degree)
    user = (np.zeros(5) + passes @ layers[0] + passes @ layers[1]) / 3.0
    expected = layers.mean(axis=0) @ user
    np.testing.assert_allclose(model.scores(csr_matrix(row, dtype=np.float32))[0], expected, atol=1e-6)


def test_a_graph_network_that_diverges_is_told_with_its_step() -> None:
    with pytest.raises(
        ValueError, match=r"is (inf|nan) at step 2: training has diverged.* learning rate, which is 1e\+30"
    ):
        item_embeddings(two_camps(), 0, 5, 2, 7, 1e30, 1e-4)


def test_the_score_is_content_plus_what_the_model_says(telling: Simulator, log: Log, fusion: HybridFusion) -> None:
    observation, items = log.observation[:60], log.slate[:60]
    assert fusion.names == ("text", "image", "popularity", "click rate", "profile rate", fusion.method)
    content = np.einsum("s,nsm->nm", fusion.weights[:-1], fusion.scorers.of_all(observation))
    together = fusion.collaborative.scores(history(observation, telling.layout, 24))
    whole = fusion.scores(observation)
    np.testing.assert_allclose(whole, content + fusion.weights[-1] * together, atol=1e-5)
    np.testing.assert_allclose(fusion.scores(observation, items), np.take_along_axis(whole, items, axis=1), atol=1e-5)
    one_by_one = np.concatenate([fusion.scores(observation[row : row + 1]) for row in range(60)])
    np.testing.assert_allclose(one_by_one, whole, atol=1e-5)


def test_fitted_twice_it_is_the_same_and_survives_the_disk(
    telling: Simulator, log: Log, fusion: HybridFusion, tmp_path: Path
) -> None:
    again = fitted(fusion.method, telling, log)
    assert again.weights.tobytes() == fusion.weights.tobytes()
    for name, values in fusion.collaborative.arrays().items():
        assert again.collaborative.arrays()[name].tobytes() == values.tobytes()
    fusion.save(tmp_path / "fusion.safetensors")
    loaded = HybridFusion.load(tmp_path / "fusion.safetensors", telling.catalog, telling.layout)
    assert loaded.names == fusion.names
    np.testing.assert_array_equal(loaded.scores(log.observation), fusion.scores(log.observation))


def test_it_beats_popularity_for_the_same_users(telling: Simulator, fusion: HybridFusion) -> None:
    fused = rollout(telling, Ranking("fusion", fusion, 4), 400).reward
    popular = rollout(telling, popularity(telling.catalog, 4), 400).reward
    assert paired_interval(fused, popular, level=0.99).low > 0.0


def test_worlds_that_do_not_tell_what_was_clicked_are_refused(
    world: Simulator, telling: Simulator, log: Log, fusion: HybridFusion, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match="observations do not tell which items a user clicked.* recent above 0"):
        HybridFusion.fit(log, world.catalog, world.layout)
    fusion.save(tmp_path / "fusion.safetensors")
    with pytest.raises(ValueError, match="observations do not tell which items a user clicked"):
        HybridFusion.load(tmp_path / "fusion.safetensors", world.catalog, world.layout)
    with pytest.raises(ValueError, match="there is no method 'svd'; choose one of als, item_knn, lightgcn"):
        HybridFusion.fit(log, telling.catalog, telling.layout, method="svd")
