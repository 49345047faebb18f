"""The tables of the page as data: what stands in each cell, by what it is sorted, and how it is marked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from recsim.report.format import compact, decimals, ends, half, number, percent, signed
from recsim.report.offline_sentences import speaker
from recsim.report.overlap import overlap_rows
from recsim.report.palette import SIGN
from recsim.report.read import Run
from recsim.report.results import LENGTH, REWARD, Difference, Estimate, Interval, PolicyResult

HUGE = 10_000.0  # estimates beyond this are shortened, for a single weight can make them absurd


@dataclass(frozen=True)
class Cell:
    """A cell.

    Attributes:
        text: what it says.
        note: a second, smaller line.
        order: by what its column is sorted; None stands last.
        mark: a class of the style sheet, such as a verdict.
    """

    text: str
    note: str = ""
    order: float | str | None = None
    mark: str = ""


@dataclass(frozen=True)
class Column:
    """A column; those of numbers are aligned to the right."""

    title: str
    numeric: bool = True


@dataclass(frozen=True)
class Table:
    """A table whose first column names its rows.

    Attributes:
        caption: what it shows.
        columns: of all cells.
        rows: cells and whether the row is the best policy's.
        groups: titles over several columns with their widths, or none.
    """

    caption: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[tuple[Cell, ...], bool], ...]
    groups: tuple[tuple[str, int], ...] = ()


def policies(run: Run) -> Table:
    """Every policy: whole sessions in truth, and single slates offline and in truth."""
    session = (REWARD, *run.metrics.objectives, LENGTH)
    titles = {REWARD: "Return", LENGTH: "Slates"}
    columns = [Column("Policy", numeric=False), *(Column(titles.get(name, name.capitalize())) for name in session)]
    columns += [Column("True value"), Column("Offline estimate"), Column("Verdict", numeric=False)]
    places = {name: _places([policy.truth[name] for policy in run.metrics.policies]) for name in session}
    values = [policy.slate_truth[REWARD] for policy in run.metrics.policies if policy.slate_truth]
    slate_places = _places(values)
    rows = []
    for policy in run.ranked:
        cells = [_name(run, policy)]
        cells += [_interval(policy.truth[name], places[name]) for name in session]
        cells += _offline(run, policy, slate_places)
        rows.append((tuple(cells), _is_best(run, policy.name)))
    level = percent(run.metrics.level, 0)
    return Table(
        f"All policies, the highest true return first; ± is half of a {level} interval.",
        tuple(columns),
        tuple(rows),
        (("", 1), ("A whole session (truth)", len(session)), ("One slate at the contexts of the log", 3)),
    )


def differences(run: Run) -> Table | None:
    """Paired differences per session against the baseline, for every objective."""
    names = (REWARD, *run.metrics.objectives)
    found = {(d.policy, d.objective): d for d in run.metrics.differences}
    listed = [policy for policy in run.ranked if (policy.name, REWARD) in found and policy.name != run.baseline]
    if not listed:
        return None
    places = {name: decimals(d.se for d in run.metrics.differences if d.objective == name) for name in names}
    rows = []
    for policy in listed:
        cells = [_name(run, policy)]
        for name in names:
            d = found.get((policy.name, name))
            fell = d is not None and d.high < 0 < found[policy.name, REWARD].low
            cells.append(Cell("—") if d is None else _change(d, places[name], fell=fell))
        rows.append((tuple(cells), _is_best(run, policy.name)))
    columns = (Column("Policy", numeric=False), *(Column("Return" if n == REWARD else n.capitalize()) for n in names))
    level = percent(run.metrics.level, 0)
    return Table(f"Paired differences per session against {run.baseline}, {level} intervals.", columns, tuple(rows))


def estimates(run: Run) -> Table | None:
    """Every offline estimate of every objective."""
    if not run.metrics.offline:
        return None
    titles = ("Estimator", "Objective", "Estimate", "True value", "ESS", "Largest weight", "Mean weight")
    columns = [Column(title, numeric=title not in ("Estimator", "Objective")) for title in titles]
    columns += [Column("Verdict", numeric=False), Column("Reason", numeric=False)]
    rows = []
    for e in run.metrics.offline:
        note = f"{compact(e.low)} to {compact(e.high)}"
        cells = (
            Cell(e.policy, order=e.policy),
            Cell(e.estimator, order=e.estimator),
            Cell(e.objective, order=e.objective),
            Cell(compact(e.value), note, e.value),
            Cell(compact(e.truth), order=e.truth),
            Cell(compact(e.ess), order=e.ess),
            Cell(compact(e.max_weight), order=e.max_weight),
            Cell(compact(e.mean_weight), order=e.mean_weight),
            _verdict(e),
            Cell(e.reason, order=e.reason, mark="prose"),
        )
        rows.append((cells, False))
    return Table("Every offline estimate.", (Column("Policy", numeric=False), *columns), tuple(rows))


def overlap(run: Run) -> Table | None:
    """How far the log bears on each policy."""
    rows = []
    for row in overlap_rows(run):
        share = None if row.ess is None or not run.metrics.log.slates else row.ess / run.metrics.log.slates
        cells = (
            Cell(row.policy, order=row.policy),
            Cell(row.estimators, order=row.estimators),
            Cell(compact(row.ess), order=row.ess),
            Cell(percent(share, 2), order=share),
            Cell(compact(row.max_weight), order=row.max_weight),
            Cell(compact(row.mean_weight), order=row.mean_weight),
        )
        rows.append((cells, _is_best(run, row.policy)))
    titles = ("Effective slates", "Share of the log", "Largest weight", "Mean weight (should be 1)")
    columns = (Column("Policy", numeric=False), Column("Estimators", numeric=False), *map(Column, titles))
    return Table("Importance weights of the log's slates.", columns, tuple(rows)) if rows else None


def metrics(run: Run) -> Table:
    """Rates and diversity over all sessions of a policy."""
    titles = {
        "ctr": "Click-through rate",
        "cvr": "Conversion rate",
        "novelty_per_click": "Novelty per click",
        "coverage": "Catalogue coverage",
        "gini": "Gini of exposure",
    }
    keys = list(dict.fromkeys(key for policy in run.ranked for key in policy.metrics))
    rows = [
        (
            (_name(run, policy), *(_metric(key, policy.metrics.get(key)) for key in keys), _temperature(policy)),
            _is_best(run, policy.name),
        )
        for policy in run.ranked
    ]
    named = (Column(titles.get(key, key.replace("_", " "))) for key in keys)
    columns = (Column("Policy", numeric=False), *named, Column("Temperature"))
    return Table("Rates and spread over all sessions.", columns, tuple(rows))


def learning_curve(run: Run) -> Table | None:
    """The numbers behind the learning curves."""
    if not run.curve:
        return None
    rows = []
    for point in run.curve:
        cell = Cell(compact(point.reward), f"{compact(point.low)} to {compact(point.high)}", point.reward)
        steps = Cell(f"{point.timesteps:,}", "kept" if point.kept else "", point.timesteps)
        rows.append(((Cell(point.policy, order=point.policy), steps, cell), False))
    columns = (Column("Policy", numeric=False), Column("Slates of training"), Column("Return a session"))
    return Table("Return on fixed users while learning.", columns, tuple(rows))


def _name(run: Run, policy: PolicyResult) -> Cell:
    tags = []
    if _is_best(run, policy.name):
        tags.append("highest return")
    if policy.name == run.baseline:
        tags.append("baseline")
    if policy.is_oracle:
        tags.append("oracle, cannot be shipped")
    return Cell(policy.name, ", ".join(tags), policy.name)


def _offline(run: Run, policy: PolicyResult, places: int) -> list[Cell]:
    value = policy.slate_truth[REWARD] if policy.slate_truth else None
    truth = Cell("—") if value is None else _interval(value, places)
    spoken = speaker(run, policy.name)
    if spoken is None:
        return [truth, Cell("—", "not judged from the log" if policy.is_oracle else ""), Cell("—")]
    huge = any(abs(end or 0.0) >= HUGE for end in (spoken.value, spoken.low, spoken.high))
    shown = compact(spoken.value) if huge else number(spoken.value, places)
    note = f"{compact(spoken.low)} to {compact(spoken.high)}" if huge else ends(spoken, places)
    return [truth, Cell(f"{shown} ({spoken.estimator})", note, spoken.value), _verdict(spoken)]


def _interval(interval: Interval, places: int) -> Cell:
    return Cell(number(interval.mean, places), half(interval, places), interval.mean)


def _change(difference: Difference, places: int, *, fell: bool) -> Cell:
    """A difference; marked where it fell while the return rose."""
    text = signed(difference.mean, places)
    note = ends(difference, places) + (", fell while the return rose" if fell else "")
    return Cell(f"{SIGN['caution']} {text}" if fell else text, note, difference.mean, "caution" if fell else "")


def _verdict(estimate: Estimate) -> Cell:
    mark = estimate.verdict.replace(" ", "-")
    return Cell(f"{SIGN[estimate.verdict]} {estimate.verdict}", order=estimate.verdict, mark=mark)


def _metric(key: str, value: float | None) -> Cell:
    shown = number(value, 3) if key in ("gini", "novelty_per_click") else percent(value, 1)
    return Cell(shown, order=value)


def _temperature(policy: PolicyResult) -> Cell:
    return Cell(compact(policy.temperature), order=policy.temperature)


def _places(intervals: Sequence[Interval]) -> int:
    return decimals(interval.se for interval in intervals)


def _is_best(run: Run, name: str) -> bool:
    return bool(run.shippable) and run.shippable[0].name == name
