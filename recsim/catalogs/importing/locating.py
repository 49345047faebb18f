"""Where the images of a source lie. A name that leads out of the folder is refused before anything is opened."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath

from recsim.catalogs.importing.findings import quoted
from recsim.paths import absent

SUFFIXES = frozenset(
    ".jpg .jpeg .jpe .png .webp .gif .bmp .tif .tiff .avif .heic .heif .svg .psd .ico .jfif".split()  # noqa: SIM905
)
_WEB = re.compile(r"(?:https?|ftp|s3|gs|data):", flags=re.IGNORECASE)


@dataclass(frozen=True)
class Located:
    """Where the image of an item lies.

    Attributes:
        file: its name in the folder, with ``/`` between folders; empty where there is none to open.
        what: the kind of finding, or nothing where the name is in order.
        found: what is odd about the name.
    """

    file: str
    what: str = ""
    found: str = ""


class ImageFolder:
    """A folder of images, whose files are listed once.

    Attributes:
        path: the folder.
        files: names of all files in it, with ``/`` between folders.
        images: those that are named like images and lie in it.
    """

    def __init__(self, path: Path) -> None:
        """Lists the folder and those in it; links to folders are not followed.

        Raises:
            FileNotFoundError: if there is no such folder, or no image in it.
        """
        if not path.is_dir():
            raise FileNotFoundError(absent("folder", path, "name the one that the column image is relative to"))
        self.path = path
        self._real = os.path.realpath(path)
        self.files = frozenset(_listed(path))
        self.images = frozenset(filter(self._is_image, self.files))
        if not self.images:
            raise FileNotFoundError(
                f"{path} holds no images ({len(self.files):,} files, none named like one): name the folder that the "
                "column image is relative to, or leave --images out."
            )
        self._by_lower: dict[str, list[str]] = {}
        self._by_name: dict[str, list[str]] = {}
        for name in sorted(self.files):
            self._by_lower.setdefault(name.lower(), []).append(name)
            self._by_name.setdefault(PurePosixPath(name).name.lower(), []).append(name)

    def locate(self, name: str) -> Located:
        """The file that a cell means; a name that is not there is looked for in other case and other folders."""
        if _WEB.match(name):
            return Located("", "image on the web", f"image {quoted(name)}")
        if self._leads_out(name):
            return Located("", "image outside the folder", f"image {quoted(name)}")
        plain = str(PurePosixPath(name.replace("\\", "/")))
        if plain in self.files:
            return self._inside(plain, name)
        others = self._by_lower.get(plain.lower()) or self._by_name.get(PurePosixPath(plain).name.lower()) or []
        if len(others) == 1:
            found = self._inside(others[0], name)
            told = f"image {quoted(name)} is {quoted(others[0])} in the folder"
            return found if found.what else Located(found.file, "image under another name", told)
        several = f", and {len(others)} files of that name lie elsewhere" if others else ""
        return Located("", "missing image file", f"image {quoted(name)} is not in the folder{several}")

    def by_stem(self) -> dict[str, str]:
        """The file for every name without suffix that only one image has."""
        stems: dict[str, list[str]] = {}
        for name in sorted(self.images):
            stems.setdefault(PurePosixPath(name).stem, []).append(name)
        return {stem: names[0] for stem, names in stems.items() if len(names) == 1}

    def open_path(self, file: str) -> Path:
        """Where a located file lies."""
        return self.path / file

    def _is_image(self, file: str) -> bool:
        named = PurePosixPath(file).suffix.lower() in SUFFIXES
        return named and not (os.path.islink(self.path / file) and self._inside(file, file).what)

    def _leads_out(self, name: str) -> bool:
        windows = PureWindowsPath(name)  # knows both kinds of slashes, and drives
        return bool(windows.drive or windows.root) or ".." in windows.parts or "\x00" in name

    def _inside(self, file: str, name: str) -> Located:
        """The file, unless a link leads out of the folder."""
        real = os.path.realpath(self.path / file)
        if not real.startswith(os.path.join(self._real, "")):
            return Located("", "image outside the folder", f"image {quoted(name)} is a link out of the folder")
        return Located(file)


def _listed(path: Path) -> list[str]:
    found = []
    for folder, _, names in os.walk(path):
        inner = os.path.relpath(folder, path)
        found += [name if inner == "." else f"{inner}/{name}".replace(os.sep, "/") for name in names]
    return found
