"""Every corruption: something changes, more at every severity, by the same luck, and the true items stay."""

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from recsim import Catalog
from recsim.encoding import unit_rows
from recsim.modalities.cache import EmbeddingCache
from recsim.modalities.corruption import CORRUPTIONS, SEVERITIES, corrupt
from recsim.modalities.corruption.damage import lost
from recsim.modalities.making import make_modality
from recsim.modalities.names import image_encoder, text_encoder
from recsim.view import check_view

NAMES = tuple(name for name, corruption in CORRUPTIONS.items() if corruption.damage)
M = 48


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddingCache]:
    with EmbeddingCache(tmp_path_factory.mktemp("cache") / "embeddings.sqlite") as cache:
        yield cache


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory, cache: EmbeddingCache) -> Catalog:
    """48 items with texts and pictures, of which every seventh lacks the text and every eighth the picture."""
    from PIL import Image

    folder = tmp_path_factory.mktemp("images")
    base = Catalog.synthetic(n_items=M, n_categories=4, seed=1)
    draw = np.random.Generator(np.random.Philox(2))
    words = ["kettle", "lamp", "chair", "carpet", "window", "garden", "bottle", "pencil", "mirror", "basket"]
    texts, files = [], []
    for row in range(M):
        texts.append("" if row % 7 == 3 else f"Item {row} {' '.join(draw.choice(words, 6))}")
        files.append("" if row % 8 == 5 else f"{row}.png")
        height, width = 30 + row % 5, 40
        colours = np.linspace(draw.integers(0, 256, 3), draw.integers(0, 256, 3), height)[:, None]
        pixels = np.broadcast_to(colours, (height, width, 3)).copy()
        pixels[height // 2 :, : width // 2] = draw.integers(0, 256, 3)
        if files[-1]:
            Image.fromarray(pixels.astype(np.uint8)).save(folder / files[-1])
    table = base.table.assign(text=texts, title=[text.partition(" ")[0] for text in texts], image=files)
    there = {"text": np.array(texts) != "", "image": np.array(files) != ""}
    paths = [folder / (file or "nothing") for file in files]
    modalities = {
        "text": make_modality(
            "text", text_encoder("hashing"), texts, there["text"], source="text", dim=16, cache=cache
        ),
        "image": make_modality(
            "image", image_encoder("histogram"), paths, there["image"], source="image", dim=12, cache=cache
        ),
    }
    return Catalog("shop", table, modalities, image_dir=folder)


def damage(name: str, shop: Catalog, view: Catalog) -> float:
    """How far a view is from the truth: labels that differ, or the mean distance of unit embeddings, 0 where absent."""
    if CORRUPTIONS[name].concerns == "category":
        return float((shop.category != view.category).mean())
    distances = [
        np.linalg.norm(
            unit_rows(modality.embedding.astype(np.float64))
            - unit_rows(view.modalities[which].embedding.astype(np.float64)),
            axis=1,
        ).mean()
        for which, modality in shop.modalities.items()
    ]
    return float(np.sum(distances))


def bits(catalog: Catalog) -> list[bytes]:
    """Everything that agents may see, as bytes."""
    arrays = [part for modality in catalog.modalities.values() for part in (modality.embedding, modality.present)]
    return [catalog.table.to_csv().encode(), *(np.ascontiguousarray(array).tobytes() for array in arrays)]


def hit(view: Catalog) -> set[str]:
    return set(view.findings["item_id"])


@pytest.mark.parametrize("name", NAMES)
def test_damage_grows_with_severity_and_the_items_hit_are_nested(
    name: str, shop: Catalog, cache: EmbeddingCache
) -> None:
    before = bits(shop)
    views = [corrupt(shop, name, severity, seed=4, cache=cache) for severity in SEVERITIES]
    damages = [damage(name, shop, view) for view in views]
    assert damages == sorted(damages)
    assert damages[0] < damages[2] < damages[4]
    for weaker, stronger in pairwise(views):
        assert hit(weaker) <= hit(stronger)
    assert hit(views[-1])
    for severity, view in zip(SEVERITIES, views, strict=True):
        assert set(view.findings["what"]) <= {f"corruption {name} {severity}"}
        assert view.name == f"shop, {name} {severity}"
        check_view(shop, view)
    assert bits(shop) == before
    assert len(shop.findings) == 0


@pytest.mark.parametrize("name", NAMES)
def test_the_same_seed_gives_the_same_bits_and_another_one_others(
    name: str, shop: Catalog, cache: EmbeddingCache
) -> None:
    view = corrupt(shop, name, 4, seed=4, cache=cache)
    assert bits(corrupt(shop, name, 4, seed=4)) == bits(view)
    other = corrupt(shop, name, 4, seed=5, cache=cache)
    if name in ("truncated_image", "blur"):  # nothing is left to luck
        assert bits(other) == bits(view)
    else:
        assert bits(other) != bits(view)


@pytest.mark.parametrize("name", NAMES)
def test_only_items_that_are_hit_change(name: str, shop: Catalog, cache: EmbeddingCache) -> None:
    view = corrupt(shop, name, 2, seed=4, cache=cache)
    spared = ~shop.table["item_id"].isin(hit(view)).to_numpy(bool)
    assert shop.table[spared].equals(view.table[spared])
    for which, modality in shop.modalities.items():
        assert (modality.embedding[spared] == view.modalities[which].embedding[spared]).all()
        assert (modality.present[spared] == view.modalities[which].present[spared]).all()


def test_findings_follow_those_that_were_there(shop: Catalog) -> None:
    twice = corrupt(corrupt(shop, "missing_text", 5), "missing_image", 5)
    kinds = twice.findings["what"].to_list()
    assert kinds == sorted(kinds, reverse=True)
    assert set(kinds) == {"corruption missing_text 5", "corruption missing_image 5"}
    assert twice.name == "shop, missing_text 5, missing_image 5"


def test_an_item_keeps_its_luck_in_another_catalogue(shop: Catalog) -> None:
    kept = np.arange(M)[::-2]
    modalities = {
        name: type(modality)(name, modality.embedding[kept], modality.present[kept], modality.encoding)
        for name, modality in shop.modalities.items()
    }
    part = Catalog("part", shop.table.iloc[kept], modalities, image_dir=shop.image_dir)
    whole, own = (corrupt(catalog, "missing_text", 4, seed=1) for catalog in (shop, part))
    assert hit(own) == hit(whole) & set(part.table["item_id"])


def test_what_is_missing_is_absent(shop: Catalog) -> None:
    texts, images = corrupt(shop, "missing_text", 4), corrupt(shop, "missing_image", 4)
    gone = shop.table["item_id"].isin(hit(texts)).to_numpy(bool)
    assert not texts.modalities["text"].present[gone].any()
    assert (texts.table.loc[gone, ["title", "text"]] == "").all(axis=None)
    assert texts.modalities["image"] is shop.modalities["image"]
    gone = shop.table["item_id"].isin(hit(images)).to_numpy(bool)
    assert not images.modalities["image"].present[gone].any()
    assert (images.table.loc[gone, "image"] == "").all()
    assert shop.modalities["image"].present[gone].all()  # nothing is lost twice


def test_a_dropped_image_is_there_and_the_same_for_all(shop: Catalog, cache: EmbeddingCache) -> None:
    view = corrupt(shop, "dropped_image", 5, cache=cache)
    gone = shop.table["item_id"].isin(hit(view)).to_numpy(bool)
    rows = view.modalities["image"].embedding[gone]
    assert len(rows) > 2
    assert view.modalities["image"].present[gone].all()
    assert (rows == rows[0]).all()
    assert view.table["image"].equals(shop.table["image"])  # people go on seeing the originals


def test_labels_are_exchanged_in_pairs(shop: Catalog) -> None:
    view = corrupt(shop, "swapped_categories", 5)
    assert sorted(view.table["category"]) == sorted(shop.table["category"])
    assert (view.category != shop.category).sum() == len(hit(view))
    titles = corrupt(shop, "swapped_titles", 5)
    for row in np.flatnonzero((titles.table["text"] != shop.table["text"]).to_numpy(bool)):
        (other,) = np.flatnonzero((shop.table["text"] == titles.table["text"].iloc[row]).to_numpy(bool))[:1]
        if shop.table["text"].iloc[other]:
            assert titles.table["text"].iloc[other] == shop.table["text"].iloc[row]
            assert (titles.modalities["text"].embedding[row] == shop.modalities["text"].embedding[other]).all()
    assert titles.modalities["image"] is shop.modalities["image"]


def test_noise_has_the_length_that_is_stated(catalog: Catalog) -> None:
    wide = Catalog.synthetic(n_items=400, n_categories=4, dims={"text": 64})
    rows = unit_rows(wide.modalities["text"].embedding.astype(np.float64))
    noise = corrupt(wide, "gaussian", 3).modalities["text"].embedding - rows
    assert np.sqrt((noise**2).sum(axis=1).mean()) == pytest.approx(1.0, abs=3 * np.sqrt(2 / 64 / 400))
    stronger = corrupt(wide, "gaussian", 5).modalities["text"].embedding - rows
    np.testing.assert_allclose(stronger, 2.0 * noise, atol=1e-5)  # the same draws
    absent = ~catalog.modalities["text"].present
    assert absent.any()
    assert not corrupt(catalog, "gaussian", 3).modalities["text"].embedding[absent].any()


def test_stale_embeddings_are_mixed_with_those_that_the_findings_name(catalog: Catalog) -> None:
    view = corrupt(catalog, "stale", 2, seed=3)
    number = {item_id: row for row, item_id in enumerate(catalog.table["item_id"])}
    for item_id, done in zip(view.findings["item_id"], view.findings["done"], strict=True):
        own, other = number[item_id], number[done.removeprefix("mixed with 20% of ")]
        for name, modality in catalog.modalities.items():
            before = modality.embedding.astype(np.float64)
            expected = before[own]
            if modality.present[[own, other]].all():
                expected = 0.8 * unit_rows(before[[own]])[0] + 0.2 * unit_rows(before[[other]])[0]
            np.testing.assert_allclose(view.modalities[name].embedding[own], expected, rtol=1e-6)


def test_duplicated_embeddings_are_those_of_the_item_that_the_findings_name(catalog: Catalog) -> None:
    view = corrupt(catalog, "duplicated", 5, seed=3)
    number = {item_id: row for row, item_id in enumerate(catalog.table["item_id"])}
    assert len(view.findings)
    for item_id, done in zip(view.findings["item_id"], view.findings["done"], strict=True):
        other = number[done.removeprefix("has the embeddings of ")]
        assert other != number[item_id]
        for name, modality in catalog.modalities.items():
            assert (view.modalities[name].embedding[number[item_id]] == modality.embedding[other]).all()


@pytest.mark.parametrize("name", ["truncated_image", "dropped_image", "blur", "image_noise"])
def test_an_image_that_no_agent_sees_is_not_hit(name: str, shop: Catalog, cache: EmbeddingCache) -> None:
    image = shop.modalities["image"]
    unseen = lost(image, np.arange(M) % 2 == 0)
    blind = shop.replaced(modalities={**shop.modalities, "image": unseen})
    before, after = (hit(corrupt(catalog, name, 5, cache=cache)) for catalog in (shop, blind))
    assert after == before & set(shop.table["item_id"][unseen.present])
    assert after < before


@pytest.mark.parametrize("name", [name for name in NAMES if CORRUPTIONS[name].encodes])
def test_raw_corruptions_need_to_know_how_a_modality_was_made(name: str, catalog: Catalog) -> None:
    with pytest.raises(ValueError, match="does not say how it was made"):
        corrupt(catalog, name, 1)


def test_what_cannot_be_corrupted_is_refused(shop: Catalog) -> None:
    with pytest.raises(ValueError, match="there is no corruption 'rain'; the corruptions are missing_text, "):
        corrupt(shop, "rain", 1)
    with pytest.raises(ValueError, match="severity of 'typos' is 6: severities are 1, 2, 3, 4 and 5"):
        corrupt(shop, "typos", 6)
    with pytest.raises(ValueError, match="'misreported_clicks' corrupts what users report, not a catalogue"):
        corrupt(shop, "misreported_clicks", 1)
    only_text = shop.replaced(modalities={"text": shop.modalities["text"]})
    with pytest.raises(ValueError, match=r"has no modality made from images \(its modalities are text\)"):
        corrupt(only_text, "blur", 1)
    homeless = Catalog("homeless", shop.table, shop.modalities)
    with pytest.raises(ValueError, match="catalogue 'homeless' has no images to corrupt"):
        corrupt(homeless, "blur", 1)
    alone = Catalog.synthetic(n_items=1, n_categories=1)
    with pytest.raises(ValueError, match="catalogue 'synthetic' has 1 item"):
        corrupt(alone, "stale", 1)


def test_every_severity_is_stronger_than_the_one_before() -> None:
    for corruption in CORRUPTIONS.values():
        parameters: NDArray[np.float64] = np.array([corruption.parameter(severity) for severity in SEVERITIES])
        assert (np.diff(parameters) > 0).all()
    assert CORRUPTIONS["typos"].means(3) == "10% of the letters of title and text are mistyped"


def test_images_may_lie_anywhere(shop: Catalog, tmp_path: Path) -> None:
    """Nothing is written beside the images."""
    assert shop.image_dir is not None
    before = sorted(path.name for path in shop.image_dir.iterdir())
    corrupt(shop, "image_noise", 1)
    assert sorted(path.name for path in shop.image_dir.iterdir()) == before
