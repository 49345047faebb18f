"""The tables of docs/corruption.md."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from recsim.modalities.corruption import CORRUPTIONS
from tables.markdown import interval, markdown, over
from tables.results import result


def corruptions() -> str:
    """Every corruption, and what its severities mean."""
    rows = [
        (f"`{one.name}`", one.stage, one.means(3), ", ".join(_parameters(one.what, one.parameters)))
        for one in CORRUPTIONS.values()
    ]
    return markdown(("corruption", "stage", "at severity 3", "severities 1 to 5"), rows, left=4)


def clean_view() -> str:
    """What fusions earn in the clean view, by modality."""
    found = result("corruption")
    rows = [(one["modality"], one["policy"], interval(one["return"])) for one in found["rows"] if not one["corruption"]]
    return markdown(("modalities", "fusion", "return of a session"), rows, left=2) + _over_corrupted_worlds(found)


def corruption() -> str:
    """What fusions earn in the clean view, and how much less in corrupted ones."""
    found = result("corruption")
    kept: dict[tuple[str, str, str], dict[int, dict[str, Any]]] = {}
    for one in found["rows"]:
        kept.setdefault((one["corruption"], one["modality"], one["policy"]), {})[one["severity"]] = one
    rows = [
        (
            f"`{name}`",
            modality,
            policy,
            *(interval(by_severity[severity]["difference"]) for severity in found["severities"]),
        )
        for (name, modality, policy), by_severity in kept.items()
        if name
    ]
    header = ("corruption", "modalities", "fusion", *(f"severity {severity}" for severity in found["severities"]))
    return markdown(header, rows, left=3) + _over_corrupted_worlds(found)


def _over_corrupted_worlds(found: dict[str, Any]) -> str:
    what = (
        f"{found['items']:,} items of {found['catalog']}, {found['preset']}, logs of {found['n_launch']:,} users, "
        f"{found['n_users']:,} users served; seeds"
    )
    return over(what, range(found["seeds"]), found["level"])


def _parameters(what: str, parameters: Sequence[float]) -> list[str]:
    """The parameters as the sentence writes them."""
    form = what[what.index("{") : what.index("}") + 1]
    return [form.format(parameter) for parameter in parameters]
