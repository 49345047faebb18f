"""One way of perceiving items: an embedding of each, and who has one."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from recsim.encoding import Encoding

MODALITY_NAME = re.compile(r"[a-z][a-z0-9_]*")


@dataclass(frozen=True, eq=False)
class Modality:
    """One way of perceiving items: an embedding per item and who has one.

    The mask is the truth: whatever stands in the rows of absent items is replaced by zeros.

    Attributes:
        name: lower-case identifier, such as ``text``, ``image`` or ``behaviour``.
        embedding: (m, d) float32, finite; the rows of absent items are 0, those of present items are not.
        present: (m,) bool, whether the item has this modality.
        encoding: how the rows were made from raw items, where that is known.
    """

    name: str
    embedding: npt.NDArray[np.float32]
    present: npt.NDArray[np.bool_]
    encoding: Encoding | None = None

    def __post_init__(self) -> None:
        _check_name(self.name)
        embedding = np.asarray(self.embedding)
        present = np.asarray(self.present)
        self._check_shapes(embedding, present)
        stored = np.zeros(embedding.shape, np.float32)
        np.copyto(stored, embedding, casting="same_kind", where=present[:, None])
        self._check_rows(stored, present)
        self._hold(stored, present.copy())

    @classmethod
    def trusted(
        cls,
        name: str,
        embedding: npt.NDArray[np.float32],
        present: npt.NDArray[np.bool_],
        encoding: Encoding | None = None,
    ) -> Modality:
        """A modality of arrays that were checked before; they are not copied, so a mapped file stays one."""
        _check_name(name)
        modality = object.__new__(cls)
        object.__setattr__(modality, "name", name)
        object.__setattr__(modality, "encoding", encoding)
        modality._hold(embedding, present)
        return modality

    def _hold(self, embedding: npt.NDArray[np.float32], present: npt.NDArray[np.bool_]) -> None:
        for name, array in (("embedding", embedding), ("present", present)):
            array.setflags(write=False)
            object.__setattr__(self, name, array)

    def __len__(self) -> int:
        return len(self.present)

    @property
    def dim(self) -> int:
        """Number of columns d of the embedding."""
        return int(self.embedding.shape[1])

    def _check_shapes(self, embedding: npt.NDArray[np.generic], present: npt.NDArray[np.generic]) -> None:
        if embedding.ndim != 2 or embedding.shape[1] == 0 or embedding.dtype.kind not in "fiu":
            raise ValueError(
                f"embedding of modality {self.name!r} has shape {embedding.shape} and type {embedding.dtype}: "
                "pass numbers of shape (items, dimensions)."
            )
        if present.dtype != np.bool_:
            raise TypeError(
                f"present mask of modality {self.name!r} has type {present.dtype}, not bool: "
                "pass a comparison, such as present=counts > 0."
            )
        if present.shape != embedding.shape[:1]:
            raise ValueError(
                f"present mask of modality {self.name!r} has shape {present.shape}, but its embedding has "
                f"{embedding.shape[0]} rows: pass one value for each item."
            )

    def _check_rows(self, stored: npt.NDArray[np.float32], present: npt.NDArray[np.bool_]) -> None:
        broken = np.flatnonzero(~np.isfinite(stored).all(axis=1))
        if len(broken):
            raise ValueError(
                f"embedding of modality {self.name!r} holds NaN or infinity in row {broken[0]} "
                f"({len(broken)} such rows): repair the row or mark the item absent in the mask."
            )
        empty = np.flatnonzero(present & ~stored.any(axis=1))
        if len(empty):
            raise ValueError(
                f"embedding of modality {self.name!r} is all zeros in row {empty[0]}, which the mask calls present "
                f"({len(empty)} such rows): mark these items absent, or check that the mask is not inverted."
            )


def _check_name(name: object) -> None:
    if not isinstance(name, str) or not MODALITY_NAME.fullmatch(name):
        raise ValueError(
            f"modality name {name!r} is not a lower-case identifier: use letters a-z, digits and underscores, "
            "starting with a letter, such as 'text'."
        )
