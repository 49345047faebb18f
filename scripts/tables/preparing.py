"""The tables of docs/preparing.md."""

from __future__ import annotations

from recsim.report.format import number
from tables.markdown import interval, markdown
from tables.results import result


def retrieval_recall() -> str:
    """How often the partner of an item is found by an alignment that has not seen it."""
    rows = [
        (
            f"{one['name']}, about {one['items'] // result('retrieval')['folds']} to choose from" if row == 0 else "",
            recall["method"],
            _points(recall["recall_1"]),
            _points(recall["recall_10"]),
        )
        for one in result("retrieval")["catalogs"]
        for row, recall in enumerate(one["recall"])
    ]
    return markdown(("catalogue", "alignment", "found first", "among ten"), rows, left=2) + _retrieved()


def retrieval_nearest() -> str:
    """What nearest items share in each space, all of them and one of each group of copies."""
    rows = [
        (
            one["name"] if row == 0 else "",
            space["space"],
            space["learns"],
            _points(space["all"]),
            _points(space["less_text"], signed=True),
            _points(space["without_copies"]),
            _points(space["without_copies_less_text"], signed=True),
        )
        for one in result("retrieval")["catalogs"]
        for row, space in enumerate(one["nearest"])
    ]
    header = ("catalogue", "space", "learns from", "same category", "less text", "without copies", "less text")
    return markdown(header, rows, left=3) + _retrieved()


def retrieval_planted() -> str:
    """How well planted faults are told from the rest."""
    found = result("retrieval")
    rows = [
        (one["name"], f"{what}, by {row['method']}", interval(row["auc"]), _points(row["precision"]))
        for one in found["catalogs"]
        for what, kind in (("swapped images", "swaps"), ("wrong categories", "labels"))
        for row in one[kind]
    ]
    said = f"Faults in {found['share']:.0%} of the items; {found['level']:.0%} intervals over {found['seeds']} seeds."
    return markdown(("catalogue", "fault", "AUC", "wrong among as many lowest"), rows, left=2) + f"\n\n{said}"


def retrieval_imputed() -> str:
    """How close imputed rows come to what was held out."""
    rows = [
        (one["name"], f"{row['what']}, {row['method']}", interval(row["cosine"]))
        for one in result("retrieval")["catalogs"]
        for row in one["imputed"]
    ]
    return markdown(("catalogue", "imputed", "cosine with the truth"), rows, left=2) + _retrieved("one division")


def _points(found: dict[str, float], *, signed: bool = False) -> str:
    """A share, or a difference of shares, in percent with its interval; nothing where there is no difference."""
    if signed and found["low"] == found["high"] == 0:
        return ""
    mean, low, high = (number(100 * found[key], 1) for key in ("mean", "low", "high"))
    return f"{'+' if signed and found['mean'] > 0 else ''}{mean} % [{low}, {high}]"


def _retrieved(divisions: str = "") -> str:
    """What the intervals of a table of retrieval are over."""
    found = result("retrieval")
    return (
        f"\n\n{found['folds']} folds, {divisions or 'means of {} divisions'.format(found['seeds'])}; "
        f"{found['level']:.0%} intervals by a bootstrap over groups of copies that ask, {found['draws']:,} draws, "
        "given the items that can be found."
    )
