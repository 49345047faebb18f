from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from recsim.open_bandit import COLUMNS, USER_FEATURES, read_item_context, read_open_bandit

DATA = Path(__file__).parents[1].parent / "shared" / "data"
SAMPLE = DATA / "open-bandit-sample"
needs_sample = pytest.mark.skipif(not SAMPLE.is_dir(), reason=f"the sample is not beside the checkout: {SAMPLE}")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Six shown items of three, in the data set's layout."""
    place = tmp_path / "bts" / "women"
    place.mkdir(parents=True)
    items = pd.DataFrame({"item_id": [0, 1, 2], "item_feature_0": [0.5, -0.1, 2.0]})
    for name in ("item_feature_1", "item_feature_2", "item_feature_3"):
        items[name] = ["a", "b", "a"]
    items.to_csv(place / "item_context.csv")
    log = pd.DataFrame(
        {
            "timestamp": [f"2019-11-24 00:00:0{i}.5+00:00" for i in range(5)] + ["2019-11-24 00:00:06+00:00"],
            "item_id": [0, 1, 2, 0, 1, 2],
            "position": [1, 2, 3, 1, 2, 3],
            "click": [0, 1, 0, 0, 0, 1],
            "propensity_score": [0.5, 0.25, 1.0, 0.1, 0.2, 0.3],
            **{name: list("xyzxyz") for name in USER_FEATURES},
            "user-item_affinity_0": np.linspace(0, 1, 6),
        }
    )
    log.to_csv(place / "women.csv")
    return tmp_path


def spoil(folder: Path, column: str, row: int, value: object, file: str = "women.csv") -> None:
    path = folder / "bts" / "women" / file
    table = pd.read_csv(path, index_col=0, dtype=str)
    table.iloc[row, table.columns.get_loc(column)] = value
    table.to_csv(path)


def test_a_small_folder(folder):
    table = read_open_bandit(folder, "bts", "women")
    assert list(table.columns) == [
        "timestamp", "item_id", "position", "click", "propensity_score", *USER_FEATURES, "user-item_affinity_0",
    ]  # fmt: skip
    assert table["timestamp"].iloc[5] == pd.Timestamp("2019-11-24 00:00:06", tz="UTC")
    assert table["item_id"].to_list() == [0, 1, 2, 0, 1, 2]
    assert [table[name].dtype for name in ("position", "click", "propensity_score")] == [np.int64, np.int64, np.float64]
    assert table["user_feature_2"].to_list() == list("xyzxyz")
    assert read_item_context(folder)["item_feature_0"].to_list() == [0.5, -0.1, 2.0]
    named = [COLUMNS[key] for key in ("reward", "action", "position", "propensity", "time")]
    assert set(named + COLUMNS["context"]) <= set(table.columns)


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("propensity_score", "0", "propensity_score is 0.0, which is no probability that a shown item can have had"),
        ("propensity_score", "-0.1", "propensity_score is -0.1, which is no probability"),
        ("propensity_score", "1.5", "propensity_score is 1.5, which is no probability"),
        ("propensity_score", "", "propensity_score is nan, which is no finite number. Correct or drop the line"),
        ("propensity_score", "inf", "propensity_score is inf, which is no finite number"),
        ("propensity_score", "high", "propensity_score is high, which is no finite number"),
        ("position", "4", r"position is 4, which is no position; they are 1 to 3"),
        ("position", "0", "position is 0, which is no position"),
        ("position", "1.5", r"position is 1.5, which is no whole number"),
        ("click", "2", "click is 2, which is neither 0 nor 1"),
        ("click", "yes", "click is yes, which is no finite number"),
        ("item_id", "7", "item_id is 7, which is no item of item_context.csv; add it"),
        ("timestamp", "noon", "timestamp is noon, which is no date and time"),
        ("user_feature_1", "", "user_feature_1 is nan, which is missing. Fill or drop the line"),
        ("user-item_affinity_0", "", "user-item_affinity_0 is nan, which is no finite number"),
    ],
)
def test_what_cannot_be_is_named_by_file_line_and_column(folder, column, value, message):
    spoil(folder, column, 3, value)
    with pytest.raises(ValueError, match=rf"line 5 of .*women\.csv: {message}"):
        read_open_bandit(folder)


def test_the_named_line_is_the_files(folder):
    spoil(folder, "click", 3, "2")
    with pytest.raises(ValueError, match="line 5 of"):
        read_open_bandit(folder)
    lines = (folder / "bts" / "women" / "women.csv").read_text().splitlines()
    assert ",2,0.1," in lines[5 - 1]


def test_defects_of_the_items(folder):
    spoil(folder, "item_id", 2, "1", "item_context.csv")
    with pytest.raises(ValueError, match=r"line 4 of .*item_context\.csv: item_id is 1, which is there a second time"):
        read_item_context(folder)
    spoil(folder, "item_id", 2, "", "item_context.csv")
    with pytest.raises(ValueError, match=r"line 4 of .*item_context\.csv: item_id is nan, which is no finite number"):
        read_open_bandit(folder)


def test_missing_and_broken_files(folder):
    with pytest.raises(FileNotFoundError, match=r"no folder .*random.men; .* holds bts.women\. Pass the folder"):
        read_open_bandit(folder, "random", "men")
    with pytest.raises(FileNotFoundError, match=r"holds no log of the Open Bandit Dataset"):
        read_open_bandit(folder / "bts" / "women", "random", "men")
    path = folder / "bts" / "women" / "women.csv"
    log = pd.read_csv(path, index_col=0)
    log.drop(columns="propensity_score").to_csv(path)
    with pytest.raises(ValueError, match=r"women\.csv has no column 'propensity_score'; it needs timestamp, item_id"):
        read_open_bandit(folder)
    log.iloc[:0].to_csv(path)
    with pytest.raises(ValueError, match=r"women\.csv has no rows"):
        read_open_bandit(folder)
    for content in (b"", b'a,b\n1,2,3,4\n"1,2\n', b"\xff\xfe\x00"):
        path.write_bytes(content)
        with pytest.raises(ValueError, match=r"women\.csv is no table of comma-separated values"):
            read_open_bandit(folder)
    path.unlink()
    with pytest.raises(FileNotFoundError, match=r"no file .*women\.csv; copy the data set's folder whole"):
        read_open_bandit(folder)


@needs_sample
@pytest.mark.parametrize("policy", ["random", "bts"])
@pytest.mark.parametrize("campaign", ["men", "women"])
def test_the_sample_has_the_known_statistics(policy, campaign):
    targets = json.loads((DATA / "calibration_targets.json").read_text())
    expected = targets["open_bandit_sample"][f"{policy}/{campaign}"]
    table = read_open_bandit(SAMPLE, policy, campaign)
    assert len(table) == expected["rows"]
    assert table["click"].sum() == expected["clicks"]
    assert table["propensity_score"].min() == expected["min_propensity"]
    by_position = table.groupby("position")["click"].mean()
    for position, rate in expected["ctr_by_position"].items():
        assert by_position[int(position)] == pytest.approx(rate, rel=1e-12)
