"""Retrieval: the items whose keys have the largest inner product with a query, exactly or through a faiss index.

It is the first stage of a ranker that does not score the whole catalogue, and, with an action as the query, the step
from a proto-action to items (Dulac-Arnold et al. 2015, "Deep Reinforcement Learning in Large Discrete Action Spaces").
"""

from __future__ import annotations

from typing import Any, Protocol

import numba
import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from recsim.jit import dot, row_kernel
from recsim.policy import top_k

Floats = NDArray[np.float32]
Items = NDArray[np.int64]

_BLOCK = 2**22  # scores held at a time by an exact search


class Retrieval(Protocol):
    """Anything that finds items for a query."""

    def top(self, query: Floats, count: int) -> Items:
        """(n, count) int64, distinct items for the queries (n, D), best first."""
        ...


class ExactRetrieval:
    """Compares a query with every item.

    What is found for a row depends neither on the other rows nor on the number of threads: the sums are those of
    `recsim.jit.dot`, and ties go to the lower item number.

    Attributes:
        keys: (m, D) float32, what queries are compared with.
    """

    def __init__(self, keys: Floats) -> None:
        """A search among `keys` (m, D), such as `Catalog.taste`."""
        self.keys = _checked(keys, "keys")

    def top(self, query: Floats, count: int) -> Items:
        """(n, count) int64, the items of largest inner product, best first.

        Raises:
            ValueError: if the queries are no finite rows of D numbers, or `count` is not between 1 and m.
        """
        query = _checked(query, "queries", self.keys.shape[1])
        everything = np.arange(len(self.keys))[None]
        rows = max(1, _BLOCK // len(self.keys))
        found = np.empty((len(query), count), np.int64)
        for start in range(0, len(query), rows):
            block = slice(start, start + rows)
            scores = similarity(query[block], self.keys, np.array([0, self.keys.shape[1]]), everything)[:, 0]
            found[block] = top_k(scores.astype(np.float64), count)
        return found


class FaissRetrieval:
    """Searches a faiss index (Douze et al. 2024, "The Faiss library"), for catalogues too large to compare with.

    Needs the extra ``faiss``. An index built from the same keys is the same; its inner products are summed as faiss
    likes, so that near-ties may change places with the number of queries, even where the index is exact ("Flat").

    Attributes:
        index: the index; its own parameters can be set on it.
    """

    def __init__(self, keys: Floats, index: str = "Flat", search: str = "") -> None:
        """An index of `keys` (m, D).

        Args:
            keys: what queries are compared with, such as `Catalog.taste`.
            index: in the words of `faiss.index_factory`, such as "IVF256,Flat" or "HNSW32,Flat".
            search: parameters in the words of `faiss.ParameterSpace`, such as "nprobe=16" or "efSearch=128".

        Raises:
            ImportError: if faiss is not installed.
        """
        faiss = _faiss()
        keys = _checked(keys, "keys")
        self.index = faiss.index_factory(keys.shape[1], index, faiss.METRIC_INNER_PRODUCT)
        with threadpool_limits(1):  # on several, items enter an HNSW graph in any order (faiss wiki, reproducibility)
            self.index.train(keys)
            self.index.add(keys)
        if search:
            faiss.ParameterSpace().set_index_parameters(self.index, search)

    def top(self, query: Floats, count: int) -> Items:
        """(n, count) int64, the items that the index finds, best first.

        Raises:
            ValueError: if the queries are no finite rows of D numbers, `count` is not between 1 and m, or the index
                finds fewer items.
        """
        query = _checked(query, "queries", self.index.d)
        if not 1 <= count <= self.index.ntotal:
            raise ValueError(
                f"{count} items asked for among {self.index.ntotal}; 1 to {self.index.ntotal} are possible."
            )
        found: Items = self.index.search(query, count)[1]
        missing = found < 0
        if missing.any():
            row = int(np.flatnonzero(missing.any(axis=1))[0])
            raise ValueError(
                f"the index found {int((~missing[row]).sum())} of {count} items for row {row}: search more of it "
                "(a larger nprobe or efSearch), or ask for fewer items."
            )
        return found


def similarity(query: Floats, keys: Floats, offsets: Items, items: Items) -> Floats:
    """Inner products of queries and keys, part by part.

    Args:
        query: (n, D) float32.
        keys: (m, D) float32.
        offsets: (M + 1,) int64, the columns at which the parts start; the last one is D.
        items: (n, c) int64, which items each row is compared with, or (1, c) for the same ones in every row.

    Returns:
        (n, M, c) float32; a row does not depend on the others.
    """
    out = np.empty((len(query), len(offsets) - 1, items.shape[1]), np.float32)
    _similarity(np.ascontiguousarray(query), keys, offsets, items, out)
    return out


def _faiss() -> Any:
    try:
        import faiss
    except ImportError as error:
        raise ImportError("faiss is missing: pip install 'recsim-slate[faiss]', or use ExactRetrieval.") from error
    return faiss


def _checked(rows: Floats, name: str, width: int | None = None) -> Floats:
    given = np.asarray(rows)
    if given.ndim != 2 or given.dtype != np.float32 or width not in (None, given.shape[1]):
        raise ValueError(
            f"{name} are an array {given.shape} {given.dtype}; rows of {width or 'D'} float32 numbers are needed."
        )
    finite = np.isfinite(given)
    if not finite.all():
        row, column = np.argwhere(~finite)[0]
        raise ValueError(f"row {row}, column {column} of the {name} is {given[row, column]}; they are finite numbers.")
    return np.ascontiguousarray(given)


@row_kernel
def _similarity(query: Floats, keys: Floats, offsets: Items, items: Items, out: Floats) -> None:
    n, parts, count = out.shape
    for row in numba.prange(n):
        listed = items[row % len(items)]
        for place in range(count):
            for part in range(parts):
                out[row, part, place] = dot(query[row], keys[listed[place]], offsets[part], offsets[part + 1])
