"""The tables of docs/encoders.md."""

from __future__ import annotations

from recsim.experiments.bench.measures import measured
from recsim.experiments.bench.tables import compression_cells
from recsim.report.format import percent
from tables.markdown import KEPT, markdown
from tables.results import result


def encoders() -> str:
    """How fast encoders are, and how large."""
    found = result("encoders")
    rows = [
        (f"`{one['name']}`", one["label"].split()[0], str(one["dim"]), _megabytes(one["weight_bytes"]), measured(one))
        for one in found["measures"]
    ]
    names = ("recsim", "python", "numpy", "torch")
    versions = ", ".join(f"{name} {found['versions'][name]}" for name in names)
    return (
        markdown(("encoder", "of", "columns", "weights", "items per CPU-second"), rows, left=2)
        + f"\n\n{found['machine']['cpu']}, one thread, {found['n']} items of {found['catalog']}; {versions}; "
        f"medians of {found['repeats']} repeats of {found['seconds']:g} CPU-seconds or more."
    )


def _megabytes(size: int) -> str:
    return f"{size / 1e6:.1f} MB" if size else "none"


def compression() -> str:
    """What exporting encoders costs and saves."""
    found = result("compression")
    rows = [(*compression_cells(one), f"{one['items']:,}", KEPT[one["kept"]]) for one in found["measures"]]
    header = ("encoder", "form", "CPU-seconds for 1,000", "MB", "neighbours kept", "items", "as asked")
    asked = (
        f"\n\nMedians of {found['repeats']} parts of the items of {found['catalog']}, on one thread. Neighbours kept: "
        f"mean share of an item's {found['neighbours']} nearest (cosine) that are among its nearest in this form, too; "
        f"{percent(found['asked'], 0)} is asked."
    )
    return markdown(header, rows, left=2) + asked
