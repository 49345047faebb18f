"""What is said of a path that is taken, that is not there, or that cannot be used: one wording each."""

from __future__ import annotations

import os
import re
from os import PathLike
from pathlib import Path

_TEMPORARY = re.compile(r"\.(.+?)\.[0-9a-f]{12,16}(\.tmp)?")  # as `recsim.files.temporary_name` makes them of a name


def taken(path: str | PathLike[str], instead: str, *, another: str = "another folder") -> str:
    """The sentence where something is in the way.

    >>> taken("runs/a", "pass --overwrite")
    'runs/a exists already: choose another folder, or pass --overwrite.'
    """
    return f"{os.fspath(path)} exists already: choose {another}, or {instead}."


def absent(what: str, path: str | PathLike[str], remedy: str) -> str:
    """The sentence where something is not there.

    >>> absent("log", "a.parquet", "`recsim collect` writes one")
    'there is no log a.parquet: `recsim collect` writes one.'
    """
    return f"there is no {what} {os.fspath(path)}: {remedy}."


def unusable(error: OSError) -> str:
    """What the system says about a path, as a sentence; an error of ours is one already.

    >>> unusable(PermissionError(13, "Permission denied", "/x/.a.json.0123456789ab.tmp"))
    '/x/a.json cannot be used (permission denied): check the path, and what may be read and written there.'
    """
    if error.strerror is None or not isinstance(error.filename, str):
        return str(error)
    path = Path(error.filename)
    hidden = _TEMPORARY.fullmatch(path.name)
    shown = path.with_name(hidden[1]) if hidden else path
    return f"{shown} cannot be used ({error.strerror.lower()}): check the path, and what may be read and written there."


def check_place(path: Path) -> None:
    """Refuse a place where nothing can be made: better at the start than after hours. Folders that lack can be made.

    Raises:
        NotADirectoryError: if a file is in the way.
        PermissionError: if nothing may be made there.
    """
    folder = next(parent for parent in path.absolute().parents if os.path.lexists(parent))
    if not folder.is_dir():
        raise NotADirectoryError(f"{path} cannot be made, as {folder} is no folder: choose another place.")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise PermissionError(
            f"{path} cannot be made, as nothing may be written in {folder}: choose another place, or change its "
            "permissions."
        )
