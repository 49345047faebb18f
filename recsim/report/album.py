"""Pictures of items as data URIs, each once however often it is shown."""

from __future__ import annotations

import base64
import io
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from recsim.catalog import Catalog


class Album:
    """Pictures of items by their id, encoded once, until the budget is spent.

    Attributes:
        pictures: names and data URIs.
    """

    def __init__(self, catalog: Catalog | None, side: int, budget: int) -> None:
        """Pictures of at most `side` pixels a side, of `budget` characters all together."""
        self._catalog = catalog
        ids = [] if catalog is None else catalog.table["item_id"].to_list()
        self._row = {item_id: row for row, item_id in enumerate(ids)}
        self._known: dict[str, str] = {}
        self._side, self._left = side, budget
        self._over = self._broken = self._unknown = 0
        self.pictures: dict[str, str] = {}

    def picture(self, item_id: str) -> str:
        """The name of a picture, or "" where there is none."""
        if item_id not in self._known:
            self._known[item_id] = self._name(self._encode(item_id))
        return self._known[item_id]

    def _name(self, picture: str) -> str:
        if not picture:
            return ""
        if len(picture) > self._left:
            self._over += 1
            return ""
        self._left -= len(picture)
        name = f"picture-{len(self.pictures)}"
        self.pictures[name] = picture
        return name

    def note(self) -> str:
        """What kept pictures out of the page."""
        parts = []
        if self._unknown:
            parts.append(f"{self._unknown} items are not in the catalogue {getattr(self._catalog, 'name', '')!r}")
        if self._broken:
            parts.append(f"{self._broken} could not be read")
        if self._over:
            parts.append(f"{self._over} were left out to keep the page small")
        return f"Some pictures are missing: {'; '.join(parts)}." if parts else ""

    def _encode(self, item_id: str) -> str:
        if self._catalog is None:
            return ""
        if item_id not in self._row:
            self._unknown += 1
            return ""
        path = self._catalog.image_path(self._row[item_id])
        if path is None:
            return ""
        from PIL import Image

        try:
            with Image.open(path) as image:
                image.draft("RGB", (2 * self._side, 2 * self._side))  # photographs are decoded near this size
                small = image.convert("RGBA")
                small.thumbnail((self._side, self._side))
                data = io.BytesIO()
                small.save(data, "WEBP", quality=80)
        except (OSError, Image.DecompressionBombError):
            self._broken += 1
            return ""
        return f"data:image/webp;base64,{base64.b64encode(data.getvalue()).decode('ascii')}"
