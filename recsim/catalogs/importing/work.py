"""What an import has done so far, in a folder beside its target, so that a killed one goes on where it stopped."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TextIO

from recsim.catalogs.importing.pixels import Checked
from recsim.files import read_json, write_json

MANIFEST, LOG, PICTURES = "manifest.json", "images.jsonl", "images"
VERSION = 1  # of what is kept; another one begins anew


class Work:
    """A folder ``.NAME.import`` with a manifest of the inputs, a line for each image that was checked, and pictures."""

    def __init__(self, out: Path, inputs: Mapping[str, Any]) -> None:
        """Goes on with the folder of an earlier import from the same inputs; one from others is emptied.

        Args:
            out: the catalogue that is being made.
            inputs: what the checks of all images depend on, as JSON; of each image, size and time of change are kept.
        """
        self.path = out.with_name(f".{out.name}.import")
        self.pictures = self.path / PICTURES
        self.started_anew = False
        told = {"version": VERSION, **inputs}
        if self.path.exists() and _manifest(self.path) != told:
            self.started_anew = True
            shutil.rmtree(self.path)
        self.pictures.mkdir(parents=True, exist_ok=True)
        if not (self.path / MANIFEST).is_file():
            write_json(self.path / MANIFEST, told)
        self._checked = self._read_log()
        self._log: TextIO | None = None

    def __enter__(self) -> Work:
        self._log = (self.path / LOG).open("a", encoding="utf-8")
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Closes the log; where input is refused before anything was checked, nothing is left to go on with."""
        if self._log is not None:
            self._log.close()
        if kind is not None and issubclass(kind, Exception) and not (self.path / LOG).stat().st_size:
            self.remove()

    def checked(self, file: str, path: Path) -> Checked | None:
        """What was found about an image, unless it has changed since or its picture is not there."""
        found = self._checked.get((file, *_state(path)))
        return found if found and (not found.name or (self.pictures / found.name).is_file()) else None

    def keep(self, file: str, path: Path, checked: Checked) -> None:
        """One more line; a line is whole or, at the end of a killed import, not read."""
        if self._log is None:
            raise RuntimeError("results are kept inside `with Work(...)` only")
        line = {"file": file, "state": _state(path), **vars(checked)}
        self._log.write(json.dumps(line, ensure_ascii=True) + "\n")
        self._log.flush()

    def remove(self) -> None:
        """Done: nothing to go on with."""
        shutil.rmtree(self.path)

    def _read_log(self) -> dict[tuple[str, int, int], Checked]:
        """The whole lines; what a killed import left of its last one is cut off."""
        path = self.path / LOG
        found: dict[tuple[str, int, int], Checked] = {}
        if not path.is_file():
            return found
        lines = path.read_bytes().split(b"\n")
        if lines[-1]:
            path.write_bytes(b"".join(line + b"\n" for line in lines[:-1]))
        for line in lines[:-1]:
            one = json.loads(line)
            told = tuple((what, text) for what, text in one["told"])
            key = (one["file"], *one["state"])
            found[key] = Checked(one["name"], one["digest"], one["look"], told)
        return found


def _state(path: Path) -> tuple[int, int]:
    """Size in bytes and nanoseconds of the last change; of a file that cannot be looked at, (-1, -1)."""
    try:
        found = path.stat()
    except OSError:
        return -1, -1
    return found.st_size, found.st_mtime_ns


def _manifest(path: Path) -> Any:
    try:
        return read_json(path / MANIFEST)
    except (OSError, ValueError):
        return None
