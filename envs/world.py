"""What the three environments share: the simulator behind them, its spaces, and how sessions begin."""

from __future__ import annotations

from collections.abc import Mapping
from os import PathLike
from typing import TYPE_CHECKING, Any, TypedDict

import numpy as np
from gymnasium.spaces import Box, MultiDiscrete
from numpy.typing import ArrayLike, NDArray

from recsim.catalog import Catalog, load_catalog
from recsim.objectives import Objectives
from recsim.observation import RECENT, Layout
from recsim.simulator import Simulator
from recsim.slates import as_array
from recsim.users import make_users
from recsim.users.contract import UserModel
from recsim.view import check_view

Observation = NDArray[np.float32]
Items = NDArray[np.int64]
Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

SLACK = 1e-4  # float32 sums of shares may pass their exact bound by this much
ANY = float(np.finfo(np.float32).max)


class World(TypedDict, total=False):
    """Keyword arguments of every environment.

    Attributes:
        catalog: a bundled name, a folder written by `Catalog.save`, or a `Catalog`. Default "openclipart".
        view: another catalogue of the same items, which agents see while users meet those of `catalog`. Default none.
        users: a built-in name, an import string "package.module:Class", or a user model. Default "marketplace".
        user_options: keyword arguments of the user model, where it is named. Default none.
        slate_size: k. Default 10.
        horizon: most slates in a session. Default 30.
        sessions: most sessions of a user; above 1, users come back if their model says so. Default 1.
        recent: how many of the last clicked and bought items' numbers end every observation. Default 0.
        objectives: weights of the reward by objective, or `Objectives`; weights left out keep their defaults.
        seed: decides the items' hidden side, and the users until `reset(seed=...)` says otherwise. Default 0.
    """

    catalog: str | PathLike[str] | Catalog
    view: str | PathLike[str] | Catalog | None
    users: str | UserModel[Any]
    user_options: Mapping[str, Any] | None
    slate_size: int
    horizon: int
    sessions: int
    recent: int
    objectives: Mapping[str, float] | Objectives | None
    seed: int


def build_simulator(
    *,
    catalog: str | PathLike[str] | Catalog = "openclipart",
    view: str | PathLike[str] | Catalog | None = None,
    users: str | UserModel[Any] = "marketplace",
    user_options: Mapping[str, Any] | None = None,
    slate_size: int = 10,
    horizon: int = 30,
    sessions: int = 1,
    recent: int = 0,
    objectives: Mapping[str, float] | Objectives | None = None,
    seed: int = 0,
) -> Simulator:
    """The simulator that the keyword arguments of an environment describe (see `World`).

    Raises:
        ValueError: if an objective or an option is unknown, a size does not fit the catalogue, or the view is of other
            items.
    """
    items = catalog if isinstance(catalog, Catalog) else load_catalog(catalog)
    seen = items if view is None else view if isinstance(view, Catalog) else load_catalog(view)
    check_view(items, seen)
    model = make_users(users, items, user_options, seed=seed)
    return Simulator(
        seen,
        model,
        slate_size=slate_size,
        horizon=horizon,
        sessions=sessions,
        recent=recent,
        objectives=_weighted(objectives),
        seed=seed,
    )


def action_space(simulator: Simulator) -> MultiDiscrete:
    """Slates: k item numbers. Repeats are allowed in the space and shown once (see `Simulator.step`)."""
    return MultiDiscrete(np.full(simulator.slate_size, len(simulator.catalog), np.int64))


if TYPE_CHECKING:
    _Rows = Box[np.float32]
else:
    _Rows = Box  # generic for type checkers only


class ObservationSpace(_Rows):
    """A Box that knows what its columns mean, so that policies can be built from an environment alone.

    A copy or a pickle of it is a plain Box: it would carry the whole catalogue otherwise.

    Attributes:
        catalog: the items.
        layout: where each feature stands in a row.
    """

    def __init__(self, low: Observation, high: Observation, catalog: Catalog, layout: Layout) -> None:
        """Rows between `low` and `high`, (d,) each."""
        super().__init__(low, high, dtype=np.float32)
        self.catalog, self.layout = catalog, layout

    def __reduce__(self) -> tuple[type[Box], tuple[Any, ...]]:
        """As a plain Box."""
        return Box, (self.low, self.high, self.shape, np.float32)


def observation_space(simulator: Simulator) -> Box[np.float32]:
    """Observation rows (d,) float32 within the bounds of each feature of the layout; a profile may hold any number."""
    layout, price = simulator.layout, simulator.catalog.price_level
    low, high = np.zeros((2, layout.size), np.float32)
    bounds = dict.fromkeys(layout.columns, (0.0, 1.0))
    bounds |= {"liked": (-1.0, 1.0), "passed": (-1.0, 1.0), "profile": (-ANY, ANY)}
    most_clicks = simulator.sessions * simulator.horizon * simulator.slate_size
    bounds["clicks_so_far"] = (0.0, float(np.log1p(most_clicks)))
    bounds["last_conversions"] = (0.0, float(simulator.horizon))  # late ones may come together
    if "day" in layout.columns:
        bounds["day"] = (0.0, ANY)
    bounds["liked_price"] = (min(float(price.min()), 0.0), max(float(price.max()), 0.0))
    exact = {"profile", *RECENT}
    bounds |= {name: (-1.0, len(simulator.catalog) - 1.0) for name in RECENT if name in layout.columns}
    for name, (least, most) in bounds.items():
        slack = 0.0 if name in exact else SLACK
        low[layout[name]], high[layout[name]] = least - slack, most + slack
    return ObservationSpace(low, high, simulator.catalog, layout)


def begin(simulator: Simulator, n: int, seed: int | None, options: Mapping[str, Any] | None) -> Observation:
    """New sessions in all n rows, or those of a snapshot, as `reset` describes: (n, d) observations."""
    user, snapshot = _first_user(options), (options or {}).get("snapshot")
    if snapshot is not None:
        rows = len(snapshot["ended"])
        if rows != n:
            raise ValueError(f"the snapshot has {rows} rows and the environment {n}; make it with as many.")
        return simulator.restore(snapshot)
    if seed is None and user is None and simulator.n:
        return simulator.renew(np.ones(n, bool))
    if seed is not None:
        simulator.seed = seed
    return simulator.reset(np.arange(n) + (user or 0))


def checked_slate(action: ArrayLike, shape: tuple[int, ...]) -> NDArray[Any]:
    """The action as an array of `shape`; the simulator checks the rest.

    Raises:
        ValueError: naming both shapes.
    """
    slate = as_array(action)
    if slate.shape != shape:
        raise ValueError(f"the action has shape {slate.shape}; {shape} is needed: an item number for every position.")
    return slate


def _weighted(objectives: Mapping[str, float] | Objectives | None) -> Objectives:
    if objectives is None or isinstance(objectives, Objectives):
        return objectives or Objectives()
    unknown = sorted(set(objectives) - set(Objectives().names))
    if unknown:
        raise ValueError(f"there is no objective {unknown[0]!r}; the objectives are {', '.join(Objectives().names)}.")
    return Objectives(**objectives)


def _first_user(options: Mapping[str, Any] | None) -> int | None:
    for name in options or {}:
        if name not in ("user", "snapshot"):
            raise ValueError(
                f"reset has no option {name!r}; there are 'user', the number of the first user, and 'snapshot'."
            )
    user = (options or {}).get("user")
    if user is not None and (isinstance(user, bool) or not isinstance(user, int | np.integer) or user < 0):
        raise ValueError(f"option 'user' of reset is {user!r}; it is a whole number from 0 up.")
    return None if user is None else int(user)
