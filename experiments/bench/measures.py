"""What is measured, in which unit, and what is promised about it."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from recsim.report.format import number, percent

RATE, TIMES, SECONDS, GIB, SHARE = "user-steps per CPU-second", "times", "seconds", "GiB", "share"
CONTEXTS, ITEMS, CPU_SECONDS = "contexts per CPU-second", "items per CPU-second", "CPU-seconds"
SYMBOLS = {RATE: "/s", CONTEXTS: "/s", ITEMS: "/s", TIMES: "×", SECONDS: "s", CPU_SECONDS: "s", GIB: "GiB"}


@dataclass(frozen=True)
class Sizes:
    """What is stepped. The promises hold for the default sizes.

    Attributes:
        catalog: a bundled catalogue or a folder.
        n: users side by side.
        k: slate size.
        n_items: items of the row ``items``.
        n_users: users side by side of the row ``users``.
    """

    catalog: str = "openclipart"
    n: int = 1024
    k: int = 10
    n_items: int = 1_000_000
    n_users: int = 1_000_000


@dataclass(frozen=True)
class Effort:
    """How long is measured: the median of `repeats`, each of `seconds` CPU-seconds at least."""

    repeats: int = 5
    seconds: float = 0.5


@dataclass(frozen=True)
class Promise:
    """A bound that the measure keeps on one core of a machine of today."""

    kind: Literal["floor", "ceiling"]
    bound: float

    def kept(self, value: float) -> bool:
        """Whether `value` is on the right side."""
        return value >= self.bound if self.kind == "floor" else value <= self.bound


PROMISES = {
    "vector": Promise("floor", 1_000_000),
    "threads": Promise("floor", 1.7),
    "single": Promise("floor", 30_000),
    "items": Promise("floor", 300_000),
    "items_memory": Promise("ceiling", 1.2),
    "items_load": Promise("ceiling", 5.0),
    "users_memory": Promise("ceiling", 4.0),
    "ope_memory": Promise("ceiling", 1.0),
    "ope_folder": Promise("ceiling", 120.0),
    "ope_folder_memory": Promise("ceiling", 2.0),
    "marginals": Promise("floor", 200),
    "import_large_memory": Promise("ceiling", 2.0),
}


def measure(name: str, label: str, unit: str, repeats: Sequence[float], sizes: Any, **more: Any) -> dict[str, Any]:
    """The median of `repeats` beside its promise, where `sizes` are the default ones, which are promised for.

    `more` is added; a promise of speed with the same results is not kept where its `equal_results` is false.
    """
    value = _rounded(statistics.median(repeats), unit)
    found = {"name": name, "label": label, "unit": unit, "value": value}
    if name in PROMISES and sizes == type(sizes)():
        promise = PROMISES[name]
        found |= {
            promise.kind: promise.bound,
            "ratio": round(value / promise.bound, 3),
            "kept": promise.kept(value) and more.get("equal_results", True),
        }
    return found | {"repeats": [_rounded(one, unit) for one in repeats]} | more


def amount(value: float, unit: str) -> str:
    """A value with the symbol of its unit.

    >>> amount(1234567, RATE), amount(1.25, GIB), amount(0.25, SHARE)
    ('1,234,567 /s', '1.25 GiB', '25.0%')
    """
    if unit == SHARE:
        return percent(value)
    return f"{number(value, 0 if unit in (RATE, CONTEXTS, ITEMS) else 2)} {SYMBOLS[unit]}"


def measured(found: dict[str, Any]) -> str:
    """What was measured, with its interval where there is one.

    >>> measured({"value": 0.5, "low": 0.25, "high": 0.75, "unit": SHARE}), measured({"value": None, "unit": SECONDS})
    ('50.0% [25.0%, 75.0%]', 'never')
    """
    if found["value"] is None:
        return "never"
    ends = [amount(found[end], found["unit"]) for end in ("low", "high") if end in found]
    return amount(found["value"], found["unit"]) + (f" [{', '.join(ends)}]" if ends else "")


def promised(found: dict[str, Any]) -> str:
    """The promise of a `measure` in words, or nothing.

    >>> promised({"unit": SECONDS, "ceiling": 5.0}), promised({"unit": SECONDS})
    ('≤ 5.00 s', '')
    """
    signs = {"floor": "≥", "ceiling": "≤"}
    return "".join(f"{sign} {amount(found[kind], found['unit'])}" for kind, sign in signs.items() if kind in found)


def rates(step: Callable[[], int], effort: Effort, progress: Callable[[int], None]) -> list[float]:
    """User-steps per CPU-second of `step`, which returns how many it made; once before, so that everything is compiled.

    Args:
        step: makes some steps.
        effort: how many times and how long.
        progress: takes the number of repeats done.
    """
    step()
    found = []
    for done in range(1, effort.repeats + 1):
        found.append(_rate(step, effort.seconds))
        progress(done)
    return found


def _rate(step: Callable[[], int], seconds: float) -> float:
    steps, started = 0, time.process_time()
    while (spent := time.process_time() - started) < seconds:
        steps += step()
    return steps / spent


def _rounded(value: float, unit: str) -> float:
    return round(value) if unit in (RATE, CONTEXTS, ITEMS) else round(value, 3)
