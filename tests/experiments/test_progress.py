"""Progress: a line a stage in a pipe, a bar a stage on a terminal, and no line for a stage that failed."""

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from rich.console import Console

from recsim.experiments.progress import Bars, Display, Lines, Silent, console_display


def work(display: Display) -> None:
    with display.stage("first", 10) as progress:
        progress(5)
        progress(99)
    display.note("a [bold]plain[/bold] sentence")
    with display.stage("second", 1) as progress:
        progress(1)


@contextmanager
def displayed(terminal: bool) -> Iterator[tuple[Display, io.StringIO]]:
    text = io.StringIO()
    with console_display(Console(file=text, force_terminal=terminal, width=80)) as display:
        yield display, text


def test_a_pipe_gets_a_line_a_stage() -> None:
    with displayed(terminal=False) as (display, text):
        assert isinstance(display, Lines)
        work(display)
    assert re.fullmatch(r"first +0\.0 s\na \[bold\]plain\[/bold\] sentence\nsecond +0\.0 s\n", text.getvalue()), (
        text.getvalue()
    )


def test_a_terminal_gets_a_bar_a_stage() -> None:
    with displayed(terminal=True) as (display, text):
        assert isinstance(display, Bars)
        work(display)
    shown = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", text.getvalue())
    for name in ("first", "second"):
        assert re.search(rf"{name} .*100 %", shown)
    assert "a [bold]plain[/bold] sentence" in shown


def test_a_stage_that_fails_is_not_told_as_done() -> None:
    with displayed(terminal=False) as (display, text):
        with pytest.raises(ZeroDivisionError), display.stage("broken", 1) as progress:
            progress(1 // 0)
        assert text.getvalue() == ""


def test_silence_is_possible(capfd: pytest.CaptureFixture[str]) -> None:
    work(Silent())
    assert capfd.readouterr() == ("", "")
