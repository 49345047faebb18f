"""The part of a page that holds what a log says: figures, tables, warnings; the same for a run and for a log alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from recsim.ope import ESTIMATORS
from recsim.report import offline_figures, offline_tables, overlap_figures, truth_figures
from recsim.report.cautions import warnings_by_subject
from recsim.report.coverage import Coverage
from recsim.report.coverage_figure import coverage_figure, coverage_table, coverage_words
from recsim.report.drawing import Drawing, drawn
from recsim.report.measured import REWARD, Estimand
from recsim.report.offline import Estimate, Offline
from recsim.report.table import Table

FOLDED_FROM = 40  # rows of a forest


@dataclass(frozen=True)
class OfflinePart:
    """What a log says, ready for the page.

    Attributes:
        found: the numbers.
        values: the estimates that speak for the policies, a figure an estimand.
        forests: all estimates of the reward, a figure an estimand.
        folded: whether the forests are long.
        sizes: effective sample sizes, a figure an estimand.
        positions: effective sample sizes by position.
        histograms: of weights, one a policy.
        truth: estimates against the truth, one an estimator.
        calibration: of estimated propensities.
        coverage: of the intervals.
        tables: by name, None where one has no rows.
        estimators: what those that are used do.
        warnings: by subject.
    """

    found: Offline
    values: list[Drawing]
    forests: list[Drawing]
    folded: bool
    sizes: list[Drawing]
    positions: list[Drawing]
    histograms: list[Drawing]
    truth: list[Drawing]
    calibration: list[Drawing]
    coverage: list[Drawing]
    tables: dict[str, Table | None]
    estimators: dict[str, str]
    warnings: dict[str, list[str]]
    drawings: list[Drawing] = field(init=False)

    def __post_init__(self) -> None:
        """Gather all figures in one list."""
        groups = (self.values, self.forests, self.sizes, self.positions, self.histograms)
        more = (self.truth, self.calibration, self.coverage)
        object.__setattr__(self, "drawings", [one for group in (*groups, *more) for one in group])

    @property
    def speaking(self) -> dict[Estimand, str]:
        """Which estimator speaks for a policy where several have the same verdict, the first at the front."""
        return {one: ", ".join(self.found.preferred(one)) for one in ("slate", "session")}

    @property
    def n_estimators(self) -> int:
        """How many estimators there are."""
        return len(_estimators(self.found))

    @property
    def truths(self) -> bool:
        """Whether any true value is known."""
        return any(estimate.truth is not None for estimate in self.found.estimates)

    @property
    def n_warnings(self) -> int:
        """How many sentences of warning there are."""
        return sum(map(len, self.warnings.values()))


def offline_part(found: Offline) -> OfflinePart:
    """All that there is to show of what a log says."""
    return OfflinePart(
        found=found,
        values=[one for estimand in found.estimands for one in _values(found, estimand)],
        forests=[one for estimand in found.estimands for one in _forest(found, estimand)],
        folded=len(_of_reward(found)) > FOLDED_FROM,
        sizes=[one for estimand in found.estimands for one in _sizes(found, estimand)],
        positions=drawn(
            "positions",
            "Overlap by position",
            overlap_figures.by_position(found),
            "Effective slates of the weights down to each position, a line a policy; the table has the numbers.",
        ),
        histograms=[one for name in found.policies for one in _histogram(found, name)],
        truth=[one for estimand in found.estimands for one in _truth(found, estimand)],
        calibration=[] if found.calibration is None else _calibration(found),
        coverage=[] if found.coverage is None else _coverage(found.coverage),
        tables=_tables(found),
        estimators={name: ESTIMATORS[name].what for name in _estimators(found) if name in ESTIMATORS},
        warnings=warnings_by_subject(found.policies, [s for sentences in found.warnings.values() for s in sentences]),
    )


def _tables(found: Offline) -> dict[str, Table | None]:
    return {
        "judged": offline_tables.judged(found),
        "objectives": offline_tables.objectives(found),
        "estimates": offline_tables.estimates(found),
        "overlap-slate": offline_tables.overlap(found, "slate"),
        "overlap-session": offline_tables.overlap(found, "session"),
        "positions": offline_tables.positions(found),
        "power": offline_tables.power(found),
        "guaranteed": offline_tables.guaranteed(found),
        "region": offline_tables.region(found),
        "assessment": offline_tables.assessment(found),
        "coverage": None if found.coverage is None else coverage_table(found.coverage),
    }


def _values(found: Offline, estimand: Estimand) -> list[Drawing]:
    title = "Worth of one slate" if estimand == "slate" else "Worth of a whole session"
    figure = offline_figures.values(found, estimand)
    spoken = [found.speaker(name, estimand=estimand) for name in found.policies]
    told = [f"{e.policy} {_number(e)}, {e.verdict}" for e in spoken if e is not None]
    return drawn(f"values-{estimand}", title, figure, f"{title} by the log: {'; '.join(told)}.")


def _forest(found: Offline, estimand: Estimand) -> list[Drawing]:
    title = "Every estimate of one slate" if estimand == "slate" else "Every estimate of a whole session"
    title += " and the truth" if any(e.truth is not None for e in _of_reward(found, estimand)) else ""
    words = (
        f"{title}, {len(_of_reward(found, estimand))} intervals in a block a policy; the table of all estimates has "
        "the numbers."
    )
    return drawn(f"estimates-{estimand}", title, offline_figures.estimates(found, estimand), words)


def _sizes(found: Offline, estimand: Estimand) -> list[Drawing]:
    title = f"Effective sample size in {estimand}s"
    return drawn(f"sizes-{estimand}", title, overlap_figures.effective_sizes(found, estimand))


def _histogram(found: Offline, policy: str) -> list[Drawing]:
    name = f"weights-{found.policies.index(policy)}"
    return drawn(name, policy, overlap_figures.histogram(found, policy), overlap_figures.histogram_words(found, policy))


def _truth(found: Offline, estimand: Estimand) -> list[Drawing]:
    panels = truth_figures.against_truth(found, estimand)
    return [
        one
        for place, (name, figure) in enumerate(panels.items())
        for one in drawn(
            f"truth-{estimand}-{place}",
            name if estimand == "slate" else f"{name}, whole sessions",
            figure,
            truth_figures.against_truth_words(found, name, estimand),
        )
    ]


def _calibration(found: Offline) -> list[Drawing]:
    assert found.calibration is not None
    figure = truth_figures.calibration(found.calibration)
    return drawn("calibration", "Estimated propensities and what happened", figure, found.calibration.words)


def _coverage(found: Coverage) -> list[Drawing]:
    return drawn("coverage", "Coverage of the intervals", coverage_figure(found), coverage_words(found))


def _of_reward(found: Offline, estimand: Estimand | None = None) -> Sequence[Estimate]:
    return [e for e in found.estimates if e.objective == REWARD and estimand in (None, e.estimand)]


def _estimators(found: Offline) -> list[str]:
    return list(dict.fromkeys(estimate.estimator for estimate in found.estimates))


def _number(estimate: Estimate) -> str:
    return "undefined" if estimate.value is None else f"{estimate.value:.3g}"
