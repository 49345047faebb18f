"""Retrieval: what the exact search finds, that rows do not depend on each other, and indexes of faiss."""

import copy
import os
import pickle
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

from recsim import retrieval
from recsim.retrieval import ExactRetrieval, FaissRetrieval, similarity


@pytest.fixture(scope="module")
def keys() -> np.ndarray:
    return np.random.Generator(np.random.Philox(1)).standard_normal((500, 13)).astype(np.float32)


@pytest.fixture(scope="module")
def query() -> np.ndarray:
    return np.random.Generator(np.random.Philox(2)).standard_normal((40, 13)).astype(np.float32)


def slowly(query: np.ndarray, keys: np.ndarray, count: int) -> list[list[int]]:
    """The same by sorting, in Python's own numbers."""
    score = [[sum(float(a) * float(b) for a, b in zip(row, key, strict=True)) for key in keys] for row in query]
    return [sorted(range(len(keys)), key=lambda item: (-row[item], item))[:count] for row in score]


def test_by_hand() -> None:
    keys = np.array([[1, 0], [0, 1], [1, 1], [1, 0]], np.float32)
    query = np.array([[1, 0], [-1, 3], [0, 0]], np.float32)
    assert ExactRetrieval(keys).top(query, 3).tolist() == [[0, 2, 3], [1, 2, 0], [0, 1, 2]]


def test_the_exact_search_finds_what_sorting_finds(query: np.ndarray, keys: np.ndarray) -> None:
    assert ExactRetrieval(keys).top(query[:5], 30).tolist() == slowly(query[:5], keys, 30)


@pytest.mark.parametrize("block", [1, 3 * 500, 2**22])
def test_a_row_does_not_depend_on_the_others(
    query: np.ndarray, keys: np.ndarray, block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rounded keys tie often, so that another order of summation would show."""
    search = ExactRetrieval(np.round(keys, 1))
    alone = [search.top(row[None], 500)[0].tolist() for row in query]
    monkeypatch.setattr(retrieval, "_BLOCK", block)
    assert search.top(query, 500).tolist() == alone
    assert search.top(query[::-1], 500).tolist() == alone[::-1]
    assert search.top(query[:0], 3).shape == (0, 3)


@pytest.mark.slow
def test_threads_change_nothing() -> None:
    code = (
        "import sys, numpy as np; from recsim.jit import set_threads; from recsim.retrieval import ExactRetrieval;"
        "draw = np.random.Generator(np.random.Philox(3)); set_threads(int(sys.argv[1]));"
        "keys, query = draw.standard_normal((99, 13), np.float32), draw.standard_normal((600, 13), np.float32);"
        "print(ExactRetrieval(keys).top(query, 99).tobytes().hex())"
    )
    environment = {**os.environ, "NUMBA_NUM_THREADS": "2"}
    found = [
        subprocess.run([sys.executable, "-c", code, count], check=True, capture_output=True, text=True, env=environment)
        for count in "12"
    ]
    assert found[0].stdout == found[1].stdout != ""


def test_similarity_by_parts(query: np.ndarray, keys: np.ndarray) -> None:
    offsets = np.array([0, 4, 13])
    items = np.random.Generator(np.random.Philox(4)).integers(0, 500, (40, 7))
    products = query[:, None] * keys[items]  # (n, c, D)
    expected = np.stack([products[:, :, :4].sum(2), products[:, :, 4:].sum(2)], axis=1)
    np.testing.assert_allclose(similarity(query, keys, offsets, items), expected, rtol=1e-4, atol=1e-5)
    same = similarity(query, keys, offsets, items[:1])
    assert np.array_equal(same, similarity(query, keys, offsets, np.tile(items[:1], (40, 1))))


BAD = [
    (np.zeros((2, 12), np.float32), r"queries are an array \(2, 12\) float32; rows of 13 float32 numbers are needed"),
    (np.zeros(13, np.float32), r"queries are an array \(13,\) float32"),
    (np.zeros((2, 13)), r"queries are an array \(2, 13\) float64"),
    (np.full((2, 13), np.nan, np.float32), "row 0, column 0 of the queries is nan; they are finite numbers"),
]


@pytest.mark.parametrize("kind", [ExactRetrieval, FaissRetrieval])
@pytest.mark.parametrize(("wrong", "message"), BAD)
def test_wrong_queries(keys: np.ndarray, kind: Any, wrong: np.ndarray, message: str) -> None:
    if kind is FaissRetrieval:
        pytest.importorskip("faiss")
    with pytest.raises(ValueError, match=message):
        kind(keys).top(wrong, 3)


@pytest.mark.parametrize("kind", [ExactRetrieval, FaissRetrieval])
@pytest.mark.parametrize("count", [0, 501])
def test_wrong_counts(query: np.ndarray, keys: np.ndarray, kind: Any, count: int) -> None:
    if kind is FaissRetrieval:
        pytest.importorskip("faiss")
    with pytest.raises(ValueError, match=f"{count} .*asked for among 500.*; 1 to 500 are possible"):
        kind(keys).top(query, count)


def test_wrong_keys() -> None:
    with pytest.raises(ValueError, match=r"keys are an array \(3,\) float64; rows of D float32 numbers are needed"):
        ExactRetrieval(np.zeros(3))  # type: ignore[arg-type]


def test_without_faiss_the_extra_is_named(keys: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "faiss", None)
    with pytest.raises(ImportError, match=r"faiss is missing: pip install 'recsim-slate\[faiss\]', or use Exact"):
        FaissRetrieval(keys)


def test_a_flat_index_finds_what_the_exact_search_finds(query: np.ndarray, keys: np.ndarray) -> None:
    pytest.importorskip("faiss")
    found = FaissRetrieval(keys).top(query, 30)
    assert found.dtype == np.int64
    assert np.array_equal(found, ExactRetrieval(keys).top(query, 30))


@pytest.mark.parametrize(("index", "search"), [("IVF8,Flat", "nprobe=6"), ("HNSW16,Flat", "efSearch=64")])
def test_approximate_indexes_find_most_of_it_and_are_built_alike(
    query: np.ndarray, keys: np.ndarray, index: str, search: str
) -> None:
    pytest.importorskip("faiss")
    keys = np.concatenate([keys, keys + np.float32(0.01)])  # faiss asks for 39 vectors a list
    first, second = (FaissRetrieval(keys, index, search) for _ in range(2))
    found, exact = first.top(query, 20), ExactRetrieval(keys).top(query, 20)
    assert np.mean([len(set(a) & set(b)) for a, b in zip(found, exact, strict=True)]) > 15
    for other in (second, copy.deepcopy(first), pickle.loads(pickle.dumps(first))):
        assert np.array_equal(other.top(query, 20), found)


def test_an_index_that_finds_too_little(query: np.ndarray, keys: np.ndarray) -> None:
    pytest.importorskip("faiss")
    search = FaissRetrieval(keys, "IVF8,Flat", "nprobe=1")
    with pytest.raises(ValueError, match=r"the index found \d+ of 400 items for row 0: search more of it"):
        search.top(query, 400)
