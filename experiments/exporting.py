"""Logs written for other programs."""

from __future__ import annotations

from pathlib import Path

from recsim.catalog import load_catalog
from recsim.experiments.errors import UserError, input_errors
from recsim.logs import read_log
from recsim.logs_export import ACTIONS, to_minari, write_d3rlpy
from recsim.paths import taken

FORMATS = ("minari", "d3rlpy-npz")


def export_log(log: Path, out: Path, form: str, actions: str | None, name: str, catalog: str | None) -> str:
    """Write a log into the folder `out`; returns what was written, for people.

    Args:
        log: the Parquet file.
        out: the folder.
        form: one of `FORMATS`.
        actions: one of `recsim.logs_export.ACTIONS`; by default slates for Minari and tastes for d3rlpy.
        name: Minari's name of the dataset.
        catalog: name or path of the catalogue; by default the one that the log names.

    Raises:
        UserError: if the log or its catalogue cannot be read, or the log cannot be exported so.
    """
    for option, value, allowed in (("format", form, FORMATS), ("actions", actions, (None, *ACTIONS))):
        if value not in allowed:
            known = " and ".join(str(one) for one in allowed if one)
            raise UserError(f"there is no --{option} {value!r}; there are {known}.")
    with input_errors():
        found = read_log(log)
        items = load_catalog(catalog or found.info.catalog)
        if form == "minari":
            try:
                dataset = to_minari(found, items, out, dataset=name, actions=actions or "slate")  # type: ignore[arg-type]
            except ImportError as error:
                raise UserError(str(error)) from error
            return f"{dataset.total_episodes:,} episodes, {dataset.total_steps:,} slates in {out / name}"
        file = out / f"{log.stem}.npz"
        if file.exists():
            raise UserError(taken(file, "remove it"))
        write_d3rlpy(found, items, file, actions=actions or "taste")  # type: ignore[arg-type]
        return f"{len(found):,} slates in {file}"
