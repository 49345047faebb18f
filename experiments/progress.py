"""How a run tells what it is doing: a bar a stage on a terminal, a line a stage elsewhere, or nothing."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Column

Advance = Callable[[int], None]
NAME = 35  # characters of a stage that stand beside its bar: with bar, share and times, they fit 80 columns


class Display(Protocol):
    """Where the stages of a run are told."""

    def stage(self, name: str, total: int) -> AbstractContextManager[Advance]:
        """A stage, done where the context ends without an error; yields what takes the work done so far."""
        ...

    def note(self, sentence: str) -> None:
        """A sentence between stages."""
        ...


class Silent:
    """Tells nothing."""

    @contextmanager
    def stage(self, name: str, total: int) -> Iterator[Advance]:
        """Ignores the work done."""
        yield lambda done: None

    def note(self, sentence: str) -> None:
        """Ignores the sentence."""


class Lines:
    """A line for each stage once it is done: for logs and pipes."""

    def __init__(self, console: Console) -> None:
        """Lines on `console`."""
        self._console = console

    @contextmanager
    def stage(self, name: str, total: int) -> Iterator[Advance]:
        """Prints the seconds it took, which line up whatever the length of the name, and the name."""
        started = time.perf_counter()
        yield lambda done: None
        self.note(f"{time.perf_counter() - started:8.1f} s  {name}")

    def note(self, sentence: str) -> None:
        """Prints the sentence."""
        self._console.print(sentence, highlight=False, markup=False, soft_wrap=True)


class Bars:
    """A progress bar for each stage, one below the other."""

    def __init__(self, progress: Progress) -> None:
        """Bars of a running `progress`."""
        self._progress = progress

    @contextmanager
    def stage(self, name: str, total: int) -> Iterator[Advance]:
        """Moves the stage's bar."""
        bar = self._progress.add_task(name, total=total)
        yield lambda done: self._progress.update(bar, completed=min(done, total))
        self._progress.update(bar, completed=total)
        self._progress.stop_task(bar)

    def note(self, sentence: str) -> None:
        """Prints the sentence above the bars."""
        self._progress.console.print(sentence, highlight=False, markup=False, soft_wrap=True)


@contextmanager
def console_display(console: Console) -> Iterator[Display]:
    """Bars on a terminal, lines elsewhere."""
    if not console.is_terminal:
        yield Lines(console)
        return
    columns = (
        TextColumn(
            "{task.description}", markup=False, table_column=Column(width=NAME, no_wrap=True, overflow="ellipsis")
        ),
        BarColumn(bar_width=20),
        TextColumn("{task.percentage:>3.0f} %"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console) as progress:
        yield Bars(progress)
