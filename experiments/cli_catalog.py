"""`recsim catalog`: catalogues of one's own, from raw files to clean features, and what is in them."""

from __future__ import annotations

from typing import Annotated

import typer

from recsim.experiments.commands import examples
from recsim.experiments.errors import input_errors

catalog_app = typer.Typer(no_args_is_help=True, help="Make catalogues and look at them.")


@catalog_app.command("show", epilog=examples("recsim catalog show openclipart", "recsim catalog show ./my-shop"))
def catalog_show(
    name: Annotated[str, typer.Argument(metavar="NAME_OR_PATH", help="A bundled catalogue or a folder.")],
) -> None:
    """Show what is in a catalogue."""
    from recsim.catalog import load_catalog
    from recsim.experiments.tables import print_catalog

    with input_errors():
        found = load_catalog(name)
    print_catalog(found)
