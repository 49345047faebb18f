"""The folder of a run: its config, its manifest and what its stages made. Whatever bears its final name is whole."""

from __future__ import annotations

import os
import platform
import shutil
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from glob import escape
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import recsim
from recsim.catalog import Catalog
from recsim.experiments.config import RunConfig
from recsim.experiments.config_file import config_text, first_difference, read_config
from recsim.experiments.errors import UserError
from recsim.files import read_json, temporary_name, write_json, write_text
from recsim.paths import taken

SCHEMA_VERSION = 1
CONFIG, MANIFEST, TIMINGS, LOCK = "config.yaml", "manifest.json", "timings.json", ".lock"
PACKAGES = ("numpy", "numba", "scipy", "scikit-learn", "pandas", "pyarrow", "gymnasium", "stable-baselines3", "torch")


class RunFolder:
    """A run on disk.

    Attributes:
        path: where it is.
        config: the config of the run.
    """

    def __init__(self, path: Path) -> None:
        """An existing run folder.

        Raises:
            UserError: if there is none, or this version cannot read it.
        """
        self.path = path
        if not (path / MANIFEST).is_file():
            raise UserError(f"{path} is not a run folder: it has no {MANIFEST}. `recsim run` makes one.")
        self._manifest = _read_manifest(path)
        self.config = read_config(path / CONFIG)

    @classmethod
    def start(cls, path: Path, config: RunConfig, *, resume: bool = False, overwrite: bool = False) -> RunFolder:
        """The folder for a run: a new one, with `resume` the one that is there, with `overwrite` one in its place.

        Raises:
            UserError: if the folder exists and neither was asked for, both were, it is no run folder, belongs to
                another config, or cannot be made.
        """
        if resume and overwrite:
            raise UserError("--resume keeps what is there and --overwrite does not; choose one of them.")
        if resume and (path / MANIFEST).is_file():
            return cls._resumed(path, config)
        try:
            if os.path.lexists(path) and not _is_empty_folder(path):
                _refuse_existing(path, resume, overwrite)
                with _locked(path):
                    _replace(path, config)
            else:
                _replace(path, config)
        except OSError as error:
            raise UserError(
                f"{path} cannot be made ({error.strerror}); choose a folder that can be written."
            ) from error
        return cls(path)

    @classmethod
    def _resumed(cls, path: Path, config: RunConfig) -> RunFolder:
        folder = cls(path)
        different = first_difference(folder.config, config)
        if different:
            key, old, new = different
            raise UserError(
                f"{path} was started with {key} {old!r}, and the config now says {new!r}; "
                "restore the value, or start afresh in another folder (or `recsim run --overwrite`)."
            )
        return folder

    def check_items(self, catalog: Catalog, kind: str = "items") -> None:
        """Refuse to go on with other items than those the run was started with; the first call records them.

        Args:
            catalog: the items.
            kind: under which they are recorded: the items that agents see, or those behind them.

        Raises:
            UserError: if the catalogue has changed since.
        """
        known = self._manifest.get(kind)
        if known is None:
            self._manifest = {**self._manifest, kind: catalog.fingerprint}
            write_json(self.path / MANIFEST, self._manifest)
        elif known != catalog.fingerprint:
            raise UserError(
                f"{self.path} was started with other items than catalogue {catalog.name!r} has now; restore them, or "
                "start afresh in another folder."
            )

    @property
    def finished(self) -> list[str]:
        """Names of the finished stages, in the order in which they finished."""
        return list(self._manifest["stages"])

    @property
    def versions(self) -> dict[str, str]:
        """Versions with which the run was started."""
        return dict(self._manifest["versions"])

    def has(self, stage: str, outputs: Sequence[str]) -> bool:
        """Whether a stage is finished and all that it made is still there."""
        return stage in self.finished and all((self.path / output).exists() for output in outputs)

    @contextmanager
    def scratch(self) -> Iterator[Path]:
        """A hidden folder for a stage to work in; what it does not `commit` is gone afterwards."""
        folder = temporary_name(self.path / "stage")
        folder.mkdir()
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    @contextmanager
    def timed(self, stage: str) -> Iterator[None]:
        """Adds the seconds spent inside to those that the stage has taken, so that interrupted attempts count, too."""
        started = time.perf_counter()
        try:
            yield
        finally:
            timings = read_json(self.path / TIMINGS) if (self.path / TIMINGS).is_file() else {}
            seconds = timings.get(stage, 0.0) + time.perf_counter() - started
            write_json(self.path / TIMINGS, timings | {stage: round(seconds, 3)})

    def commit(self, stage: str, outputs: Sequence[str], scratch: Path) -> None:
        """Give what a stage made in `scratch` its final names, then record the stage as finished.

        A process killed in between leaves whole files and an unfinished stage, which makes them again.
        """
        for output in outputs:
            if not (scratch / output).exists():
                raise RuntimeError(f"stage {stage!r} did not make {output}.")
            _move(scratch / output, self.path / output)
        stages = [name for name in self.finished if name != stage]
        self._manifest = {**self._manifest, "stages": [*stages, stage]}
        write_json(self.path / MANIFEST, self._manifest)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other processes from working on the same folder; the lock ends with the process, however it ends.

        Raises:
            UserError: if another process holds it.
        """
        with _locked(self.path):
            for leftover in self.path.rglob(".*.tmp"):
                _remove(leftover)
            self._manifest = _read_manifest(self.path)
            yield


def all_versions() -> dict[str, str]:
    """Versions of recsim and of what results may depend on, as documents of measurements name them."""
    return {"recsim": recsim.__version__, **current_versions()}


def current_versions() -> dict[str, str]:
    """Versions of Python and of the packages that results may depend on."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold the lock of a run folder, whatever version of recsim made it."""
    with (path / LOCK).open("a") as file:
        if sys.platform != "win32":
            import fcntl

            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise UserError(
                    f"another process is working on {path}; wait for it, or choose another folder."
                ) from error
        yield


def _read_manifest(path: Path) -> dict[str, Any]:
    try:
        manifest: dict[str, Any] = read_json(path / MANIFEST)
        schema = manifest["schema"]
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(f"{path / MANIFEST} is damaged; start the run afresh in another folder.") from error
    if schema != SCHEMA_VERSION:
        raise UserError(f"{path} has run schema {schema}, this recsim reads {SCHEMA_VERSION}; start the run afresh.")
    return manifest


def _replace(path: Path, config: RunConfig) -> None:
    """Put a fresh run folder at `path`; an old one is moved aside first and removed last."""
    path.parent.mkdir(parents=True, exist_ok=True)
    for leftover in path.parent.glob(f".{escape(path.name)}.*.tmp"):
        _remove(leftover)
    fresh, old = temporary_name(path), temporary_name(path)
    fresh.mkdir()
    write_text(fresh / CONFIG, config_text(config))
    manifest = {
        "schema": SCHEMA_VERSION,
        "recsim": recsim.__version__,
        "name": config.name,
        "seed": config.seed,
        "versions": current_versions(),
        "stages": [],
    }
    write_json(fresh / MANIFEST, manifest)
    if os.path.lexists(path):
        os.rename(path, old)
    os.rename(fresh, path)
    _remove(old)


def _refuse_existing(path: Path, resume: bool, overwrite: bool) -> None:
    if not (path / MANIFEST).is_file():
        what = "is not a run folder" if path.is_dir() else "is not a folder"
        done = "resumed" if resume else "replaced" if overwrite else "used"
        raise UserError(f"{path} exists and {what}, so it is not {done}; choose another folder.")
    if not overwrite:
        raise UserError(taken(path, "go on with --resume, or start afresh with --overwrite"))


def _is_empty_folder(path: Path) -> bool:
    return path.is_dir() and not any(path.iterdir())


def _move(source: Path, target: Path) -> None:
    """Rename a file or a folder; a folder that is in the way is moved aside first and removed last."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if not target.is_dir():
        os.replace(source, target)
        return
    old = temporary_name(target)
    os.rename(target, old)
    os.rename(source, target)
    _remove(old)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
