"""How the rows of a modality were made from raw items, so that others can be brought into the same space."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

Source = Literal["text", "image"]  # what encoders read
Origin = Source | Literal["description"]  # what of an item they are given


@dataclass(frozen=True, eq=False)
class Encoding:
    """An encoder and the projection after it.

    Attributes:
        source: what of an item is encoded: its column ``text``, its image, or the description that
            `recsim.language.descriptions` wrote into its column ``description_written``.
        encoder: the name by which `recsim.modalities` finds the encoder, such as ``minilm``, or the path of a model.
        fingerprint: the encoder's own, which changes with anything that changes what it makes of an item.
        centre: (d,) float32, what is subtracted from an embedding of length 1.
        components: (r, d) float32, what it is then projected on.
    """

    source: Origin
    encoder: str
    fingerprint: str
    centre: npt.NDArray[np.float32]
    components: npt.NDArray[np.float32]

    def __post_init__(self) -> None:
        if self.components.ndim != 2 or self.centre.shape != self.components.shape[1:]:
            raise ValueError(
                f"the encoding by {self.encoder!r} has a centre of shape {self.centre.shape} and components of shape "
                f"{self.components.shape}: (d,) and (r, d) belong together."
            )

    @property
    def reads(self) -> Source:
        """What the encoder reads: descriptions are texts."""
        return "image" if self.source == "image" else "text"

    def project(self, embedding: npt.NDArray[np.floating[Any]]) -> npt.NDArray[np.float32]:
        """(m, r) float32 rows of length 1 from what the encoder made, (m, d); rows without a direction stay 0."""
        if embedding.ndim != 2 or embedding.shape[1] != len(self.centre):
            raise ValueError(
                f"the encoding by {self.encoder!r} projects rows of {len(self.centre)} columns, and these have shape "
                f"{embedding.shape}: encode them with the same encoder."
            )
        rows = unit_rows(embedding.astype(np.float64))
        given = rows.any(axis=1, keepdims=True)
        return unit_rows(np.where(given, rows - self.centre, 0.0) @ self.components.T).astype(np.float32)


def unit_rows(rows: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """The rows scaled to length 1; those without a direction stay 0."""
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(rows / np.where(norms > 0, norms, 1.0))
