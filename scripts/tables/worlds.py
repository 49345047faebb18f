"""The tables of docs/worlds.md."""

from __future__ import annotations

from recsim.users.presets import PRESETS
from tables.markdown import interval, markdown
from tables.results import result


def constants() -> str:
    """What each built-in world changes in the default one."""
    rows = [
        (name, ", ".join(f"`{option}` {value:g}" for option, value in options.items()))
        for name, options in PRESETS.items()
        if options
    ]
    return markdown(("world", "constants"), rows, left=2)


def presets() -> str:
    """What each policy earns in each built-in world, and how many times as much as the policy above it."""
    rows = [
        (
            name if row == 0 else "",
            one["policy"],
            f"{one['n_users']:,}",
            interval(one["return"]),
            interval(one.get("times_before"), "ratio"),
        )
        for name, policies in result("presets")["presets"].items()
        for row, one in enumerate(policies)
    ]
    return markdown(("world", "policy", "users", "return of a session", "times the row above"), rows, left=2)
