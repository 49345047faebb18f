"""The tables of a run: policies, their differences, rates and learning curves."""

from __future__ import annotations

from collections.abc import Sequence

from recsim.report.format import compact, decimals, ends, half, number, percent, signed
from recsim.report.measured import REWARD, Difference, Interval
from recsim.report.palette import SIGN
from recsim.report.read import Run
from recsim.report.results import LENGTH, PolicyResult
from recsim.report.table import Cell, Column, Table, spoken_cell, verdict_cell


def policies(run: Run) -> Table:
    """Every policy: whole sessions in truth, and single slates offline and in truth."""
    session = (REWARD, *run.metrics.objectives, LENGTH)
    titles = {REWARD: "Return", LENGTH: "Slates"}
    columns = [Column("Policy", numeric=False), *(Column(titles.get(name, name.capitalize())) for name in session)]
    by_session = "session" in run.offline.estimands
    columns += [Column("Return by the log"), Column("Verdict", numeric=False)] if by_session else []
    columns += [Column("True value"), Column("Offline estimate"), Column("Verdict", numeric=False)]
    places = {name: _places([policy.truth[name] for policy in run.metrics.policies]) for name in session}
    values = [policy.slate_truth[REWARD] for policy in run.metrics.policies if policy.slate_truth]
    slate_places = _places(values)
    rows = []
    for policy in run.ranked:
        cells = [_name(run, policy)]
        cells += [_interval(policy.truth[name], places[name]) for name in session]
        cells += _session_offline(run, policy, places[REWARD]) if by_session else []
        cells += _offline(run, policy, slate_places)
        rows.append((tuple(cells), _is_best(run, policy.name)))
    level = percent(run.metrics.level, 0)
    return Table(
        f"All policies, the highest true return first; ± is half of a {level} interval.",
        tuple(columns),
        tuple(rows),
        (
            ("", 1),
            ("A whole session (truth)", len(session)),
            *([("A whole session by the log", 2)] if by_session else []),
            ("One slate at the contexts of the log", 3),
        ),
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
    spoken = run.offline.speaker(policy.name)
    if spoken is None:
        return [truth, Cell("—"), Cell("—")]
    return [truth, spoken_cell(spoken, places), verdict_cell(spoken, named=True)]


def _session_offline(run: Run, policy: PolicyResult, places: int) -> list[Cell]:
    spoken = run.offline.speaker(policy.name, estimand="session")
    return [Cell("—"), Cell("—")] if spoken is None else [spoken_cell(spoken, places), verdict_cell(spoken, named=True)]


def _interval(interval: Interval, places: int) -> Cell:
    return Cell(number(interval.mean, places), half(interval, places), interval.mean)


def _change(difference: Difference, places: int, *, fell: bool) -> Cell:
    """A difference; marked where it fell while the return rose."""
    text = signed(difference.mean, places)
    note = ends(difference, places) + (", fell while the return rose" if fell else "")
    return Cell(f"{SIGN['caution']} {text}" if fell else text, note, difference.mean, "caution" if fell else "")


def _metric(key: str, value: float | None) -> Cell:
    shown = number(value, 3) if key in ("gini", "novelty_per_click") else percent(value, 1)
    return Cell(shown, order=value)


def _temperature(policy: PolicyResult) -> Cell:
    return Cell(compact(policy.temperature), order=policy.temperature)


def _places(intervals: Sequence[Interval]) -> int:
    return decimals(interval.se for interval in intervals)


def _is_best(run: Run, name: str) -> bool:
    return bool(run.shippable) and run.shippable[0].name == name
