"""Item vectors from clicks: planted groups are found, cold items have none, the same seed gives the same bits."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from recsim import Catalog
from recsim.logs import Log, LogInfo
from recsim.modalities.behaviour.clicks import Clicks, clicks_of_log, clicks_of_table, read_clicks
from recsim.modalities.behaviour.factors import als, svd
from recsim.modalities.behaviour.item2vec import CONTEXTS, NOISE, Sentences, item2vec
from recsim.modalities.behaviour.modality import METHODS, behaviour_modality, modality_of_clicks, with_behaviour

M, COLD = 14, 2  # items 0 to 5 are one group, 6 to 11 the other, nobody clicks the last two


@pytest.fixture(scope="module")
def shop() -> Catalog:
    return Catalog.synthetic(M, 2, seed=3)


def log_of(catalog: Catalog, slates: list[list[int]], clicked: list[list[bool]], user: list[int]) -> Log:
    """A log with a session of one slate in each row; what is clicked in an even row converts."""
    n, k = np.shape(slates)
    click = np.array(clicked)
    info = LogInfo(2, 0, "made up", catalog.name, catalog.fingerprint, "Nobody", k, 1, ("click",), (1.0,))
    zeros = np.zeros((n, k))
    even = (np.arange(n) % 2 == 0)[:, None]
    return Log(
        info,
        user=np.array(user),
        session=np.zeros(n, np.int64),
        step=np.zeros(n, np.int64),
        observation=np.zeros((n, 1), np.float32),
        slate=np.array(slates),
        click=click,
        conversion=click & even,
        objectives=zeros[:, :, None],
        step_log_prob=zeros,
    )


@pytest.fixture(scope="module")
def planted(shop: Catalog) -> Log:
    """60 users who each click 4 of the 6 items of their group."""
    draw = np.random.Generator(np.random.Philox(1))
    slates = [draw.permutation(np.arange(6) + 6 * (user % 2)).tolist() for user in range(60)]
    return log_of(shop, slates, [[True] * 4 + [False] * 2] * 60, list(range(60)))


def cosines(vectors: np.ndarray) -> np.ndarray:
    rows = vectors.astype(np.float64)
    unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return unit @ unit.T


@pytest.mark.parametrize("method", METHODS)
def test_items_that_the_same_users_click_are_neighbours(shop: Catalog, planted: Log, method: str) -> None:
    found = behaviour_modality(planted, shop, method, dim=3)
    assert found.name == "behaviour"
    assert found.embedding.shape == (M, 3)
    assert found.present.tolist() == [True] * (M - COLD) + [False] * COLD
    assert not found.embedding[-COLD:].any()
    alike = cosines(found.embedding[:-COLD])
    own = np.kron(np.eye(2), np.ones((6, 6))).astype(bool)
    assert alike[own].min() > alike[~own].max()


@pytest.mark.parametrize("method", METHODS)
def test_the_same_seed_gives_the_same_bits(shop: Catalog, planted: Log, method: str) -> None:
    one, again, other = (behaviour_modality(planted, shop, method, dim=3, seed=seed).embedding for seed in (5, 5, 6))
    assert (one == again).all()
    assert (one != other).any() or method == "svd"  # svd draws nothing but its start


@pytest.mark.parametrize("method", METHODS)
def test_progress_ends_at_a_hundred(shop: Catalog, planted: Log, method: str) -> None:
    told: list[int] = []
    behaviour_modality(planted, shop, method, dim=2, progress=told.append)
    assert told == sorted(told)
    assert told[-1] == 100


def test_item2vec_does_not_depend_on_torch_threads(shop: Catalog, planted: Log) -> None:
    import torch

    before = torch.get_num_threads()
    one = behaviour_modality(planted, shop, "item2vec", dim=2).embedding
    torch.set_num_threads(2)
    try:
        assert (behaviour_modality(planted, shop, "item2vec", dim=2).embedding == one).all()
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


def test_what_counts_is_clicks_or_conversions(shop: Catalog) -> None:
    log = log_of(shop, [[3, 1], [0, 2]], [[True, True], [False, True]], [7, 4])
    clicks = clicks_of_log(log, shop)
    assert clicks.user.tolist() == [0, 0, 1]
    assert clicks.item.tolist() == [3, 1, 2]
    assert clicks.matrix().toarray().tolist() == [[0, 1, 0, 1] + [0] * 10, [0, 0, 1] + [0] * 11]
    assert clicks_of_log(log, shop, "conversion").item.tolist() == [3, 1]
    assert clicks_of_log(log[[1, 0]], shop).matrix().shape == (2, M)
    with pytest.raises(ValueError, match="'views' cannot be counted; choose click or conversion"):
        clicks_of_log(log, shop, "views")


def test_sessions_of_two_users_with_one_number_are_apart(shop: Catalog) -> None:
    log = log_of(shop, [[3, 1], [0, 2]], [[True, True]] * 2, [7, 4])
    assert clicks_of_log(log, shop).session.tolist() == [0, 0, 1, 1]


def test_als_is_the_fixed_point_of_its_equation() -> None:
    """Equation (4) of Hu, Koren and Volinsky for items, solved anew with numpy: y = (X'CX + I)^-1 X'Cp."""
    draw = np.random.Generator(np.random.Philox(2))
    user, item = np.nonzero(draw.random((30, 6)) < 0.4)
    clicks = Clicks(user, user, item, 6)
    y = als(clicks, 2, 0, lambda percent: None).astype(np.float64)
    p = clicks.matrix().toarray()
    c = np.where(p > 0, 5.0 * p, 1.0)
    x = np.array(
        [np.linalg.solve((y.T * one) @ y + np.eye(2), (y.T * one) @ (row > 0)) for one, row in zip(c, p, strict=True)]
    )
    again = np.array(
        [
            np.linalg.solve((x.T * one) @ x + np.eye(2), (x.T * one) @ (row > 0))
            for one, row in zip(c.T, p.T, strict=True)
        ]
    )
    np.testing.assert_allclose(again, y, atol=0.05)
    assert np.abs(y).max() > 0.3


def test_svd_keeps_the_cosines_of_weighted_columns() -> None:
    draw = np.random.Generator(np.random.Philox(2))
    user, item = np.nonzero(draw.random((9, 5)) < 0.5)
    clicks = Clicks(np.unique(user, return_inverse=True)[1], user, item, 7)
    rows = clicks.matrix().toarray().T[:5].astype(np.float64)  # tf is 1 where clicked
    assert rows.max() == 1
    weighted = rows * (1 + np.log((1 + 5) / (1 + rows.sum(axis=0))))
    weighted /= np.linalg.norm(weighted, axis=1, keepdims=True)
    left, values, _ = np.linalg.svd(weighted, full_matrices=False)
    found = svd(clicks, 3, 0, lambda percent: None)
    np.testing.assert_allclose(found[:5] @ found[:5].T, (left[:, :3] * values[:3] ** 2) @ left[:, :3].T, atol=1e-6)
    assert not found[5:].any()


def test_an_item_without_a_direction_is_absent() -> None:
    """Item 4 is clicked by one user, who clicks nothing else: the two leading components know nothing of it."""
    user = np.repeat(np.arange(9), 2)
    item = np.tile([0, 1, 2, 3], 5)[:18]
    user, item = np.append(user, 9), np.append(item, 4)
    found = modality_of_clicks(Clicks(user, user, item, 5), "svd", dim=2)
    assert found.present.tolist() == [True, True, True, True, False]


def test_item2vec_knows_only_what_was_clicked_with_something_else() -> None:
    session = np.array([0, 0, 1, 1, 2, 2, 3, 4, 4])
    clicks = Clicks(session, session, np.array([0, 1, 1, 2, 2, 0, 3, 4, 4]), 5)
    found = modality_of_clicks(clicks, "item2vec", dim=2)
    assert found.present.tolist() == [True, True, True, False, False]
    alone = Clicks(np.arange(3), np.arange(3), np.arange(3), 3)
    with pytest.raises(ValueError, match="no session clicked two different items.*choose als or svd"):
        item2vec(alone, 1, 0, lambda percent: None)


def test_pairs_are_of_two_clicks_of_a_session() -> None:
    session = np.array([0, 0, 0, 1, 1, 2, 3, 3])
    item = np.array([0, 1, 2, 3, 4, 0, 5, 6])
    sentences = Sentences.of(Clicks(session, session, item, 8))
    assert sentences.session.tolist() == [0, 0, 0, 1, 1, 3, 3]
    np.testing.assert_allclose(sentences.frequency, [1 / 7] * 7 + [0])
    one, other = sentences.pairs(np.random.Generator(np.random.Philox(0)))
    together = [{0, 1, 2}, {3, 4}, {5, 6}]
    assert all(any({a, b} <= group and a != b for group in together) for a, b in zip(one, other, strict=True))
    assert np.bincount(one).tolist() == [CONTEXTS] * 7  # no item is more frequent than the mean
    assert len(set(zip(one.tolist(), other.tolist(), strict=True))) == 6 + 2 + 2


def test_frequent_items_are_thinned_and_drawn_as_noise_by_their_frequency() -> None:
    session = np.repeat(np.arange(4000), 2)
    item = np.stack([np.zeros(4000, np.int64), 1 + np.arange(4000) % 4], axis=1).ravel()  # item 0 is in every session
    sentences = Sentences.of(Clicks(session, session, item, 5))
    draw = np.random.Generator(np.random.Philox(0))
    one, _ = sentences.pairs(draw)
    share = np.sqrt((1 / 5) / (1 / 2))
    assert abs(np.count_nonzero(one == 0) / CONTEXTS / 4000 - share) < 4 * np.sqrt(share * (1 - share) / 4000)
    noise = np.concatenate([drawn.numpy() for _ in range(5) for *_, drawn in sentences.batches(draw)])
    assert len(noise) % NOISE == 0
    expected = 0.5**0.75 / (0.5**0.75 + 4 * 0.125**0.75)
    assert abs((noise == 0).mean() - expected) < 4 * np.sqrt(expected * (1 - expected) / len(noise))


def test_what_cannot_be_learned_from_is_refused(shop: Catalog, planted: Log) -> None:
    with pytest.raises(ValueError, match="a catalogue 'synthetic' that is not the 'other' given"):
        behaviour_modality(planted, Catalog.synthetic(M, 2, seed=4).replaced(name="other"), "als")
    with pytest.raises(ValueError, match="there is no method 'lda'; choose als, item2vec, svd"):
        behaviour_modality(planted, shop, "lda")
    with pytest.raises(
        ValueError, match="dim is 12, and the users who clicked are 60, the items clicked 12: .* ask for 1 to 11"
    ):
        behaviour_modality(planted, shop, "svd", dim=12)
    with pytest.raises(ValueError, match="dim is 0"):
        behaviour_modality(planted, shop, "als", dim=0)
    nothing = log_of(shop, [[0, 1]], [[False, False]], [0])
    with pytest.raises(ValueError, match="nobody clicked an item of this catalogue"):
        behaviour_modality(nothing, shop, "als")


def test_clicks_of_a_table(shop: Catalog, tmp_path: Path) -> None:
    ids = shop.table["item_id"]
    table = pd.DataFrame({"user": ["b", "a", "b", "b"], "item": [ids[5], ids[2], "gone", ids[5]]})
    clicks, unknown = clicks_of_table(table, shop)
    assert unknown == 1
    assert (clicks.user.tolist(), clicks.item.tolist(), clicks.session.tolist()) == ([0, 1, 0], [5, 2, 5], [0, 1, 0])
    assert clicks.matrix()[0, 5] == 2
    apart, _ = clicks_of_table(table.assign(session=["1", "1", "1", "2"]), shop)
    assert apart.session.tolist() == [0, 1, 2]
    table.to_csv(tmp_path / "clicks.csv", index=False)
    table.to_parquet(tmp_path / "clicks.parquet")
    for name in ("clicks.csv", "clicks.parquet"):
        read, unknown = read_clicks(tmp_path / name, shop)
        assert unknown == 1
        assert (read.matrix() != clicks.matrix()).nnz == 0


def test_ids_that_are_numbers_are_read_as_they_are_written(shop: Catalog, tmp_path: Path) -> None:
    numbered = shop.replaced(table=shop.table.assign(item_id=[f"{row:03d}" for row in range(M)]))
    (tmp_path / "clicks.csv").write_text("user,item\n1,003\n01,013\n")
    clicks, unknown = read_clicks(tmp_path / "clicks.csv", numbered)
    assert (unknown, clicks.item.tolist(), clicks.user.tolist()) == (0, [3, 13], [0, 1])


def test_tables_that_are_no_clicks_are_refused(shop: Catalog, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="the table has no column 'item'; it needs user and item"):
        clicks_of_table(pd.DataFrame({"user": [1]}), shop)
    with pytest.raises(ValueError, match="row 1 of the table: user is empty"):
        clicks_of_table(pd.DataFrame({"user": ["a", None], "item": ["x", "y"]}), shop)
    with pytest.raises(
        FileNotFoundError, match="there is no file .*none.csv: name the CSV or Parquet file with the clicks"
    ):
        read_clicks(tmp_path / "none.csv", shop)
    (tmp_path / "clicks.txt").write_text("user,item\n")
    with pytest.raises(ValueError, match=r"clicks.txt is neither .csv nor .parquet"):
        read_clicks(tmp_path / "clicks.txt", shop)
    (tmp_path / "clicks.parquet").write_text("user,item\n")
    with pytest.raises(ValueError, match=r"clicks.parquet cannot be read as parquet"):
        read_clicks(tmp_path / "clicks.parquet", shop)
    (tmp_path / "empty.csv").write_text("")
    with pytest.raises(ValueError, match=r"empty.csv cannot be read as csv"):
        read_clicks(tmp_path / "empty.csv", shop)


def test_a_catalogue_gets_it_and_says_so(shop: Catalog, planted: Log) -> None:
    clicks = clicks_of_log(planted, shop)
    found = with_behaviour(shop, modality_of_clicks(clicks, "als", dim=2), clicks, "als")
    assert list(found.modalities) == ["text", "image", "behaviour"]
    assert found.fingerprint != shop.fingerprint
    line = "Modality `behaviour`: als, 2 dimensions, from 240 clicks of 60 users; 12 of 14 items have it."
    origin = f"Made from the catalogue `synthetic` (fingerprint {shop.fingerprint})."
    assert found.card == f"{shop.card.rstrip()}\n\n## Behaviour\n\n{origin}\n\n{line}\n"


def test_importing_it_imports_no_heavy_package() -> None:
    code = (
        "import sys, recsim.modalities.behaviour.modality; "
        "print(sorted({'torch', 'sklearn', 'implicit'} & set(sys.modules)))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
