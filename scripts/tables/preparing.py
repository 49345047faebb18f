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


def retrieval_recall_compared() -> str:
    """How much more often one alignment finds partners than another."""
    return _compared("recall_differences", ("recall_1", "recall_10"), ("alignment", "found first", "among ten"))


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


def retrieval_nearest_compared() -> str:
    """How much more of the nearest items are of the same category in one space than in another."""
    return _compared("nearest_differences", ("all", "without_copies"), ("space", "same category", "without copies"))


def _compared(table: str, names: tuple[str, str], header: tuple[str, str, str]) -> str:
    rows = [
        (
            one["name"] if row == 0 else "",
            f"{pair['what']}, less {pair['less']}",
            *(_points(pair[name], signed=True) for name in names),
        )
        for one in result("retrieval")["catalogs"]
        for row, pair in enumerate(one[table])
    ]
    return markdown(("catalogue", *header), rows, left=2) + _retrieved()


def retrieval_planted() -> str:
    """How well planted faults are told from the rest."""
    found = result("retrieval")
    rows = [
        (
            one["name"],
            f"{what}, by {row['method']}",
            interval(row["auc"]),
            *(_points(row[name]) for name in ("precision", "flagged_precision", "flagged_recall")),
        )
        for one in found["catalogs"]
        for what, kind in (("swapped images", "swaps"), ("wrong categories", "labels"))
        for row in one[kind]
    ]
    said = f"Faults in {found['share']:.0%} of the items; {found['level']:.0%} intervals over {found['seeds']} seeds."
    header = ("catalogue", "fault", "AUC", "wrong among as many lowest", "wrong among flagged", "flagged of wrong")
    return markdown(header, rows, left=2) + f"\n\n{said}"


def retrieval_imputed() -> str:
    """How close imputed rows come to what was held out."""
    rows = [
        (one["name"], row["what"], interval(row["cosine"]))
        for one in result("retrieval")["catalogs"]
        for row in one["imputed"]
    ]
    return markdown(("catalogue", "imputed", "cosine with the truth"), rows, left=2) + _retrieved()


def _points(found: dict[str, float], *, signed: bool = False) -> str:
    """A share, or a difference of shares, in percent with its interval; nothing where there is no difference."""
    if signed and found["low"] == found["high"] == 0:
        return ""
    mean, low, high = (number(100 * found[key], 1) for key in ("mean", "low", "high"))
    return f"{'+' if signed and found['mean'] > 0 else ''}{mean} % [{low}, {high}]"


def _retrieved() -> str:
    """What the intervals of a table of retrieval are over."""
    found = result("retrieval")
    return (
        f"\n\n{found['folds']} folds, means of {found['seeds']} divisions; {found['level']:.0%} intervals from "
        f"{found['halvings']} halvings of the items, in each half of which all is learned and measured anew."
    )
