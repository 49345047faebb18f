"""From raw text and images to embeddings: encoders and reduction. Heavy packages are imported when they are used."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol, TypeVar

import numpy as np
import numpy.typing as npt

Item = TypeVar("Item")
RawItem = TypeVar("RawItem", contravariant=True)


class Encoder(Protocol[RawItem]):
    """What turns raw items (texts, image files) into embeddings.

    Equal items get equal embeddings up to rounding, whatever stands beside them in the batch. An item in which the
    encoder finds nothing it knows gets a row of zeros.

    Attributes:
        name: by which `recsim.modalities.names.text_encoder` or `image_encoder` makes it again.
        fingerprint: hexadecimal digits that change with anything that changes embeddings: weights, options, and the
            version of what is done to an item before and after the model. Rounding is no change.
        dim: number of columns d of the embedding.
    """

    name: str
    fingerprint: str
    dim: int

    def encode(self, items: Sequence[RawItem]) -> npt.NDArray[np.float32]:
        """(m, d) float32, one row for each item."""
        ...


def batches(items: Sequence[Item], size: int) -> Iterator[Sequence[Item]]:
    """The items in order, `size` at a time."""
    for start in range(0, len(items), size):
        yield items[start : start + size]
