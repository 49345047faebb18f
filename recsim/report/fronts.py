"""What policies bring under other preferences among the objectives: figure, tables and sentences."""

from __future__ import annotations

from recsim.report.chart import NOTES_MARGIN, Figure, Trace, axis, figure, label, whiskers
from recsim.report.format import compact, decimals, ends, half, listed, number, percent, signed
from recsim.report.measured import REWARD, Difference, Interval
from recsim.report.read import Run
from recsim.report.results import Front, FrontFamily, FrontPoint
from recsim.report.table import Cell, Column, Table

COLORS = ("@muted", "@accent", "@caution", "@trust", "@refuse")  # the static fusion first
SYMBOLS = ("square", "circle", "diamond", "triangle-up", "cross")


def front_figure(run: Run, across: str, up: str) -> Figure | None:
    """Every policy under every preference as a point of two objectives; open where it beats itself in all."""
    front = run.metrics.front
    if front is None:
        return None
    data = [
        trace
        for number, family in enumerate(front.families)
        for trace in _traces(run, family, across, up, COLORS[number % len(COLORS)], SYMBOLS[number % len(SYMBOLS)])
    ]
    x, y = axis(f"{label(across)} per session"), axis(f"{label(up)} per session")
    return figure(data, 380, x, y, showlegend=True, margin=NOTES_MARGIN)


def front_table(run: Run) -> Table | None:
    """What every policy brings under every preference."""
    front, names = run.metrics.front, run.metrics.objectives
    if front is None:
        return None
    points = [point for family in front.families for point in family.points]
    places = {name: decimals(point.truth[name].se for point in points) for name in names}
    rows = []
    for family in front.families:
        for order, point in enumerate(family.points):
            told = [Cell(percent(share, 0), order=share) for share in point.preference]
            brought = [
                Cell(number(t.mean, places[name]), half(t, places[name]), t.mean)
                for name, t in ((name, point.truth[name]) for name in names)
            ]
            where = "dominated" if point.dominated else "on its front"
            name = Cell(family.family, order=f"{family.family} {order:04d}")
            rows.append(((name, *told, *brought, Cell(where, order=where)), False))
    titles = [name.capitalize() for name in names]
    columns = (Column("Policy", numeric=False), *map(Column, titles + titles), Column("Front", numeric=False))
    groups = (("", 1), ("Preference", len(names)), ("Per session", len(names)), ("", 1))
    level = percent(run.metrics.level, 0)
    return Table(f"Every policy under every preference; ± is half of a {level} interval.", columns, tuple(rows), groups)


def hypervolumes(run: Run) -> Table | None:
    """How much of the objectives each front covers, and the difference to the static fusion."""
    front = run.metrics.front
    if front is None:
        return None
    differences = {difference.policy: difference for difference in front.differences}
    rows = []
    for family in front.families:
        volume, more = family.hypervolume, differences.get(family.family)
        against = Cell("—") if more is None else Cell(_plus(more), _ends(more), more.mean)
        covered = Cell(compact(volume.mean), _ends(volume), volume.mean)
        rows.append(((Cell(family.family, order=family.family), covered, against), False))
    columns = (Column("Policy", numeric=False), Column("Hypervolume"), Column("Against the static fusion"))
    return Table("Hypervolume of each front above 0 in every objective.", columns, tuple(rows))


def front_sentences(run: Run) -> list[str]:
    """Which front covers more, and what moving the preference from one objective to another does."""
    front = run.metrics.front
    return [] if front is None else [*_covered(front, run.metrics.level), *_moved(run, front)]


def falls(run: Run) -> list[str]:
    """Policies whose return rose against the baseline while an objective fell, both clearly, in a sentence each."""
    found: dict[str, dict[str, Difference]] = {}
    for difference in run.metrics.differences:
        found.setdefault(difference.policy, {})[difference.objective] = difference
    sentences = []
    for policy in (policy.name for policy in run.shippable if policy.name in found):
        own = found[policy]
        fell = [name for name in run.metrics.objectives if name in own and own[name].high < 0]
        if fell and REWARD in own and own[REWARD].low > 0:
            rose = [name for name in run.metrics.objectives if name in own and own[name].low > 0]
            parts = [_change(own[name], "up") for name in (REWARD, *rose)] + [_change(own[n], "down") for n in fell]
            sentences.append(f"{policy} against {own[REWARD].against}: {listed(parts)}.")
    return sentences


def _change(difference: Difference, way: str) -> str:
    name = "return" if difference.objective == REWARD else difference.objective
    return f"{name} {way} ({signed(difference.mean, decimals([difference.se]))})"


def _covered(front: Front, level: float) -> list[str]:
    found = []
    for difference in front.differences:
        base = next(family for family in front.families if family.family == difference.against).hypervolume.mean
        verb = "covers more than" if difference.low > 0 else "covers less than" if difference.high < 0 else ""
        verb = verb or "cannot be told in what it covers from"
        share = f", {percent(abs(difference.mean) / base, 0)} of the latter's hypervolume" if base > 0 else ""
        found.append(
            f"{difference.policy} {verb} {difference.against}: {_plus(difference)} ({percent(level, 0)} interval "
            f"{_ends(difference)}){share}."
        )
    return found


def _moved(run: Run, front: Front) -> list[str]:
    """What each policy gains and loses between the preferences for the first and for the last objective alone."""
    names = run.metrics.objectives
    found = []
    for family in front.families:
        parts = [_move(name, family.moves[name]) for name in names]
        found.append(
            f"{family.family}, where {names[-1]} alone counts against where {names[0]} alone does: {listed(parts)}."
        )
    return found


def _move(objective: str, move: Interval) -> str:
    """Which way an objective went, with the interval of the paired difference.

    >>> _move("click", Interval(mean=-1.0, se=0.1, low=-1.2, high=-0.8))
    'click down (−1.00, −1.20 to −0.80)'
    """
    way = "up" if move.low > 0 else "down" if move.high < 0 else "not clearly changed"
    places = decimals([move.se])
    return f"{objective} {way} ({signed(move.mean, places)}, {ends(move, places)})"


def _plus(difference: Difference) -> str:
    return f"+{compact(difference.mean)}" if difference.mean > 0 else compact(difference.mean)


def _ends(interval: Interval) -> str:
    return f"{compact(interval.low)} to {compact(interval.high)}"


def _traces(run: Run, family: FrontFamily, across: str, up: str, color: str, symbol: str) -> list[Trace]:
    """The points of one policy, those on its front filled."""
    found = []
    for dominated in (False, True):
        points = [point for point in family.points if point.dominated == dominated]
        if not points:
            continue
        x, y = ([point.truth[name] for point in points] for name in (across, up))
        found.append(
            {
                "type": "scatter",
                "mode": "markers",
                "name": label(family.family) + (" (dominated)" if dominated else ""),
                "x": [interval.mean for interval in x],
                "y": [interval.mean for interval in y],
                "error_x": whiskers([i.mean for i in x], [i.low for i in x], [i.high for i in x], color),
                "error_y": whiskers([i.mean for i in y], [i.low for i in y], [i.high for i in y], color),
                "marker": {
                    "color": color,
                    "symbol": f"{symbol}-open" if dominated else symbol,
                    "size": 9,
                    "line": {"width": 2, "color": color},
                },
                "text": [_hover(run, point) for point in points],
                "hovertemplate": f"{label(family.family)}<br>%{{text}}<extra></extra>",
            }
        )
    return found


def _hover(run: Run, point: FrontPoint) -> str:
    names = run.metrics.objectives
    told = ", ".join(f"{label(name)} {share:.0%}" for name, share in zip(names, point.preference, strict=True))
    brought = ", ".join(f"{label(name)} {point.truth[name].mean:,.3f}" for name in names)
    return f"preference: {told}<br>{brought}"
