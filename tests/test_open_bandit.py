from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from recsim.ope import evaluate
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
    with pytest.raises(FileNotFoundError, match=r"no file .*women\.csv: copy the data set's folder whole"):
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


def judged(policy: str, campaign: str, targets: object, columns: dict = COLUMNS) -> pd.DataFrame:
    table = read_open_bandit(SAMPLE, policy, campaign)
    frame = evaluate(table, policy=targets, columns=columns).to_frame()
    return frame[frame["objective"] == "reward"].set_index(["policy", "estimator"])


@needs_sample
@pytest.mark.slow
@pytest.mark.parametrize(
    ("campaign", "ess", "ips", "snips", "reason"),
    [
        (
            "men",
            656,
            0.003008626327256482,
            0.003189423162277403,
            "about 4 sessions decide how far the estimate may be off",
        ),
        ("women", 2, 0.00743757754192316, 0.0023730461434477677, "effective sample size 2.1 of 10,000 logged slates"),
    ],
)
def test_random_judged_from_bts(campaign, ess, ips, snips, reason):
    """The values are (w * click).mean() and its ratio to w.mean() by pandas, w = 1 / items / propensity."""
    found = judged("bts", campaign, {"random": 1 / len(read_item_context(SAMPLE, "bts", campaign))}).loc["random"]
    assert found.loc["ips", "value"] == pytest.approx(ips, rel=1e-12)
    assert found.loc["snips", "value"] == pytest.approx(snips, rel=1e-12)
    for estimator in ("ips", "snips", "dr"):
        assert round(found.loc[estimator, "ess"]) == ess
        assert found.loc[estimator, "verdict"] != "trust"
    assert found.loc["ips", "verdict"] == "do not use"
    assert found.loc["ips", "reason"].startswith(reason)
    if campaign == "women":
        assert set(found["verdict"]) == {"do not use"}


@needs_sample
@pytest.mark.slow
@pytest.mark.parametrize("campaign", ["men", "women"])
def test_bts_judged_from_random_agrees_with_its_own_log(campaign):
    bts = read_open_bandit(SAMPLE, "bts", campaign)
    shares = pd.crosstab(bts["position"], bts["item_id"], normalize="index")
    found = judged("random", campaign, {"bts": lambda table: shares.loc[table["position"]]}).loc["bts"]
    rate = bts["click"].mean()
    for estimator in ("ips", "snips", "dr"):
        row = found.loc[estimator]
        assert row["verdict"] == "caution"  # some 40 clicks, of which a few weigh most
        assert abs(row["value"] - rate) < 2 * np.hypot(row["se"], np.sqrt(rate * (1 - rate) / len(bts)))


@needs_sample
@pytest.mark.slow
def test_estimated_propensities_miss_what_changed_over_time():
    """BTS changed during the week: its mean frequencies look harmless (ESS 1,654), and are not what was in force."""
    columns = {key: value for key, value in COLUMNS.items() if key not in ("propensity", "context")}
    found = judged("bts", "women", {"random": 1 / 46}, columns).loc[("random", "ips")]
    assert round(found["ess"]) == 1654
    assert found["verdict"] != "trust"
    table = read_open_bandit(SAMPLE, "bts", "women")
    log_propensity, hour = np.log(table["propensity_score"]), table["timestamp"].dt.floor("h")
    explained = []
    for extra in ([], [hour]):
        groups = log_propensity.groupby([table["position"], table["item_id"], *extra])
        explained.append(1 - (log_propensity - groups.transform("mean")).var() / log_propensity.var())
    assert explained == pytest.approx([0.55, 0.98], abs=0.005)
