"""Fill the tables of docs/*.md from the measured numbers in docs/results.

    python scripts/write_tables.py

A table stands between the lines `<!-- table: NAME -->` and `<!-- end -->`; NAME is a function in `TABLES`, which makes
markdown of the JSON of a command or of constants. A test asserts that the documents are what this script would write.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from recsim.experiments.bench.measures import SECONDS, amount, measured, promised
from recsim.experiments.learning.claims import chosen, verdict
from recsim.files import read_json, write_text
from recsim.metrics import mean_interval
from recsim.report.format import compact, number
from recsim.users.presets import PRESETS

ORACLES = ("myopic oracle", "planning oracle")
DOCS = Path(__file__).resolve().parents[1] / "docs"
PLACE = re.compile(r"(<!-- table: (\w+) -->\n).*?(<!-- end -->)", flags=re.DOTALL)


def main() -> None:
    """Write the documents whose tables have changed, and name them."""
    for path in sorted(DOCS.glob("*.md")):
        text = path.read_text(encoding="utf-8")
        if (new := filled(text)) != text:
            write_text(path, new)
            print(path)


def filled(text: str) -> str:
    """A document with its tables made anew.

    Raises:
        KeyError: if a table is named that is not in `TABLES`.
    """
    return PLACE.sub(lambda match: f"{match[1]}{TABLES[match[2]]()}\n{match[3]}", text)


def env() -> str:
    """Our own measures beside what is promised."""
    found = _result("env")
    kept = {True: "yes", False: "**no**", None: ""}
    rows = [
        (one["label"], amount(one["value"], one["unit"]), promised(one), kept[one.get("kept")])
        for one in found["measures"]
    ]
    versions = ", ".join(f"{name} {found['versions'][name]}" for name in ("recsim", "python", "numpy", "numba"))
    machine = found["machine"]
    return (
        markdown(("measure", "median", "promised", "kept"), rows, left=1)
        + f"\n\n{machine['cpu']} with {machine['cores']} cores, {machine['system']}; {versions}; "
        + f"medians of {found['repeats']} repeats of {found['seconds']:g} CPU-seconds or more."
    )


def peers() -> str:
    """The peers, with our speed over theirs."""
    rows = [
        (
            f"{one['peer']} {one['version']}",
            one["stepped"],
            f"{one['user_steps_per_cpu_second']:,} /s",
            f"{compact(one['ratio'])} ×",
        )
        for one in _result("env")["peers"]
    ]
    return markdown(("peer", "what is stepped", "median", "recsim / peer"), rows, left=2)


def presets() -> str:
    """What each policy earns in each built-in world, and how many times as much as the policy above it."""
    rows = [
        (
            name if row == 0 else "",
            one["policy"],
            f"{one['n_users']:,}",
            _interval(one["return"], "mean"),
            _interval(one.get("times_before"), "ratio"),
        )
        for name, policies in _result("presets")["presets"].items()
        for row, one in enumerate(policies)
    ]
    return markdown(("world", "policy", "users", "return of a session", "times the row above"), rows, left=2)


def constants() -> str:
    """What each built-in world changes in the default one."""
    rows = [
        (name, ", ".join(f"`{option}` {value:g}" for option, value in options.items()))
        for name, options in PRESETS.items()
        if options
    ]
    return markdown(("world", "constants"), rows, left=2)


def learn() -> str:
    """What each policy earns in each world that agents were trained in."""
    header = ("world", "policy", "users", "return of a session", "slates", "clicks", "conversions", "training")
    rows = [
        _earned(name if row == 0 else "", one, chosen(one))
        for name, world in _result("learn")["presets"].items()
        for row, one in enumerate(world["policies"])
    ]
    return markdown(header, rows, left=2) + _over_worlds()


def fusions() -> str:
    """What each fusion earns on the users on whom the best one is chosen, best first, among what others earn."""
    rows = []
    for name, world in _result("learn")["presets"].items():
        others = [one for one in world["policies"] if one["policy"] in ("uniform", "popularity", "ppo", *ORACLES)]
        ranked = sorted(world["fusions"] + others, key=lambda one: one["return"]["mean"])
        rows += [
            (*_earned(name if row == 0 else "", one)[:4], str(one.get("times_best") or ""), _seconds(one))
            for row, one in enumerate(ranked)
        ]
    header = ("world", "policy", "users", "return of a session", "best in", "training")
    return markdown(header, rows, left=2) + _over_worlds()


def claims() -> str:
    """What was measured beside what is claimed of agents, where something is."""
    rows = [
        (
            one["preset"],
            one["claim"],
            _interval(one, "measured"),
            "" if one["asked"] is None else f"> {one['asked']:g}",
            {"no": "**no**"}.get(verdict(one), verdict(one)),
        )
        for one in _result("learn")["claims"]
    ]
    return markdown(("world", "measure", "measured", "claimed", "met"), rows, left=2) + _over_worlds()


def training() -> str:
    """How fast PPO trains."""
    rows = [
        (one["label"], measured(one), promised(one), "yes" if one["kept"] else "**no**")
        for one in _result("learn")["speed"]
    ]
    return markdown(("measure", "measured", "promised", "kept"), rows, left=1)


def modalities() -> str:
    """What policies earn that see some modalities only."""
    return _repeated("modalities")


def actions() -> str:
    """What policies earn whose actions or whose starts differ."""
    return _repeated("actions")


def _repeated(study: str) -> str:
    """What `recsim repeat` measured, and what the planning oracle earns in the same worlds."""
    found = _result(study)
    rows = [
        (
            one["policy"],
            f"{one['n_users']:,}",
            _interval(one["return"], "mean"),
            _interval(one.get("difference"), "mean"),
            _seconds(one),
        )
        for one in found["policies"]
    ]
    planner = _result("learn")["presets"]["marketplace"]["policies"][-1]
    worlds = [one["mean"] for one in planner["by_seed"] if one["seed"] in found["seeds"]]
    beside = _interval(vars(mean_interval(worlds, found["level"])), "mean")
    rows.append((f"{planner['policy']}, as above", f"{planner['n_users']:,}", beside, "", ""))
    header = ("policy", "users", "return of a session", f"less {found['policies'][0]['policy']}", "training")
    return markdown(header, rows, left=1) + _over("Marketplace, seeds", found["seeds"], found["level"])


def _earned(world: str, one: dict[str, Any], more: str = "") -> tuple[str, ...]:
    objectives = one["objectives"]
    return (
        world,
        one["policy"] + (f" ({more})" if more else ""),
        f"{one['n_users']:,}",
        _interval(one["return"], "mean"),
        number(one["length"], 1),
        number(objectives["click"], 1),
        number(objectives["conversion"], 2),
        _seconds(one),
    )


def _seconds(one: dict[str, Any]) -> str:
    return "" if one["training_seconds"] is None else amount(one["training_seconds"], SECONDS)


def _over_worlds() -> str:
    found = _result("learn")
    return _over("Seeds", range(found["seeds"]), found["level"])


def _over(what: str, seeds: Sequence[int], level: float) -> str:
    """What the intervals of a table are over."""
    return f"\n\n{what} {seeds[0]} to {seeds[-1]}; intervals are {level:.0%}, over the {len(seeds)} worlds."


TABLES: dict[str, Callable[[], str]] = {
    "env": env,
    "peers": peers,
    "presets": presets,
    "constants": constants,
    "learn": learn,
    "fusions": fusions,
    "claims": claims,
    "training": training,
    "modalities": modalities,
    "actions": actions,
}


def _interval(found: dict[str, float] | None, middle: str) -> str:
    """A number with its interval, or nothing."""
    return "" if found is None else f"{number(found[middle])} [{number(found['low'])}, {number(found['high'])}]"


def markdown(header: Sequence[str], rows: Iterable[Sequence[str]], left: int) -> str:
    """A table whose first `left` columns are flush left and the others right."""
    rule = [":---" if column < left else "---:" for column in range(len(header))]
    escaped = ([cell.replace("|", "\\|") for cell in row] for row in rows)
    return "\n".join(f"| {' | '.join(row)} |" for row in (header, rule, *escaped))


def _result(name: str) -> Any:
    return read_json(DOCS / "results" / f"{name}.json")


if __name__ == "__main__":
    main()
