"""Catalogues prepared step by step: what is found, what is done, and what stays as it was."""

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from pydantic import ValidationError

from recsim import Catalog, Modality
from recsim.encoding import Encoding
from recsim.modalities.preparing import (
    Align,
    Clean,
    Denoise,
    Fuse,
    Impute,
    Inconsistent,
    Outliers,
    Preparation,
    Standardise,
    Vote,
    prepare,
)

ENCODING = Encoding("text", "fake", "0f", np.zeros(16, np.float32), np.eye(16, dtype=np.float32))


def prepared(catalog: Catalog, *steps: object, seed: int = 0) -> Catalog:
    return prepare(catalog, Preparation(steps=steps, seed=seed), encode=lengths)  # type: ignore[arg-type]


def lengths(encoding: Encoding, items: Sequence[str]) -> np.ndarray:
    """A made-up encoder: the number of characters in the first column."""
    assert encoding is ENCODING
    rows = np.ones((len(items), 16), np.float32)
    rows[:, 0] = [len(item) for item in items]
    return rows


def with_encoding(catalog: Catalog) -> Catalog:
    text = catalog.modalities["text"]
    return catalog.replaced(
        modalities=dict(catalog.modalities) | {"text": Modality("text", text.embedding, text.present, ENCODING)}
    )


def with_texts(catalog: Catalog, texts: dict[int, str]) -> Catalog:
    table = catalog.table.copy()
    for row, text in texts.items():
        table.loc[row, "text"] = text
    return catalog.replaced(table=table)


def kinds(catalog: Catalog) -> list[str]:
    return catalog.findings["what"].to_list()


def test_clean_texts_are_encoded_again_and_told_of() -> None:
    raw = with_texts(with_encoding(Catalog.synthetic(30)), {3: "Caf&eacute;", 7: "<br>", 9: "“as it is”"})
    clean = prepared(raw, Clean())
    assert clean.table["text"][3] == "Café"
    assert clean.findings.to_dict("records") == [
        {"item_id": "item-000003", "what": "unclean text", "found": "Caf&eacute;", "done": "now: Café"},
        {"item_id": "item-000007", "what": "unclean text", "found": "<br>", "done": "now: "},
        {
            "item_id": "item-000007",
            "what": "empty text",
            "found": "nothing is left of the text",
            "done": "absent",
        },
    ]
    before, after = raw.modalities["text"], clean.modalities["text"]
    assert after.embedding[3, 0] == len("Café")
    assert after.encoding is ENCODING
    assert not after.present[7]
    others = np.setdiff1d(np.arange(30), [3, 7])
    assert np.array_equal(after.embedding[others], before.embedding[others])
    assert raw.table["text"][3] == "Caf&eacute;"  # what was given stays as it is


def test_words_that_look_like_ids_are_taken_out_on_request() -> None:
    raw = with_texts(Catalog.synthetic(30), {3: "cat, DSC00123"})
    assert prepared(raw, Clean(encode=False)).findings.empty
    assert prepared(raw, Clean(ids=True, encode=False)).table["text"][3] == "cat"


def test_texts_cannot_be_cleaned_without_knowing_how_they_were_encoded() -> None:
    raw = with_texts(Catalog.synthetic(30), {3: "Caf&eacute;"})
    with pytest.raises(
        ValueError, match=r"step 1 \(clean\): unclean texts in catalogue 'synthetic': 1; .* clean with encode: false"
    ):
        prepared(raw, Clean())
    clean = prepared(raw, Clean(encode=False))
    assert clean.table["text"][3] == "Café"
    assert np.array_equal(clean.modalities["text"].embedding, raw.modalities["text"].embedding)
    assert prepared(Catalog.synthetic(30), Clean()).findings.empty


@pytest.mark.parametrize("method", ["ridge", "knn"])
def test_absent_items_are_imputed_and_marked(method: str) -> None:
    catalog = Catalog.synthetic(200, missing=0.2)
    text, image = catalog.modalities["text"], catalog.modalities["image"]
    done = prepared(catalog, Impute(modality="image", source="text", method=method))  # type: ignore[arg-type]
    missing = text.present & ~image.present
    new = done.modalities["image"]
    assert np.array_equal(new.present, image.present | missing)
    assert np.array_equal(new.embedding[image.present], image.embedding[image.present])
    marked = done.findings[done.findings["what"] == "absent modality"]
    assert marked["item_id"].to_list() == catalog.table["item_id"][missing].to_list()
    assert set(marked["done"]) == {f"imputed from text by {method}"}
    assert kinds(done)[-1] == "imputed modality"
    assert np.array_equal(done.modalities["text"].present, text.present)


def test_imputed_rows_are_close_to_what_was_there() -> None:
    whole = Catalog.synthetic(400)
    image = whole.modalities["image"]
    present = np.arange(400) % 4 > 0
    holed = whole.replaced(modalities=dict(whole.modalities) | {"image": Modality("image", image.embedding, present)})
    guessed = prepared(holed, Impute(modality="image", source="text")).taste[~present][:, 16:]
    truth = whole.taste[~present][:, 16:]
    mean = whole.taste[present][:, 16:].mean(axis=0)
    assert (guessed * truth).sum(axis=1).mean() > (truth @ mean / np.linalg.norm(mean)).mean() + 0.3


def test_nothing_is_imputed_where_nothing_is_absent() -> None:
    done = prepared(Catalog.synthetic(50), Impute(modality="image", source="text"))
    assert done.findings.iloc[0].to_list() == [
        "",
        "absent modality",
        "no item lacks 'image' and has 'text'",
        "nothing",
    ]


@pytest.mark.parametrize(
    "step",
    [Standardise(modality="text"), Denoise(modality="text", components=5), Align(first="text", second="image")],
    ids=lambda step: step.kind,
)
def test_a_modality_that_is_transformed_loses_its_encoding(step: object) -> None:
    catalog = with_encoding(Catalog.synthetic(60, missing=0.2))
    done = prepared(catalog, step)
    before, after = catalog.modalities["text"], done.modalities["text"]
    assert after.encoding is None
    assert np.array_equal(after.present, before.present)
    assert not np.array_equal(after.embedding, before.embedding)
    assert len(done.findings) == 1


def test_rows_that_stay_in_the_space_of_their_encoder_keep_it() -> None:
    catalog = with_encoding(Catalog.synthetic(60, missing=0.2))
    before = catalog.modalities["text"]
    for step in (Impute(modality="text", source="image"), Outliers(modality="text", share=0.2, action="clip")):
        after = prepared(catalog, step).modalities["text"]
        assert after.encoding is ENCODING
        assert not np.array_equal(after.embedding, before.embedding)


def test_outliers_are_flagged_or_clipped() -> None:
    catalog = Catalog.synthetic(200)
    embedding = catalog.modalities["image"].embedding.copy()
    embedding[[11, 60]] *= 9
    odd = catalog.replaced(
        modalities=dict(catalog.modalities) | {"image": Modality("image", embedding, np.ones(200, np.bool_))}
    )
    flagged = prepared(odd, Outliers(modality="image", share=0.01))
    assert flagged.findings["item_id"].to_list() == ["item-000011", "item-000060"]
    assert np.array_equal(flagged.modalities["image"].embedding, embedding)
    moved = prepared(odd, Outliers(modality="image", share=0.01, action="clip"))
    assert set(flagged.findings["done"]) == {"flagged"}
    assert set(moved.findings["done"]) == {"clipped toward the centre"}
    near = prepared(catalog, Outliers(modality="image", share=0.2, action="clip"))  # rows of length 1: some stay
    assert set(near.findings["done"]) == {
        "clipped toward the centre",
        "kept: no farther from the centre than other items",
    }
    rest = np.delete(np.arange(200), [11, 60])
    new = moved.modalities["image"].embedding
    assert np.array_equal(new[rest], embedding[rest])
    centre = np.median(embedding[rest], axis=0)
    farthest = np.linalg.norm(embedding[rest] - centre, axis=1).max()
    assert np.linalg.norm(new[[11, 60]] - centre, axis=1) == pytest.approx([farthest, farthest], rel=1e-5)


def test_swapped_images_and_wrong_categories_are_flagged() -> None:
    catalog = Catalog.synthetic(200)
    image = catalog.modalities["image"].embedding.copy()
    image[[10, 51, 112]] = image[[51, 112, 10]]  # of different categories
    table = catalog.table.copy()
    table.loc[77, "category"] = table.loc[78, "category"]
    broken = catalog.replaced(
        table=table,
        modalities=dict(catalog.modalities) | {"image": Modality("image", image, np.ones(200, np.bool_))},
    )
    found = prepared(broken, Inconsistent(), Vote()).findings
    said = {what: set(own["item_id"]) for what, own in found.groupby("what")}
    assert said["text and image disagree"] <= {"item-000010", "item-000051", "item-000112"}
    assert len(said["text and image disagree"]) >= 2
    assert "item-000077" in said["category outvoted"]
    assert prepared(catalog, Inconsistent()).findings.empty


@pytest.mark.parametrize("method", ["concatenated", "weighted", "discriminant", "cca", "procrustes"])
def test_fusions_stand_beside_or_in_place_of_what_they_are_made_of(method: str) -> None:
    catalog = Catalog.synthetic(100, missing=0.15)
    beside = prepared(catalog, Fuse(method=method))  # type: ignore[arg-type]
    assert list(beside.modalities) == ["text", "image", "fused"]
    fused = beside.modalities["fused"]
    assert np.array_equal(fused.present, catalog.modalities["text"].present | catalog.modalities["image"].present)
    instead = prepared(catalog, Fuse(method=method, name="text", replace=True))  # type: ignore[arg-type]
    assert list(instead.modalities) == ["text"]
    assert np.array_equal(instead.modalities["text"].embedding, fused.embedding)
    assert "held out" in instead.findings["done"][0]
    with pytest.raises(ValueError, match=r"step 1 \(fuse\): modality 'text' is in the catalogue already"):
        prepared(catalog, Fuse(method=method, name="text"))  # type: ignore[arg-type]


@pytest.mark.slow
def test_steps_follow_one_another_and_repeat_bit_by_bit() -> None:
    catalog = Catalog.synthetic(120, missing=0.1)
    steps = (
        Impute(modality="image", source="text"),
        Denoise(modality="image", components=6, method="ica"),
        Outliers(modality="image"),
        Inconsistent(),
        Align(method="contrastive", folds=2),
        Fuse(method="weighted"),
    )
    calls: list[int] = []
    one = prepare(catalog, Preparation(steps=steps), progress=calls.append)
    again = prepared(catalog, *steps)
    assert calls == [1, 2, 3, 4, 5, 6]
    assert one.fingerprint == again.fingerprint
    pd.testing.assert_frame_equal(one.findings, again.findings)
    assert one.fingerprint != prepared(catalog, *steps, seed=1).fingerprint
    assert kinds(catalog) == []
    more = prepared(one, Standardise(modality="text"))
    assert kinds(more)[: len(one.findings)] == kinds(one)


def test_a_step_that_cannot_be_done_is_named() -> None:
    with pytest.raises(ValueError, match=r"step 2 \(denoise\): catalogue 'synthetic' has no modality 'sound'"):
        prepared(Catalog.synthetic(50), Standardise(modality="text"), Denoise(modality="sound", components=2))


@pytest.mark.parametrize(
    ("step", "match"),
    [
        ({"kind": "impute", "modality": "text", "source": "text"}, r"both 'text'; name another modality"),
        ({"kind": "align", "first": "text", "second": "text"}, r"both 'text'; name two modalities"),
        ({"kind": "fuse", "modalities": ["text", "text"]}, r"name each of them once"),
        ({"kind": "fuse", "method": "cca", "modalities": ["a", "b", "c"]}, r"cca aligns two modalities and not 3"),
        ({"kind": "outliers", "modality": "text", "share": 0.6}, r"less than or equal to 0.5"),
        ({"kind": "denoise", "modality": "text", "components": 3, "methods": "pca"}, r"Extra inputs"),
    ],
)
def test_impossible_steps_are_refused(step: dict[str, object], match: str) -> None:
    with pytest.raises(ValidationError, match=match):
        Preparation.model_validate({"steps": [step]})


def test_the_page_shows_the_same_steps_in_both_forms() -> None:
    page = (Path(__file__).parents[3] / "docs" / "preparing.md").read_text(encoding="utf-8")
    (written,) = re.findall(r"^```yaml\n(.*?)^```", page, flags=re.DOTALL | re.MULTILINE)
    steps = (Clean(encode=False), Denoise(modality="text", components=32), Inconsistent(), Vote())
    assert Preparation.model_validate(yaml.safe_load(written)) == Preparation(steps=steps, seed=0)
