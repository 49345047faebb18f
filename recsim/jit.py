"""The one place that compiles kernels, so that every kernel has the same numba options and stays typed for mypy.

Arithmetic is strict IEEE (no fast-math), so that a row's result depends neither on its batch nor on the width of the
machine's vectors.
"""

from __future__ import annotations

import hashlib
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numba
from llvmlite import ir
from numba import extending
from numba.core import cgutils

Function = TypeVar("Function", bound=Callable[..., Any])
Record = TypeVar("Record")

_PARALLEL_ROWS = 128  # below this many rows, starting threads costs more than they save
_OPTIONS: dict[str, Any] = {"cache": True, "nogil": True, "error_model": "numpy"}
# Numba counts references to arrays, atomically, at every access through a tuple: most of the time of some kernels. One
# that makes no arrays needs no counting.
_UNCOUNTED: dict[str, Any] = {"_nrt": False}
_sources = (path.read_bytes() for path in sorted(Path(__file__).parent.rglob("*.py")))
_inlined = b"".join(source for source in _sources if b"@inline_kernel" in source)
_VERSION = hashlib.blake2b(_inlined, digest_size=4).hexdigest()
_TWINS: dict[Any, Callable[..., Any]] = {}  # of each row kernel, what chooses between one thread and several
_threads = 1


def set_threads(count: int) -> None:
    """Let row kernels use `count` threads; results are bit-equal for any number. The default is one.

    Raises:
        ValueError: if `count` is not between 1 and the number numba was started with.
    """
    global _threads
    config: Any = numba.config
    most = config.NUMBA_NUM_THREADS
    if not 1 <= count <= most:
        raise ValueError(
            f"{count} threads asked for, but numba can use 1 to {most} here. Choose a number in that range."
        )
    _threads = count
    numba.set_num_threads(count)


def kernel(function: Function) -> Function:
    """Compiled `function`: nopython, cached on disk, without the GIL.

    It makes no arrays: numba refuses `np.zeros` and the like in it (see `allocating_row_kernel`).
    """
    compiled: Function = _compiled(function, **_UNCOUNTED)
    return compiled


def inline_kernel(function: Function) -> Function:
    """`kernel` for small functions in the inner loop of another kernel: always inlined by LLVM."""
    compiled: Function = _compiled(function, forceinline=True, **_UNCOUNTED)
    return compiled


def row_kernel(function: Function) -> Function:
    """`kernel` with a `numba.prange` loop over users, run on `set_threads` threads where there are rows enough.

    The first argument leads with the users' axis, no row may read what another row writes, and no arrays are made.
    Arrays in tuples are written by an inline kernel that the loop calls, never in the loop itself: there, numba's
    threads would write to copies.
    """
    return _row_kernel(function, _UNCOUNTED)


def allocating_row_kernel(function: Function) -> Function:
    """`row_kernel` that may make arrays."""
    return _row_kernel(function, {})


def _row_kernel(function: Function, options: dict[str, Any]) -> Function:
    serial = _compiled(function, **options)
    twin = types.FunctionType(function.__code__, function.__globals__, f"{function.__name__}_parallel")
    parallel = _compiled(twin, parallel=True, **options)

    def twin_for(arguments: tuple[Any, ...]) -> Any:
        return parallel if _threads > 1 and len(arguments[0]) >= _PARALLEL_ROWS else serial

    def call(*arguments: Any) -> Any:
        return twin_for(arguments)(*arguments)

    call.__doc__ = function.__doc__
    _TWINS[call] = twin_for
    return call  # type: ignore[return-value]


def same_types(row_kernel: Function) -> Function:
    """The same row kernel, for a caller whose arguments have the very same types in every call.

    Numba looks at the types of all arguments to find the machine code for them, which takes several times as long as
    the code itself where rows are few. This one looks once. Nothing checks that the types are still the same: where
    they are not, memory is read and written as what it is not.
    """
    twin_for, entries = _TWINS[row_kernel], {}

    def call(*arguments: Any) -> Any:
        twin = twin_for(arguments)
        if twin not in entries:
            entries[twin] = twin.compile(tuple(map(twin.typeof_pyval, arguments)))
        return entries[twin](*arguments)

    return call  # type: ignore[return-value]


def frozen(kind: Callable[..., Record], *arrays: Any) -> Record:
    """A record of read-only views of `arrays`, as arguments of kernels.

    Numba compiles once for arrays that it must not write and once more for others. Records whose `__reduce__` names
    this function stay what they are in copies and pickles, which numpy would make writable.
    """
    views = [array.view() for array in arrays]
    for view in views:
        view.flags.writeable = False
    return kind(*views)


def _compiled(function: Any, **options: Any) -> Any:
    """`function`, compiled under a name of its own in numba's disk cache.

    That cache knows a kernel by its name and compiles it anew when its own file changes. The version in the name is one
    of all files whose kernels others inline, so that this also happens when one of these changes.
    """
    function.__qualname__ = f"{function.__name__}_{_VERSION}"
    return numba.njit(**_OPTIONS, **options)(function)


_LANES = 32  # four vector registers of float32 on most machines, so that sums need not wait for each other


def _type_dot(typing_context: Any, left: Any, right: Any) -> Any:
    """Inner product of two contiguous vectors of one floating type and equal length, `_LANES` sums at a time."""
    if not (left.dtype == right.dtype and left.ndim == right.ndim == 1 and left.layout == right.layout == "C"):
        raise numba.TypingError(f"an inner product needs two contiguous vectors of one type, not {left} and {right}.")
    return left.dtype(left, right), _emit_dot


def _emit_dot(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
    left, right = (
        context.make_array(kind)(context, builder, value) for kind, value in zip(signature.args, arguments, strict=True)
    )
    real, index = context.get_value_type(signature.return_type), context.get_value_type(numba.types.intp)
    wide, lanes = ir.VectorType(real, _LANES), ir.Constant(index, _LANES)
    item_size = context.get_abi_sizeof(real)

    def product(at: Any, kind: Any) -> Any:
        places = (builder.bitcast(builder.gep(array.data, [at]), kind.as_pointer()) for array in (left, right))
        return builder.fmul(*(builder.load(place, align=item_size, typ=kind) for place in places))

    def add(total: Any, value: Any) -> None:
        builder.store(builder.fadd(builder.load(total), value), total)

    size = builder.extract_value(left.shape, 0)
    blocks = builder.sdiv(size, lanes)
    place: Any = cgutils.alloca_once_value
    sums, rest = place(builder, ir.Constant(wide, [0.0] * _LANES)), place(builder, ir.Constant(real, 0.0))
    with cgutils.for_range(builder, blocks, intp=index) as loop:
        add(sums, product(builder.mul(loop.index, lanes), wide))
    with cgutils.for_range(builder, size, start=builder.mul(blocks, lanes), intp=index) as loop:
        add(rest, product(loop.index, real))
    total = builder.load(sums)
    parts = [builder.extract_element(total, ir.Constant(ir.IntType(32), lane)) for lane in range(_LANES)]
    while len(parts) > 1:
        half = len(parts) // 2
        parts = [builder.fadd(*pair) for pair in zip(parts[:half], parts[half:], strict=True)]
    return builder.fadd(parts[0], builder.load(rest))


_dot: Any = extending.intrinsic(_type_dot)


@inline_kernel
def dot(left: Any, right: Any, start: int, stop: int) -> float:
    """Inner product of `left[start:stop]` and `right[start:stop]` in the arrays' own precision.

    32 running sums in a fixed order, written as vector instructions: strict IEEE, so the same on every machine, and
    five times as fast as what LLVM makes of a loop whose order it must keep.
    """
    product: float = _dot(left[start:stop], right[start:stop])
    return product


@inline_kernel
def shrink(total: Any, keep: Any) -> None:
    """Multiply a vector by `keep`, in place."""
    for j in range(len(total)):
        total[j] *= keep
