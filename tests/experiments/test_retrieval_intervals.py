"""Intervals from halves: by hand, and how often they hold for nearest items of planted catalogues."""

import numpy as np
import pytest
from scipy.stats import t as student

from recsim.encoding import unit_rows
from recsim.experiments.bench.retrieval_intervals import Estimate, Measures, estimates, halved
from recsim.experiments.bench.retrieval_measures import NEAREST
from recsim.metrics import mean_interval
from recsim.modalities.preparing.fusing import weighted_rows
from recsim.modalities.preparing.neighbours import same_category

CATEGORIES, GROUPS = 8, 200


def test_intervals_by_hand() -> None:
    divisions = np.array([[0.5, 0.0], [0.7, 0.0]])
    halves = np.array([[[0.4, 0.0], [0.6, 0.0]], [[0.7, 0.0], [0.3, 0.0]]])
    found = Estimate(divisions, halves)
    # Halves are 0.2 and 0.4 apart: the variance is (0.04 + 0.16) / 2 / 4, with 2 degrees of freedom.
    reach = student.ppf(0.975, 2) * np.sqrt((0.04 + 0.16) / 2 / 4)
    assert found.interval(0, 0.95) == pytest.approx({"mean": 0.6, "low": 0.6 - reach, "high": 0.6 + reach})
    assert found.interval(1, 0.95) == {"mean": 0.0, "low": 0.0, "high": 0.0}
    assert found.deviation(0) == pytest.approx(np.std([0.5, 0.7], ddof=1))
    assert (found - found).interval(0, 0.95) == {"mean": 0.0, "low": 0.0, "high": 0.0}
    moved = Estimate(divisions - 0.1, halves - 0.1)  # what both share cancels
    assert (found - moved).interval(0, 0.95) == pytest.approx({"mean": 0.1, "low": 0.1, "high": 0.1})


def test_estimates_keep_tables_and_rows_apart() -> None:
    def measures(number: float) -> Measures:
        return {"one": {"a": np.array([number]), "b": np.array([-number])}, "other": {"a": np.array([2 * number])}}

    found = estimates([measures(1.0), measures(3.0)], [(measures(4.0), measures(6.0))])
    assert {table: list(rows) for table, rows in found.items()} == {"one": ["a", "b"], "other": ["a"]}
    assert found["one"]["b"].divisions.tolist() == [[-1.0], [-3.0]]
    assert found["other"]["a"].halves.tolist() == [[[8.0], [12.0]]]


def test_halves_keep_copies_together_and_are_of_as_many_groups() -> None:
    groups = np.repeat(np.arange(11), 3)
    first = halved(groups, 0)
    assert all(len(set(first[groups == group].tolist())) == 1 for group in range(11))
    assert len(set(groups[first].tolist())) == 5
    assert np.array_equal(first, halved(groups, 0))
    assert not np.array_equal(first, halved(groups, 1))


@pytest.mark.slow
def test_intervals_hold_for_nearest_items_as_often_as_they_say() -> None:
    """A row is one catalogue: text, both side by side, and their difference; truths are means over all catalogues."""
    found, halves_hold, askers_hold = [], [], []
    for seed in range(150):
        views, category, groups = planted(np.random.Generator(np.random.Philox(seed)))
        shares = earned(views, category)
        first = [halved(groups, number) for number in range(10)]
        halves = [[means([view[half] for view in views], category[half]) for half in (one, ~one)] for one in first]
        whole = Estimate(shares.mean(axis=1)[None], np.array(halves))
        by_group = [np.bincount(groups, one) / np.bincount(groups) for one in shares]
        found.append(shares.mean(axis=1))
        halves_hold.append([ends(whole.interval(number, 0.95)) for number in range(3)])
        askers_hold.append([ends(vars(mean_interval(one))) for one in by_group])
    truth = np.mean(found, axis=0)[:, None]
    holds = [
        np.mean((intervals[:, :, :1] <= truth) & (truth <= intervals[:, :, 1:]), axis=0)[:, 0]
        for intervals in (np.array(halves_hold), np.array(askers_hold))
    ]
    assert (holds[0] > 0.90).all()  # 0.95 less nearly three standard errors of 150 catalogues
    assert (holds[1] < holds[0]).all()  # intervals over those who ask alone


def planted(draw: np.random.Generator) -> tuple[list[np.ndarray], np.ndarray, np.ndarray]:
    """Two modalities of groups of copies, in clusters by category, the second one noisier."""
    groups = np.repeat(np.arange(GROUPS), draw.choice([1, 2, 4], GROUPS, p=[0.8, 0.15, 0.05]))
    category = draw.integers(0, CATEGORIES, GROUPS)
    latent = 1.5 * np.eye(CATEGORIES)[category] + 0.5 * draw.standard_normal((GROUPS, CATEGORIES))
    views = [unit_rows(latent + noise * draw.standard_normal(latent.shape)) for noise in (0.2, 0.6)]
    return (
        [unit_rows(view[groups] + 0.005 * draw.standard_normal((len(groups), CATEGORIES))) for view in views],
        category[groups],
        groups,
    )


def earned(views: list[np.ndarray], category: np.ndarray) -> np.ndarray:
    """(3, n): what every item earns by its text, by both, and the difference."""
    everyone = np.ones(len(category), np.bool_)
    rows = views[0], weighted_rows(views, np.array([0.5, 0.5]))
    one, other = (same_category(part, category, np.arange(len(category)), NEAREST, among=everyone) for part in rows)
    return np.stack([one, other, other - one])


def means(views: list[np.ndarray], category: np.ndarray) -> np.ndarray:
    return np.asarray(earned(views, category).mean(axis=1))


def ends(interval: dict[str, float]) -> tuple[float, float]:
    return interval["low"], interval["high"]
