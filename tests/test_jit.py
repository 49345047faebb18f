"""Kernels: the inner product, threads, and that the serial and the parallel twin do not share a cache."""

import hashlib
import importlib
import os
import pkgutil
import subprocess
import sys
from pathlib import Path

import numba
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recsim import jit
from recsim.jit import allocating_row_kernel, dot, row_kernel, set_threads


@numba.njit  # type: ignore[misc]
def inner(left: np.ndarray, right: np.ndarray, start: int, stop: int) -> float:
    return dot(left, right, start, stop)


def in_lanes(left: np.ndarray, right: np.ndarray, lanes: int = 32) -> np.float32:
    """The same sum in the same order: 32 running sums, folded in halves, then the rest one by one."""
    product = left * right
    whole = len(product) // lanes * lanes
    sums, rest = np.zeros(lanes, np.float32), np.float32(0)
    for block in product[:whole].reshape(-1, lanes):
        sums += block
    for value in product[whole:]:
        rest += value
    while len(sums) > 1:
        sums = sums[: len(sums) // 2] + sums[len(sums) // 2 :]
    return sums[0] + rest


@given(size=st.integers(0, 140), start=st.integers(0, 9), spare=st.integers(0, 9), seed=st.integers(0, 2**32))
@settings(max_examples=100, deadline=None)
def test_dot_keeps_its_order_of_summation(size: int, start: int, spare: int, seed: int) -> None:
    draw = np.random.Generator(np.random.Philox(seed))
    left, right = draw.standard_normal((2, start + size + spare)).astype(np.float32)
    stop = start + size
    assert inner(left, right, start, stop) == in_lanes(left[start:stop], right[start:stop])


def test_dot_by_hand() -> None:
    left, right = np.arange(20, dtype=np.float64), np.ones(20)
    assert inner(left, right, 0, 20) == 190.0
    assert inner(left, right, 3, 3) == 0.0
    assert inner(left, right, 18, 20) == 37.0


def test_dot_needs_two_vectors_of_one_type() -> None:
    with pytest.raises(numba.TypingError, match="an inner product needs two contiguous vectors of one type"):
        inner(np.ones(8, np.float32), np.ones(8), 0, 8)


@pytest.mark.parametrize("count", [0, -1, 10_000])
def test_threads_out_of_range(count: int) -> None:
    with pytest.raises(ValueError, match=rf"{count} threads asked for, but numba can use 1 to \d+ here"):
        set_threads(count)
    assert jit._threads == 1


def test_kernels_are_cached_by_what_they_inline() -> None:
    folder = Path(jit.__file__).parent
    sources = [path.read_bytes() for path in sorted(folder.rglob("*.py"))]
    inlined = b"".join(source for source in sources if b"@inline_kernel" in source)
    version = hashlib.blake2b(inlined, digest_size=4).hexdigest()
    assert dot.py_func.__qualname__ == f"dot_{version}"  # type: ignore[attr-defined]
    homes = set()
    for info in pkgutil.walk_packages([str(folder)], "recsim."):
        source = folder.parent.joinpath(*info.name.split(".")).with_suffix(".py")
        if source.exists() and "recsim.jit" in source.read_text():
            for value in vars(importlib.import_module(info.name)).values():
                if hasattr(value, "targetoptions") and value.targetoptions.get("forceinline"):
                    homes.add(value.py_func.__module__)
    assert len(homes) > 5
    for home in homes:
        assert "@inline_kernel" in folder.parent.joinpath(*home.split(".")).with_suffix(".py").read_text()


def fill(out: np.ndarray) -> None:
    for row in numba.prange(len(out)):
        made = np.zeros(3)
        made[1] = row
        out[row] = made.sum()


def fill_without_leave(out: np.ndarray) -> None:  # under its own name: numba's disk cache knows `fill` as compiled
    for row in numba.prange(len(out)):
        made = np.zeros(3)
        made[1] = row
        out[row] = made.sum()


def test_only_an_allocating_kernel_makes_arrays() -> None:
    out = np.full(5, -1.0)
    with pytest.raises(numba.TypingError, match=r"built-in function zeros"):
        row_kernel(fill_without_leave)(out)
    assert (out == -1).all()
    allocating_row_kernel(fill)(out)
    assert out.tolist() == [0, 1, 2, 3, 4]


TWINS = """
import numpy as np
from numba import prange

from recsim.jit import row_kernel


@row_kernel
def double(values, out):
    \"\"\"Twice the values.\"\"\"
    for row in prange(len(values)):
        out[row] = 2 * values[row]
"""

USE = """
import sys

import numpy as np

from recsim import jit
from twins import double

jit.set_threads(int(sys.argv[1]))
values, out = np.arange(1000.0), np.zeros(1000)
double(values, out)
assert (out == 2 * values).all() and double.__doc__ == "Twice the values."
cells = [cell.cell_contents for cell in jit._TWINS[double].__closure__]
twins = sorted((d.py_func.__name__, d) for d in cells if hasattr(d, "signatures"))
for name, dispatcher in twins:
    hits, misses = (sum(count.values()) for count in (dispatcher.stats.cache_hits, dispatcher.stats.cache_misses))
    print(name, dispatcher.targetoptions.get("parallel", False), hits, misses)
"""


def run(folder: Path, script: str, *arguments: str) -> list[str]:
    """The lines that a script prints which may use two threads, a cache in `folder` and the twins."""
    (folder / "twins.py").write_text(TWINS)
    environment = {
        **os.environ,
        "NUMBA_CACHE_DIR": str(folder / "cache"),
        "NUMBA_NUM_THREADS": "2",
        "PYTHONPATH": os.pathsep.join([str(folder), *sys.path]),
    }
    command = [sys.executable, "-c", script, *arguments]
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=environment, cwd=folder)
    return done.stdout.splitlines()


@pytest.mark.slow
def test_the_twins_do_not_share_a_cache(tmp_path: Path) -> None:
    def use(threads: int) -> list[str]:
        return run(tmp_path, USE, str(threads))

    assert use(2) == ["double False 0 0", "double_parallel True 0 1"]  # compiles the parallel twin
    assert use(1) == ["double False 0 1", "double_parallel True 0 0"]  # does not take it for the serial one
    assert use(2) == ["double False 0 0", "double_parallel True 1 0"]
    assert use(1) == ["double False 1 0", "double_parallel True 0 0"]
    files = sorted(file.name for file in (tmp_path / "cache").rglob("*.nbi"))
    assert len(files) == 2
    assert files[0] != files[1]


SAME_TYPES = """
import numpy as np

from recsim import jit
from twins import double

fast = jit.same_types(double)
for threads in (1, 2):
    jit.set_threads(threads)
    for n in (1000, 5, 400):
        values = np.random.Generator(np.random.Philox(n)).random(n)
        out, again = np.zeros((2, n))
        double(values, out)
        fast(values, again)
        assert (again == out).all() and (again == 2 * values).all()
    (entries,) = (cell.cell_contents for cell in fast.__closure__ if isinstance(cell.cell_contents, dict))
    print(*(twin.py_func.__name__ for twin in entries))
"""


@pytest.mark.slow
def test_same_types_does_what_the_kernel_does(tmp_path: Path) -> None:
    """On one thread and on two, for few rows and for many."""
    assert run(tmp_path, SAME_TYPES) == ["double", "double double_parallel"]
