"""Errors that are the caller's to repair: the command line prints their sentence and no traceback, and exits with 2."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from recsim.packages import MissingPackage
from recsim.paths import unusable


class UserError(ValueError):
    """A request that cannot be met; the message is one sentence with the remedy."""


@contextmanager
def input_errors(place: str = "") -> Iterator[None]:
    """Raise what is wrong with input (a file, a catalogue, a log), or a missing package, as `UserError`.

    `place` leads the sentence.

    For our own reading and checking only: inside, an error of somebody else's code would lose its traceback.
    """
    try:
        yield
    except UserError:
        raise
    except OSError as error:
        raise UserError(f"{place}{unusable(error)}") from error
    except (ValueError, MissingPackage) as error:
        raise UserError(f"{place}{error}") from error
