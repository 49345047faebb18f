"""What an import is told: where the source is, how to read it, and how to encode its items."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path

from recsim.catalogs.importing.columns import ColumnOptions
from recsim.catalogs.importing.mapping import ColumnMapping
from recsim.catalogs.importing.pixels import Limits

LARGEST = 89_478_485  # PIL.Image.MAX_IMAGE_PIXELS, above which Pillow warns
NO_IMAGES = "none"
THREADS = 4


@dataclass(frozen=True)
class ImportOptions:
    """Everything but the files.

    Attributes:
        name: of the catalogue; by default that of its folder.
        mapping: which column is which; what is not named is guessed.
        columns: how prices and categories are read.
        limits: of images.
        encoding: of text files.
        separator: of CSV files; by default the likely one.
        text_encoder: as in `recsim.modalities.names.text_encoder`.
        image_encoder: as in `recsim.modalities.names.image_encoder`, or ``none`` to keep images without encoding them.
        dim: columns of each modality, at most.
        device: on which encoders compute.
        imported: the day of the import; by default the one on which the source was last changed (UTC), so that the
            same files give the same catalogue on any day.
        threads: that check images; results do not depend on it.
    """

    name: str = ""
    mapping: ColumnMapping = field(default_factory=ColumnMapping)
    columns: ColumnOptions = field(default_factory=ColumnOptions)
    limits: Limits = field(default_factory=Limits)
    encoding: str = "utf-8"
    separator: str | None = None
    text_encoder: str = "auto"
    image_encoder: str = "auto"
    dim: int = 64
    device: str = "cpu"
    imported: date | None = None
    threads: int = min(THREADS, os.cpu_count() or 1)

    def __post_init__(self) -> None:
        if self.dim < 1:
            raise ValueError(f"--dim is {self.dim}: ask for at least 1 column.")
        if self.limits.image_size < 1:
            raise ValueError(f"--image-size is {self.limits.image_size}: ask for at least 1 pixel.")
        if not 1 <= self.limits.max_pixels <= LARGEST:
            raise ValueError(
                f"--max-pixels is {self.limits.max_pixels:,}: ask for 1 to {LARGEST:,}, beyond which Pillow takes an "
                "image for a decompression bomb."
            )

    def day(self, source: Path) -> date:
        """The day of the import."""
        return self.imported or datetime.fromtimestamp(source.stat().st_mtime, UTC).date()
