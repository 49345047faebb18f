"""What `recsim bench retrieval` counts, on small planted catalogues; what is worth what is measured by the command."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from recsim import Catalog
from recsim.experiments.bench import retrieval_spaces
from recsim.experiments.bench.emoji import fluent_emoji
from recsim.experiments.bench.planted import flagged, labels_found, swapped, told_apart
from recsim.experiments.bench.retrieval import RetrievalSize, retrieval
from recsim.experiments.bench.retrieval_spaces import aligned_spaces, alignments, taught_spaces
from recsim.experiments.bench.tables import print_retrieval
from recsim.experiments.cli import app
from recsim.experiments.errors import UserError
from recsim.experiments.progress import Silent
from recsim.modalities.preparing.pairs import folds, pairs_of

EMOJI = Path(__file__).parents[3] / "shared" / "data" / "fluent-emoji-color"


@pytest.fixture(scope="module")
def found() -> dict[str, Any]:
    return retrieval([Catalog.synthetic(240)], RetrievalSize(seeds=2, folds=2, halvings=2, share=0.1), Silent())


@pytest.mark.slow
def test_everything_is_measured_and_is_json(found: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    again = json.loads(json.dumps(found, allow_nan=False))
    (one,) = again["catalogs"]
    assert (one["name"], one["items"], one["groups"]) == ("synthetic", 240, 240)
    nearest = {row["space"]: row for row in one["nearest"]}
    assert nearest["text"]["less_text"] == {"mean": 0.0, "low": 0.0, "high": 0.0}
    assert nearest["text"]["all"] == nearest["text"]["without_copies"]  # there are none
    assert {row["learns"] for row in one["nearest"]} == {"nothing", "rows", "pairs", "categories"}
    assert all(row["all"]["low"] <= row["all"]["mean"] <= row["all"]["high"] for row in one["nearest"])
    recall = {row["method"]: row for row in one["recall"]}
    assert recall["cca, text to image"]["recall_10"]["mean"] > 0.8
    assert all(row["recall_1"]["mean"] <= row["recall_10"]["mean"] for row in one["recall"])
    assert all(row["auc"]["mean"] > 0.9 for row in one["swaps"] if row["method"] != "procrustes")
    print_retrieval(again)
    assert "Partner found, held out" in capsys.readouterr().out


def test_spaces_of_a_fold_do_not_depend_on_its_labels(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retrieval_spaces, "METHODS", ("cca", "procrustes"))
    catalog = Catalog.synthetic(90)
    pairs, groups = pairs_of(catalog, "text", "image"), np.arange(90)
    fold = folds(groups, 3, 0)
    wrong = np.where(fold == 1, (catalog.category + 1) % 5, catalog.category)
    right = taught_spaces(pairs, catalog.category, fold, groups, 0)
    for name, parts in taught_spaces(pairs, wrong, fold, groups, 0).items():
        queries, rows = parts[1]
        assert np.array_equal(queries, np.flatnonzero(fold == 1))
        assert np.array_equal(rows, right[name][1][1])
    for parts in aligned_spaces(pairs, alignments(pairs, fold, groups, 0)).values():
        assert np.array_equal(np.sort(np.concatenate([queries for queries, _ in parts])), np.arange(90))


def test_swaps_and_wrong_labels_by_hand() -> None:
    catalog = Catalog.synthetic(100)
    pairs = pairs_of(catalog, "text", "image")
    broken, wrong = swapped(pairs, 0.05, 0)
    assert wrong.sum() == 5
    assert np.array_equal(broken.first, pairs.first)
    assert np.array_equal(broken.second[~wrong], pairs.second[~wrong])
    assert (broken.second[wrong] != pairs.second[wrong]).any(axis=1).all()
    assert sorted(broken.second[wrong][:, 0]) == sorted(pairs.second[wrong][:, 0])
    score = np.array([0.1, 0.2, 0.3, 0.4])
    # Of the pairs (wrong, right) = (0, 1), (0, 3), (2, 1), (2, 3), three are in order; of the 2 lowest 1 is wrong.
    assert told_apart(score, np.array([True, False, True, False])) == {"auc": 3 / 4, "precision": 1 / 2}
    flags, wrong = np.array([True, True, True, False]), np.array([True, False, True, True])
    assert flagged(flags, wrong) == {"flagged_precision": 2 / 3, "flagged_recall": 2 / 3}
    assert flagged(~wrong & ~flags, wrong) == {"flagged_precision": 0.0, "flagged_recall": 0.0}
    assert labels_found(pairs, catalog.category, 0.05, 0)["auc"] > 0.9


def test_too_little_to_measure() -> None:
    with pytest.raises(UserError, match=r"1 seeds, 5 folds, 10 halvings, level 0.95 and a share of 0.05 cannot"):
        retrieval([Catalog.synthetic(60)], RetrievalSize(seeds=1), Silent())


def test_the_emoji_folder(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"holds no catalogue.csv: name the folder of fluent-emoji-color"):
        fluent_emoji(tmp_path)
    if not EMOJI.is_dir():
        pytest.skip("fluent-emoji-color is not beside the checkout")
    catalog = fluent_emoji(EMOJI)
    assert (len(catalog), len(catalog.categories)) == (1328, 7)
    assert catalog.modalities["text"].present.all()


def test_the_command_says_what_is_wrong(tmp_path: Path) -> None:
    result: Result = CliRunner().invoke(app, ["bench", "retrieval", "--catalog", str(tmp_path / "none")])
    assert result.exit_code == 2
    assert "there is no catalogue" in result.stderr
