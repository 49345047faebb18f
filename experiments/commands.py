"""What the commands of the command line share: options, examples, progress on the terminal, and what they print."""

from __future__ import annotations

from collections.abc import Callable
from json import dumps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from recsim.experiments.errors import input_errors

if TYPE_CHECKING:
    from rich.console import Console

Json = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
JsonFile = Annotated[Path | None, typer.Option(metavar="FILE.json", help="Write the JSON here, too.")]
CatalogName = Annotated[str, typer.Option(metavar="NAME_OR_PATH", help="Catalogue.")]
SlateSize = Annotated[int, typer.Option("--k", min=1, help="Slate size.")]
Threads = Annotated[int, typer.Option(min=1, help="Threads of the simulation; results do not depend on it.")]


def examples(*commands: str) -> str:
    return "Examples:\n\n" + "\n\n".join(f"  {command}" for command in commands)


def tell(found: dict[str, Any], out: Path | None, json: bool, as_table: Callable[[dict[str, Any]], None]) -> None:
    """What was measured: in a file, if one is named, and on the terminal as JSON or as a table."""
    from recsim.files import write_json

    if out is not None:
        with input_errors():
            write_json(out, found)
    if json:
        typer.echo(dumps(found, indent=1, ensure_ascii=False))
    else:
        as_table(found)


def stderr() -> Console:
    from rich.console import Console

    return Console(stderr=True)


class resumable:
    """Ctrl-C inside ends with a sentence that says how to go on, and exit code 130.

    What goes on is `command`, or by default the same one again.
    """

    def __init__(self, command: str = "") -> None:
        self._on = f"To go on, run: {command}" if command else "To go on, run the same command again."

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is KeyboardInterrupt:
            typer.echo(f"Interrupted; finished stages are kept. {self._on}", err=True)
            raise typer.Exit(130)
