"""What the core refuses of a user model: states, profiles and answers that cannot be."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recsim.jit import kernel
from recsim.users.contract import Flags, Items, Response


def checked_profile(profile: Any, n: int, size: int | None, method: str) -> NDArray[np.float32]:
    """(n, p) float32, what `method` gave for n users; `size` is p, where it is known already.

    Raises:
        ValueError: if it has another shape or type, or holds a number that is not finite.
    """
    given = np.asarray(profile)
    needed = given.shape[-1] if size is None and given.ndim else size
    if given.dtype.kind != "f" or given.shape != (n, needed):
        raise ValueError(
            f"{method} gave an array {given.shape} {given.dtype} for {n} users; "
            f"({n}, {'p' if size is None else size}) float32 is needed, a row a user."
        )
    finite = np.isfinite(given)
    if not finite.all():
        row, column = np.argwhere(~finite)[0]
        raise ValueError(
            f"{method} gave {given[row, column]} in row {row}, column {column}; agents see the profile, "
            "so it holds finite numbers. Write 0 where nothing is known."
        )
    return np.array(given, np.float32, order="C")  # a copy: the core writes into it when users are renewed


def checked_response(answer: Response, shown: Items, method: str) -> Response:
    """The answer to slates (n, k) that `method` gave.

    Raises:
        ValueError: if a part has another shape or type, something converts without a click, an empty position is
            clicked, or a delay is negative.
    """
    for name, shape in (("click", shown.shape), ("conversion", shown.shape), ("leave", shown.shape[:1])):
        _check_flags(getattr(answer, name), shape, f"{method} gave {name}")
    if answer.examined is not None:
        _check_flags(answer.examined, shown.shape, f"{method} gave examined")
    wrong = _impossible(shown, answer.click, answer.conversion)
    if wrong >= 0:
        row, position = divmod(wrong, shown.shape[1])
        what, remedy = (
            ("a click on the empty position", "click & (slate >= 0)")
            if answer.click[row, position]
            else ("a conversion without a click at position", "conversion & click")
        )
        raise ValueError(f"{method} gave {what} {position} of row {row}; return {remedy}.")
    delay = answer.delay
    if delay is not None and (delay.shape != shown.shape or delay.dtype.kind not in "iu" or (delay < 0).any()):
        raise ValueError(
            f"{method} gave delay as an array {delay.shape} {delay.dtype}; {shown.shape} whole numbers from 0 up "
            "are needed."
        )
    return answer


def two_parts(given: Any, what: str, method: str) -> tuple[Any, Any]:
    """A pair, as `method` must return it.

    Raises:
        TypeError: if it is none.
    """
    if not isinstance(given, tuple) or len(given) != 2:
        raise TypeError(f"{method} gave {type(given).__name__}; it returns a pair: {what}.")
    return given


def checked_choice(choice: tuple[Any, Any], shown: Items, method: str) -> tuple[Flags, Flags]:
    """What is examined and what is clicked of slates (n, k), as a choice model's `method` gave it.

    Raises:
        ValueError: if either has another shape or type, an empty position is examined, or something is clicked without
            a look.
    """
    for name, given in zip(("examined", "click"), choice, strict=True):
        _check_flags(given, shown.shape, f"{method} gave {name}")
    examined, click = choice
    for wrong, what, remedy in (
        (examined & (shown < 0), "a look at the empty", "examined & (slate >= 0)"),
        (click & ~examined, "a click without a look at", "click & examined"),
    ):
        if wrong.any():
            row, position = np.argwhere(wrong)[0]
            raise ValueError(f"{method} gave {what} position {position} of row {row}; return {remedy}.")
    return examined, click


def _check_flags(flags: Any, shape: tuple[int, ...], what: str) -> None:
    if not isinstance(flags, np.ndarray):
        raise ValueError(f"{what} as {type(flags).__name__}; an array {shape} of bool is needed.")
    if flags.shape != shape or flags.dtype != np.bool_:
        raise ValueError(f"{what} as an array {flags.shape} {flags.dtype}; {shape} bool is needed.")


def checked_return(comes: Any, later: Any, n: int, method: str) -> Flags:
    """(n,) bool, which of n users come back, as `method` gave it along with their states.

    Raises:
        ValueError: if it has another shape or type, or the states are not n.
        TypeError: if `later` is no dataclass of arrays.
    """
    flags = np.asarray(comes)
    if not isinstance(comes, np.ndarray) or flags.shape != (n,) or flags.dtype != np.bool_:
        raise ValueError(
            f"{method} gave {type(comes).__name__} {flags.shape} {flags.dtype}; ({n},) bool is needed, a flag a user."
        )
    check_state(later, n, method)
    return flags


def check_state(state: Any, n: int, method: str) -> None:
    """Refuse what is no state of n users.

    Raises:
        TypeError: if it is no dataclass of arrays.
        ValueError: if an array does not lead with n.
    """
    if not is_dataclass(state) or isinstance(state, type):
        raise TypeError(f"{method} gave {type(state).__name__}; a state is a dataclass of arrays, a row a user.")
    for f in fields(state):
        values = getattr(state, f.name)
        if not isinstance(values, np.ndarray):
            raise TypeError(
                f"{method} gave a state whose {f.name} is {type(values).__name__}; it is an array, a row a user."
            )
        if values.shape[:1] != (n,):
            raise ValueError(
                f"{method} gave a state whose {f.name} is an array {values.shape} for {n} users; "
                f"its first axis has length {n}, a row a user."
            )


@kernel
def _impossible(slate: Items, click: Flags, conversion: Flags) -> int:
    """Where an empty position is clicked or something converts without a click; -1 if nowhere."""
    n, k = slate.shape
    for row in range(n):
        for position in range(k):
            clicked = click[row, position]
            if (clicked and slate[row, position] < 0) or (conversion[row, position] and not clicked):
                place: int = row * k + position
                return place
    return -1
