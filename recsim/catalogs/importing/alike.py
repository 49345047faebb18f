"""Pictures that look alike: perceptual hashes within a small Hamming distance, found without comparing all pairs."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

BITS, DISTANCE = 64, 3
BANDS = DISTANCE + 1
_WIDTH = BITS // BANDS
_ROWS = 1024  # hashes that are compared with others of their band at once

Hashes = npt.NDArray[np.uint64]
Places = npt.NDArray[np.int64]


def earliest_alike(hashes: Hashes) -> Places:
    """For each hash the place of the first one `DISTANCE` bits away at most, or -1 where none stands before it.

    Two hashes that differ in at most 3 bits agree in one of 4 bands of 16 bits, as 3 bits cannot lie in all 4 (the
    pigeonhole principle; Manku, Jain and Sarma, 2007, https://doi.org/10.1145/1242572.1242592). So only hashes that
    share a band are compared, and equal ones only once.

    Args:
        hashes: (m,) uint64.
    """
    unique, first, which = np.unique(hashes, return_index=True, return_inverse=True)
    earliest = first.astype(np.int64)  # of each distinct hash, the first place of any hash near it
    for one, others in _candidates(unique):
        near = np.bitwise_count(unique[one][:, None] ^ unique[others][None, :]) <= DISTANCE
        found = np.where(near, first[others][None, :], len(hashes)).min(axis=1, initial=len(hashes))
        earliest[one] = np.minimum(earliest[one], found)
    places = earliest[which]
    return np.where(places < np.arange(len(hashes)), places, -1)


def _candidates(unique: Hashes) -> Iterator[tuple[Places, Places]]:
    """Pairs of sets of distinct hashes that share a band; the first ones of each set are few enough for a table."""
    for band in range(BANDS):
        values = (unique >> np.uint64(band * _WIDTH)) & np.uint64(2**_WIDTH - 1)
        order = np.argsort(values, kind="stable")
        starts = np.flatnonzero(np.diff(values[order], prepend=np.uint64(2**_WIDTH)))
        for group in np.split(order, starts[1:]):
            if len(group) > 1:
                for start in range(0, len(group), _ROWS):
                    yield group[start : start + _ROWS], group
