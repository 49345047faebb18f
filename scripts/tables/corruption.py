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
    """What fusions earn in the clean view, by world and modality."""
    found = result("corruption")
    rows = [
        (preset, modality, *(interval(one["return"]) for one in by_policy.values()))
        for (preset, _, severity, modality), by_policy in _by_policy(found).items()
        if severity == 0
    ]
    return markdown(("world", "modalities", *found["methods"]), rows, left=2) + _over_corrupted_worlds(found)


def corruption_overall() -> str:
    """What fusions of all modalities lose in the mean over corruptions, by severity."""
    found = result("corruption")
    rows: dict[tuple[str, str], list[str]] = {}
    for one in found["overall"]:
        rows.setdefault((one["preset"], one["policy"]), []).append(interval(one["difference"]))
    header = ("world", "fusion", *(f"severity {severity}" for severity in found["severities"]))
    return markdown(header, [(*key, *cells) for key, cells in rows.items()], left=2) + _over_corrupted_worlds(found)


def corruption_worst() -> str:
    """What fusions of all modalities lose by each corruption at the highest severity."""
    found = result("corruption")
    worst, losses = found["severities"][-1], _by_policy(found)
    rows = [
        (
            f"`{name}`",
            *(
                interval(one["difference"])
                for preset in found["presets"]
                for one in losses[preset, name, worst, "all"].values()
            ),
        )
        for name in found["corruptions"]
    ]
    header = (f"{preset}, {method}" for preset in found["presets"] for method in found["methods"])
    return markdown((f"severity {worst}", *header), rows, left=1) + _over_corrupted_worlds(found)


def corruption_all() -> str:
    """What fusions lose in every view, and how many of the intervals miss 0."""
    found = result("corruption")
    rows = [
        (preset, f"`{name}` {severity}", modality, *(interval(one["difference"]) for one in by_policy.values()))
        for (preset, name, severity, modality), by_policy in _by_policy(found).items()
        if severity > 0
    ]
    losses = [one["difference"] for one in found["rows"] if one["difference"] and one["difference"]["se"] > 0]
    below, above = (sum(one["high"] < 0 for one in losses), sum(one["low"] > 0 for one in losses))
    return (
        markdown(("world", "corruption", "modalities", *found["methods"]), rows, left=3)
        + f"\n\nOf {len(losses)} intervals of differences that can be other than 0, {below} lie below 0 and {above} "
        f"above; by chance alone about {len(losses) * (1 - found['level']):.0f} would miss it."
    )


def _by_policy(found: dict[str, Any]) -> dict[tuple[str, str, int, str], dict[str, Any]]:
    """The rows by (preset, corruption, severity, modality), then by fusion."""
    rows: dict[tuple[str, str, int, str], dict[str, Any]] = {}
    for one in found["rows"]:
        key = (one["preset"], one["corruption"], one["severity"], one["modality"])
        rows.setdefault(key, {})[one["policy"]] = one
    return rows


def _over_corrupted_worlds(found: dict[str, Any]) -> str:
    what = (
        f"{found['items']:,} items of {found['catalog']}, logs of {found['n_launch']:,} users, "
        f"{found['n_users']:,} users served; seeds"
    )
    return over(what, range(found["seeds"]), found["level"])


def _parameters(what: str, parameters: Sequence[float]) -> list[str]:
    """The parameters as the sentence writes them."""
    form = what[what.index("{") : what.index("}") + 1]
    return [form.format(parameter) for parameter in parameters]
