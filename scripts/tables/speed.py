"""The tables of docs/speed.md."""

from __future__ import annotations

from recsim.report.format import compact
from tables.markdown import markdown, promises
from tables.results import result


def env() -> str:
    """Our own measures beside what is promised."""
    found = result("env")
    return f"{promises(found)}; medians of {found['repeats']} repeats of {found['seconds']:g} CPU-seconds or more."


def peers() -> str:
    """The peers, with our speed over theirs."""
    rows = [
        (
            f"{one['peer']} {one['version']}",
            one["stepped"],
            f"{one['user_steps_per_cpu_second']:,} /s",
            f"{compact(one['ratio'])} ×",
        )
        for one in result("env")["peers"]
    ]
    return markdown(("peer", "what is stepped", "median", "recsim / peer"), rows, left=2)


def ope() -> str:
    """Measures of off-policy evaluation beside what is promised."""
    found = result("ope")
    (folder,) = (one for one in found["measures"] if one["name"] == "ope_folder")
    together = f"the folder once, in {folder['cpu_seconds']:.0f} CPU-seconds of all processes together"
    return f"{promises(found, 'pyarrow')}; medians of {found['repeats']} repeats, {together}."
