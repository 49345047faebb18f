"""The contract of an agent of one's own: a class, and what it can do by the methods that it has.

    class MyAgent:
        def __init__(self, catalog, layout, **options)

It acts by one of two:

- `scores(observation)`, see `recsim.policy.Scorer`: items are ranked by score, or drawn by it (Plackett-Luce).
- the methods of `recsim.policy.Policy`, for any other way to choose a slate.

It learns by one of two, or not at all; both change the agent in place, and what they return is not looked at:

- `fit(log)`: from a log, once (`FitsLog`).
- `train(simulator, users)`: while it serves users (`TrainsOnline`).

An agent that learns is kept in a file (`Kept`); one that does not is made anew where it is needed.

Arguments of the class called `seed` and `slate_size`, and an argument `progress` of `train`, are filled in by a run
where they are there and the options say nothing: a seed of the agent's own, the k of the run's slates, and what takes
the number of users served so far.
"""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any, Literal, Protocol, Self, runtime_checkable

import numpy as np

from recsim.catalog import Catalog
from recsim.logs import Log
from recsim.observation import Layout
from recsim.simulator import Simulator

POLICY_METHODS = ("act", "step_log_prob", "log_prob")


@runtime_checkable
class FitsLog(Protocol):
    """An agent that learns from a log."""

    def fit(self, log: Log) -> object:
        """Learn from all rows of `log`, in which nobody acts but the policy that collected it."""
        ...


@runtime_checkable
class TrainsOnline(Protocol):
    """An agent that learns by acting."""

    def train(self, simulator: Simulator, users: int) -> object:
        """Serve users 0 to `users` - 1 of `simulator`, and learn from what they do."""
        ...


@runtime_checkable
class Kept(Protocol):
    """An agent on disk."""

    def save(self, path: Path) -> None:
        """Write to exactly `path`, a file or a folder: no ending is added."""
        ...

    @classmethod
    def load(cls, path: Path, catalog: Catalog, layout: Layout) -> Self:
        """What `save` wrote, with nothing else to go by: whatever the class was made with is in the file, too."""
        ...


def learns_from(agent: type[Any]) -> Literal["log", "users"] | None:
    """What an agent class learns from: it has `fit`, or `train`, or neither."""
    if hasattr(agent, "fit"):
        return "log"
    return "users" if hasattr(agent, "train") else None


def check_agent_class(agent: Any) -> None:
    """Refuse a class that is no agent.

    Raises:
        TypeError: if it is no class, cannot act, learns in two ways, is fitted before it is made, or learns and cannot
            be kept.
    """
    if not isinstance(agent, type):
        raise TypeError(f"{agent!r} is no class; name a class that takes a catalogue and a layout.")
    name = agent.__name__
    if not hasattr(agent, "scores"):
        lacking = [method for method in POLICY_METHODS if not hasattr(agent, method)]
        if lacking:
            raise TypeError(f"{name} cannot act: give it a method scores(observation), or the missing {lacking[0]!r}.")
    if hasattr(agent, "fit") and hasattr(agent, "train"):
        raise TypeError(f"{name} has both fit and train; keep the one by which it learns.")
    if isinstance(inspect.getattr_static(agent, "fit", None), classmethod | staticmethod):
        raise TypeError(f"fit of {name} makes an agent; here it is made first: write it as fit(self, log).")
    if learns_from(agent):
        lacking = [method for method in ("save", "load") if not hasattr(agent, method)]
        if lacking:
            raise TypeError(f"{name} learns, so it is kept in a file: give it the missing method {lacking[0]!r}.")


def check_scores(scores: Any, n_users: int, catalog: Catalog) -> None:
    """Refuse what is no finite number for every user and item.

    Raises:
        ValueError: if `scores` is no array of numbers, has another shape than (n, m), or holds NaN or infinity.
    """
    if not isinstance(scores, np.ndarray) or scores.dtype.kind not in "fiu":
        found = f"an array of {scores.dtype}" if isinstance(scores, np.ndarray) else f"a {type(scores).__name__}"
        raise ValueError(f"its scores are {found}; they are a numpy array of numbers.")
    if scores.shape != (n_users, len(catalog)):
        raise ValueError(
            f"its scores have shape {scores.shape} for {n_users} users and {len(catalog)} items; "
            f"{(n_users, len(catalog))} is needed."
        )
    if not np.isfinite(scores).all():
        row, item = np.argwhere(~np.isfinite(scores))[0]
        raise ValueError(f"its scores have {scores[row, item]} for row {row}, item {item}; they are finite.")
