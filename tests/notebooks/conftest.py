"""The Open Bandit Dataset for its notebook: the sample beside the checkout, or a few made-up rows in its layout."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

SAMPLE = Path(__file__).parents[2].parent / "shared" / "data" / "open-bandit-sample"
N_ITEMS, N_ROWS = 5, 600


@pytest.fixture(scope="session")
def open_bandit_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if SAMPLE.is_dir():
        return SAMPLE
    folder = tmp_path_factory.mktemp("open-bandit")
    for number, (policy, campaign) in enumerate((p, c) for p in ("random", "bts") for c in ("men", "women")):
        write_small(folder / policy / campaign, campaign, policy, np.random.default_rng(number))
    return folder


def write_small(place: Path, campaign: str, policy: str, rng: np.random.Generator) -> None:
    """A log in which BTS has all but stopped showing women the last item, and showed it once."""
    place.mkdir(parents=True)
    rare = 1e-6 if campaign == "women" else 0.1
    chance = (
        np.full(N_ITEMS, 1 / N_ITEMS) if policy == "random" else np.array([0.4, 0.3, 0.2, 0.1 - rare / 2, rare / 2])
    )
    chance = chance / chance.sum()
    item = rng.choice(N_ITEMS, N_ROWS, p=chance)
    item[0] = N_ITEMS - 1
    log = pd.DataFrame(
        {
            "timestamp": pd.date_range("2019-11-24", periods=N_ROWS, freq="min", tz="UTC"),
            "item_id": item,
            "position": rng.integers(1, 4, N_ROWS),
            "click": (rng.random(N_ROWS) < 0.1).astype(int),
            "propensity_score": chance[item],
            **{f"user_feature_{i}": rng.choice(["x", "y"], N_ROWS) for i in range(4)},
        }
    )
    log.to_csv(place / f"{campaign}.csv")
    items = pd.DataFrame({"item_id": np.arange(N_ITEMS), "item_feature_0": rng.normal(size=N_ITEMS)})
    items[["item_feature_1", "item_feature_2", "item_feature_3"]] = "a"
    items.to_csv(place / "item_context.csv")
