"""The tables of docs/learning.md."""

from __future__ import annotations

from typing import Any

from recsim.experiments.bench.measures import SECONDS, amount, measured, promised
from recsim.experiments.learning.claims import chosen, verdict
from recsim.metrics import mean_interval
from recsim.report.format import number
from tables.markdown import KEPT, interval, markdown, over
from tables.results import result

ORACLES = ("myopic oracle", "planning oracle")


def learn() -> str:
    """What each policy earns in each world that agents were trained in."""
    header = ("world", "policy", "users", "return of a session", "slates", "clicks", "conversions", "training")
    rows = [
        _earned(name if row == 0 else "", one, chosen(one))
        for name, world in result("learn")["presets"].items()
        for row, one in enumerate(world["policies"])
    ]
    return markdown(header, rows, left=2) + _over_worlds()


def claims() -> str:
    """What was measured beside what is claimed of agents, where something is."""
    rows = [
        (
            one["preset"],
            one["claim"],
            interval(one, "measured"),
            "" if one["asked"] is None else f"> {one['asked']:g}",
            {"no": "**no**"}.get(verdict(one), verdict(one)),
        )
        for one in result("learn")["claims"]
    ]
    return markdown(("world", "measure", "measured", "claimed", "met"), rows, left=2) + _over_worlds()


def training() -> str:
    """How fast PPO trains."""
    rows = [(one["label"], measured(one), promised(one), KEPT[one["kept"]]) for one in result("learn")["speed"]]
    return markdown(("measure", "measured", "promised", "kept"), rows, left=1)


def fusions() -> str:
    """What each fusion earns on the users on whom the best one is chosen, best first, among what others earn."""
    rows = []
    for name, world in result("learn")["presets"].items():
        others = [one for one in world["policies"] if one["policy"] in ("uniform", "popularity", "ppo", *ORACLES)]
        ranked = sorted(world["fusions"] + others, key=lambda one: one["return"]["mean"])
        rows += [
            (*_earned(name if row == 0 else "", one)[:4], str(one.get("times_best") or ""), _seconds(one))
            for row, one in enumerate(ranked)
        ]
    header = ("world", "policy", "users", "return of a session", "best in", "training")
    return markdown(header, rows, left=2) + _over_worlds()


def modalities() -> str:
    """What policies earn that see some modalities only."""
    return _repeated("modalities")


def actions() -> str:
    """What policies earn whose actions or whose starts differ."""
    return _repeated("actions")


def _repeated(study: str) -> str:
    """What `recsim repeat` measured, and what the planning oracle earns in the same worlds."""
    found = result(study)
    rows = [
        (
            one["policy"],
            f"{one['n_users']:,}",
            interval(one["return"]),
            interval(one.get("difference")),
            _seconds(one),
        )
        for one in found["policies"]
    ]
    planner = result("learn")["presets"]["marketplace"]["policies"][-1]
    worlds = [one["mean"] for one in planner["by_seed"] if one["seed"] in found["seeds"]]
    beside = interval(vars(mean_interval(worlds, found["level"])))
    rows.append((f"{planner['policy']}, as above", f"{planner['n_users']:,}", beside, "", ""))
    header = ("policy", "users", "return of a session", f"less {found['policies'][0]['policy']}", "training")
    return markdown(header, rows, left=1) + over("Marketplace, seeds", found["seeds"], found["level"])


def _earned(world: str, one: dict[str, Any], more: str = "") -> tuple[str, ...]:
    objectives = one["objectives"]
    return (
        world,
        one["policy"] + (f" ({more})" if more else ""),
        f"{one['n_users']:,}",
        interval(one["return"]),
        number(one["length"], 1),
        number(objectives["click"], 1),
        number(objectives["conversion"], 2),
        _seconds(one),
    )


def _seconds(one: dict[str, Any]) -> str:
    return "" if one["training_seconds"] is None else amount(one["training_seconds"], SECONDS)


def _over_worlds() -> str:
    found = result("learn")
    return over("Seeds", range(found["seeds"]), found["level"])
