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
    assert re.fullmatch(r" +0\.0 s  first\na \[bold\]plain\[/bold\] sentence\n +0\.0 s  second\n", text.getvalue()), (
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


LONG = ("encode images by efficientnet-lite0", f"encode texts by /models/{'x' * 99}[b]")


def test_long_names_of_stages_line_up_in_a_pipe() -> None:
    with displayed(terminal=False) as (display, text):
        for name in ("read rows", *LONG):
            with display.stage(name, 1):
                pass
    lines = text.getvalue().splitlines()
    assert [line[12:] for line in lines] == ["read rows", *LONG]
    assert {line[9:12] for line in lines} == {"s  "}


def test_long_names_of_stages_line_up_on_a_terminal() -> None:
    with displayed(terminal=True) as (display, text):
        for name in ("read rows", *LONG):
            with display.stage(name, 1):
                pass
    shown = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", text.getvalue())
    lines = [line.rstrip() for line in re.split(r"[\r\n]+", shown)[-4:-1]]
    assert [line[:36].rstrip() for line in lines] == ["read rows", LONG[0], f"{LONG[1][:34]}…"]
    assert {line.index("100 %") for line in lines} == {lines[0].index("100 %")}
    assert max(map(len, lines)) <= 80
    assert all(line.endswith("0:00:00") for line in lines)


def test_a_stage_that_fails_is_not_told_as_done() -> None:
    with displayed(terminal=False) as (display, text):
        with pytest.raises(ZeroDivisionError), display.stage("broken", 1) as progress:
            progress(1 // 0)
        assert text.getvalue() == ""


def test_silence_is_possible(capfd: pytest.CaptureFixture[str]) -> None:
    work(Silent())
    assert capfd.readouterr() == ("", "")
