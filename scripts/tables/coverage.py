"""The tables of docs/coverage.md."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from math import sqrt
from typing import Any

from recsim.report.format import number, percent
from tables.markdown import KEPT, markdown
from tables.results import result

ASYMPTOTIC = ("normal", "student t", "bootstrap")
GUARANTEED = ("maurer-pontil", "hoeffding")
SEQUENCES = ("empirical Bernstein", "betting", "off-policy", "normal at every look")
JOINT = (
    "difference, bootstrap",
    "difference, normal",
    "ellipsoid",
    "box, Bonferroni",
    "box, max-t bootstrap",
    "separate intervals",
)


def coverage_worlds() -> str:
    """What the worlds are like in which coverage is measured."""
    rows = [
        (
            one["name"],
            f"{one['sessions']:,}",
            str(one["positions"]),
            number(one["largest_weight"], 1),
            percent(one["ess_share"]),
            number(one["truth"][0], 3),
        )
        for one in result("coverage")["worlds"]
    ]
    header = ("world", "sessions", "positions", "largest weight", "effective size", "truth")
    return markdown(header, rows, left=1)


def coverage_asymptotic() -> str:
    """How often asymptotic intervals hold at good overlap, and what the verdicts were."""
    rows = [
        (world, estimator, *(_share(cells, method) for method in ASYMPTOTIC), percent(said["trust"], 0))
        for world, estimator, cells, said in _estimators(good=True)
    ]
    return markdown(("world", "estimator", *ASYMPTOTIC, "trusted"), rows, left=2) + _logs()


def coverage_heavy() -> str:
    """The same with rare heavy weights."""
    rows = [
        (
            world,
            estimator,
            *(_share(cells, method) for method in ASYMPTOTIC),
            *(percent(said[level], 0) for level in ("trust", "caution", "do not use")),
        )
        for world, estimator, cells, said in _estimators(good=False)
    ]
    return markdown(("world", "estimator", *ASYMPTOTIC, "trust", "caution", "do not use"), rows, left=2) + _logs()


def coverage_guaranteed() -> str:
    """How often guaranteed intervals hold, and how wide they are beside the normal one."""
    rows = [
        (world, estimator, *(_share(cells, method) for method in GUARANTEED), *_widths(cells, ("normal", *GUARANTEED)))
        for good in (True, False)
        for world, estimator, cells, _ in _estimators(good)
        if GUARANTEED[0] in cells
    ]
    widths = (f"width: {method}" for method in ("normal", *GUARANTEED))
    return markdown(("world", "estimator", *GUARANTEED, *widths), rows, left=2) + _logs()


def coverage_sequences() -> str:
    """How often confidence sequences hold at every look, and the normal interval where it is looked at as they are."""
    return _intervals(SEQUENCES, "holds at every look")


def coverage_joint() -> str:
    """How often intervals of paired differences hold, and joint regions hold every objective."""
    return _intervals(JOINT, "holds")


def _estimators(good: bool) -> Iterator[tuple[str, str, dict[str, dict[str, Any]], dict[str, Any]]]:
    """For every world of good overlap or of none, and every estimator: its intervals by name, and its verdicts."""
    found = result("coverage")
    for said in found["verdicts"]:
        if said["good"] == good:
            key = said["world"], said["estimator"]
            own = [one for one in found["intervals"] if (one["world"], one["estimator"]) == key]
            yield *key, {one["interval"]: one for one in own}, said


def _intervals(methods: Sequence[str], holds: str) -> str:
    found = [one for one in result("coverage")["intervals"] if one["interval"] in methods]
    rows = [
        (
            one["world"],
            one["estimator"],
            one["interval"],
            f"{percent(one['coverage'])} ± {number(100 * one['se'], 1)}",
            number(one["width"], 3),
            KEPT[one["kept"]],
        )
        for one in found
    ]
    return markdown(("world", "estimator", "interval", holds, "width", "as asked"), rows, left=3) + _logs()


def _share(cells: dict[str, dict[str, Any]], method: str) -> str:
    """A coverage, in bold where it is not what is asked."""
    text = percent(cells[method]["coverage"])
    return f"**{text}**" if cells[method]["kept"] is False else text


def _widths(cells: dict[str, dict[str, Any]], methods: Iterable[str]) -> Iterator[str]:
    return (number(cells[method]["width"], 3) for method in methods)


def _logs() -> str:
    """What the shares of a table are of."""
    found = result("coverage")
    error = 100 * sqrt(found["level"] * (1 - found["level"]) / found["replications"])
    return (
        f"\n\n{found['replications']:,} logs of every world, {found['n_boot']} bootstrap draws, intervals at "
        f"{found['level']:.0%}; a coverage of {found['level']:.0%} has a standard error of {error:.1f} points."
    )
