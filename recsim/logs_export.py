"""Logs for other people's learners: as a Minari dataset, and as the arrays of d3rlpy's `MDPDataset`.

An episode is a session, in the order of the log; its reward is that of the log, late conversions with the slate that
earned them. Two things a log does not say, and what stands for them here:

- **What was seen after the last slate.** Minari wants an observation more than there are slates: the last one is a copy
  of the one before it, and `observed` in the infos is false there. Learners do not use it where the user left (the
  value of what follows is 0 by definition); at the horizon they bootstrap from the copy.
- **Whether the user left with the last slate of the horizon.** A session is `truncated` if it is as long as the
  horizon, else `terminated`: those who leave with the very last slate count as truncated.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from recsim.catalog import Catalog
from recsim.files import temporary_name, write_whole
from recsim.logs import Log
from recsim.paths import taken

if TYPE_CHECKING:
    import minari  # type: ignore[import-untyped]

Actions = Literal["slate", "taste"]
ACTIONS: tuple[Actions, ...] = get_args(Actions)
Array = NDArray[Any]

DATASET = "recsim-log-v0"


def to_d3rlpy(log: Log, catalog: Catalog, *, actions: Actions = "taste") -> dict[str, Array]:
    """The arguments of `d3rlpy.dataset.MDPDataset(**to_d3rlpy(log, catalog))`, a row a slate.

    Args:
        log: whole sessions.
        catalog: the items that it shows.
        actions: `taste`, the mean taste of a slate's items, for continuous-control learners (the environments'
            proto-actions); or `slate`, the item numbers.

    Returns:
        observations (n, d) float32, actions (n, D) float32 or (n, k) int64, rewards (n,) float32, and terminals and
        timeouts (n,) float32: 1 with the last slate of a session, by how it ended.

    Raises:
        ValueError: if a session is not whole, or the catalogue is another one.
    """
    log, starts = _whole_sessions(log)
    _check_catalog(log, catalog)
    last = np.zeros(len(log), bool)
    last[np.append(starts[1:], len(log)) - 1] = True
    late = log.step == log.info.horizon - 1
    return {
        "observations": log.observation,
        "actions": _actions(log, catalog, actions),
        "rewards": log.reward.astype(np.float32),
        "terminals": (last & ~late).astype(np.float32),
        "timeouts": (last & late).astype(np.float32),
    }


def write_d3rlpy(log: Log, catalog: Catalog, path: Path, *, actions: Actions = "taste") -> None:
    """Write the arrays of `to_d3rlpy` as one npz file, whole or not at all; `numpy.load` reads it."""
    arrays = to_d3rlpy(log, catalog, actions=actions)

    def write(temporary: Path) -> None:
        with temporary.open("wb") as file:
            np.savez_compressed(file, **arrays)  # type: ignore[arg-type]

    write_whole(path, write)


def to_minari(
    log: Log,
    catalog: Catalog,
    folder: str | Path,
    *,
    dataset: str = DATASET,
    actions: Actions = "slate",
    data_format: str = "arrow",
) -> minari.MinariDataset:
    """A Minari dataset `dataset` in `folder`, an episode a session, written whole or not at all.

    With the environment variable MINARI_DATASETS_PATH at `folder`, `minari.load_dataset(dataset)` finds it.

    Observations are a Box (d,); actions a MultiDiscrete of k item numbers, or a Box (D,). Infos have a row more than
    there are slates, as Minari keeps them: the first belongs to the beginning of the session, and row t + 1 to slate t.
    They are `step_log_prob` (k), `objectives` (k, o), both NaN in the first row, `click` and `conversion` (k), `user`,
    `session`, and `observed`, whether the observation of that row is from the log.

    Args:
        log: whole sessions.
        catalog: the items that it shows.
        folder: where datasets are kept.
        dataset: Minari's name for it, `name-v0` or `namespace/name-v0`.
        actions: `slate`, the item numbers; or `taste`, the mean taste of the slate's items.
        data_format: Minari's file format: `arrow` or `parquet` (some files an episode), or `hdf5`, which needs h5py.

    Raises:
        ImportError: if Minari is not installed.
        FileExistsError: if the dataset is there already.
        ValueError: if a session is not whole, the catalogue is another one, or slates have empty positions, for which
            item numbers have no place.
    """
    try:
        from minari import MinariDataset
        from minari.dataset.minari_dataset import parse_dataset_id  # type: ignore[import-untyped]
        from minari.dataset.minari_storage import MinariStorage  # type: ignore[import-untyped]
    except ImportError as error:
        raise ImportError("Minari is not installed; `pip install minari`.") from error
    log, starts = _whole_sessions(log)
    _check_catalog(log, catalog)
    parse_dataset_id(dataset)
    target = Path(folder) / dataset
    if target.exists():
        raise FileExistsError(taken(target, "remove it", another="another name"))
    acted = _actions(log, catalog, actions)
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = temporary_name(target)
    try:
        (temporary / "data").mkdir(parents=True)
        storage = MinariStorage.new(temporary / "data", *_spaces(log, catalog, actions), data_format=data_format)
        storage.update_metadata(_about(log, dataset))
        with _measured_once(storage):
            storage.update_episodes(_episodes(log, starts, acted))
        os.replace(temporary, target)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return MinariDataset(target / "data")


def _whole_sessions(log: Log) -> tuple[Log, NDArray[np.int64]]:
    """The log by (user, session, step), and the first row of each session."""
    log = log[np.lexsort((log.step, log.session, log.user))]
    new = np.append(True, (np.diff(log.user) != 0) | (np.diff(log.session) != 0))
    starts = np.flatnonzero(new)
    expected = np.arange(len(log)) - np.repeat(starts, np.diff(np.append(starts, len(log))))
    wrong = np.flatnonzero(log.step != expected)
    if wrong.size:
        row = wrong[0]
        raise ValueError(
            f"session {log.session[row]} of user {log.user[row]} lacks step {expected[row]}; an episode is a whole "
            "session. Select sessions, not rows."
        )
    return log, starts


def _check_catalog(log: Log, catalog: Catalog) -> None:
    if log.info.fingerprint != catalog.fingerprint:
        raise ValueError(
            f"the log shows items of a catalogue {log.info.catalog!r} that is not the {catalog.name!r} given; "
            "pass the catalogue with which it was collected."
        )


def _actions(log: Log, catalog: Catalog, actions: Actions) -> Array:
    """(n, k) int64 or (n, D) float32."""
    shown = log.slate >= 0
    if actions == "taste":
        total = np.einsum("nkd,nk->nd", catalog.taste[log.slate], shown.astype(np.float32))
        mean: Array = (total / np.maximum(shown.sum(axis=1, keepdims=True), 1)).astype(np.float32)
        return mean
    if actions not in ACTIONS:
        raise ValueError(f"actions is {actions!r}; 'slate' or 'taste' is needed.")
    if not shown.all():
        row, position = np.argwhere(~shown)[0]
        raise ValueError(
            f"row {row:,} of the log has an empty position {position}, for which item numbers have no place; "
            "export with actions='taste', or without such slates' sessions."
        )
    return log.slate


def _spaces(log: Log, catalog: Catalog, actions: Actions) -> tuple[Any, Any]:
    from gymnasium.spaces import Box, MultiDiscrete

    seen = Box(-np.inf, np.inf, (log.observation.shape[1],), np.float32)
    if actions == "taste":
        return seen, Box(-np.inf, np.inf, (catalog.taste.shape[1],), np.float32)
    return seen, MultiDiscrete(np.full(log.info.slate_size, len(catalog)))


def _about(log: Log, dataset: str) -> dict[str, Any]:
    import minari

    info = log.info
    return {
        "dataset_id": dataset,
        "minari_version": minari.__version__,
        "algorithm_name": info.policy,
        "description": (
            f"recsim sessions of {info.users} users (seed {info.seed}) with catalogue {info.catalog!r}, served by "
            f"{info.policy!r}: slates of {info.slate_size}, at most {info.horizon}. The last observation of an episode "
            "is a copy of the one before it. Reward: "
            + " + ".join(f"{weight:g} x {name}" for name, weight in zip(info.objectives, info.weights, strict=True))
        ),
    }


@contextmanager
def _measured_once(storage: Any) -> Iterator[None]:
    """Minari's arrow storage sums the sizes of all its files after every episode, in time quadratic in their number."""
    storage.get_size = lambda: 0.0
    try:
        yield
    finally:
        del storage.get_size
    storage.update_metadata({"dataset_size": storage.get_size()})


def _episodes(log: Log, starts: NDArray[np.int64], acted: Array) -> Iterator[Any]:
    from minari.data_collector import EpisodeBuffer  # type: ignore[import-untyped]

    reward = log.reward
    for start, stop in zip(starts, np.append(starts[1:], len(log)), strict=True):
        rows = slice(start, stop)
        last = np.arange(stop - start) == stop - start - 1
        truncated = bool(log.step[stop - 1] == log.info.horizon - 1)
        yield EpisodeBuffer(
            observations=np.concatenate([log.observation[rows], log.observation[stop - 1 : stop]]),
            actions=acted[rows],
            rewards=reward[rows].tolist(),
            terminations=(last & (not truncated)).tolist(),
            truncations=(last & truncated).tolist(),
            infos={
                "step_log_prob": _after_first(log.step_log_prob[rows], np.nan),
                "objectives": _after_first(log.objectives[rows], np.nan),
                "click": _after_first(log.click[rows], 0).astype(np.int8),
                "conversion": _after_first(log.conversion[rows], 0).astype(np.int8),
                "user": np.full((stop - start + 1, 1), log.user[start]),
                "session": np.full((stop - start + 1, 1), log.session[start]),
                "observed": np.append(np.ones(stop - start, np.int8), np.int8(0))[:, None],
            },
        )


def _after_first(values: Array, first: float) -> Array:
    """The rows of `values` after one that is `first` throughout."""
    return np.concatenate([np.full((1, *values.shape[1:]), first, values.dtype), values])
