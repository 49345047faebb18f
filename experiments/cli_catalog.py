"""`recsim catalog`: catalogues of one's own, from raw files to clean features, and what is in them."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from recsim.experiments.commands import examples, resumable, stderr
from recsim.experiments.errors import UserError, input_errors

if TYPE_CHECKING:
    from recsim.catalog import Catalog

catalog_app = typer.Typer(no_args_is_help=True, help="Make catalogues and look at them.")


@catalog_app.command(
    "show",
    epilog=examples(
        "recsim catalog show openclipart",
        "recsim catalog show ./my-shop --html my-shop.html --open",
        "recsim catalog show ./my-shop --json",
    ),
)
def catalog_show(
    name: Annotated[str, typer.Argument(metavar="NAME_OR_PATH", help="A bundled catalogue or a folder.")],
    html: Annotated[
        Path | None,
        typer.Option(metavar="FILE.html", help="Write a page with pictures and neighbours.", show_default=False),
    ] = None,
    items: Annotated[
        int | None, typer.Option(min=1, help="How many items the page shows; default: 24.", show_default=False)
    ] = None,
    seed: Annotated[
        int | None, typer.Option(min=0, help="Which items the page shows; default: 0.", show_default=False)
    ] = None,
    open_page: Annotated[bool, typer.Option("--open", help="Open the page in the browser.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False,
) -> None:
    """Show what is in a catalogue: its card, its numbers, and what was flagged."""
    from recsim.catalog import load_catalog
    from recsim.paths import check_place

    chosen = {name: value for name, value in (("n_items", items), ("seed", seed)) if value is not None}
    if html is None and (open_page or chosen):
        option = "--open" if open_page else "--seed" if items is None else "--items"
        raise UserError(f"{option} is about the page that --html names: add --html page.html.")
    with input_errors():
        if html is not None:
            check_place(html)
        found = load_catalog(name)
    if html is not None:
        from recsim.report import write_catalog_page

        with input_errors():
            write_catalog_page(found, html, **chosen)
        typer.echo(f"Page: {html}", err=json)
    if json:
        from dataclasses import asdict
        from json import dumps

        from recsim.report.catalog_facts import catalog_facts

        typer.echo(dumps(asdict(catalog_facts(found)), indent=1, allow_nan=False))
    elif html is None:
        from recsim.experiments.catalog_tables import print_catalog

        print_catalog(found)
    if open_page and html is not None:
        import webbrowser

        webbrowser.open(html.resolve().as_uri())


@catalog_app.command(
    "import",
    epilog=examples(
        "recsim catalog import items.csv --images photos --out my-shop",
        "recsim catalog import items.csv.gz --column title=product_name --column text=name,description --out my-shop",
        "recsim catalog import items.parquet --mapping map.yaml --images photos --price 10 --out my-shop --overwrite",
    ),
)
def catalog_import(
    source: Annotated[Path, typer.Argument(metavar="ITEMS", help="CSV, Parquet or JSON lines, also .gz.")],
    out: Annotated[Path, typer.Option(metavar="DIR", help="Catalogue to make.", show_default=False)],
    images: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Folder that names of images are relative to.", show_default=False),
    ] = None,
    column: Annotated[
        list[str] | None,
        typer.Option(metavar="OURS=THEIRS", help="Which column is which; repeatable.", show_default=False),
    ] = None,
    mapping: Annotated[
        Path | None, typer.Option(metavar="YAML", help="The same in a file.", show_default=False)
    ] = None,
    name: Annotated[str, typer.Option(help="Of the catalogue; default: that of its folder.", show_default=False)] = "",
    encoding: Annotated[str, typer.Option(help="Of text files.")] = "utf-8",
    separator: Annotated[
        str | None, typer.Option(help="Of CSV files; default: the likely one.", show_default=False)
    ] = None,
    decimal: Annotated[
        str | None, typer.Option(help="Sign before decimals in prices; default: the likely one.", show_default=False)
    ] = None,
    price: Annotated[
        float | None, typer.Option(min=0, help="Of items without one; default: the median.", show_default=False)
    ] = None,
    keep_categories: Annotated[
        bool, typer.Option("--keep-categories", help="Do not bring spellings of a category together.")
    ] = False,
    image_size: Annotated[int, typer.Option(min=1, help="Pixels of the longer side of kept images, at most.")] = 256,
    max_pixels: Annotated[int, typer.Option(min=1, help="Images with more are refused.")] = 50_000_000,
    text_encoder: Annotated[str, typer.Option(help="auto, minilm, glove, hashing, or a model's folder.")] = "auto",
    image_encoder: Annotated[
        str, typer.Option(help="auto, efficientnet-lite0, histogram, none, or a model's folder.")
    ] = "auto",
    dim: Annotated[int, typer.Option(min=1, help="Columns of each modality, at most.")] = 64,
    device: Annotated[str, typer.Option(help="A torch device, such as cuda.")] = "cpu",
    date: Annotated[
        datetime | None,
        typer.Option(formats=["%Y-%m-%d"], help="Of the import; default: of the file.", show_default=False),
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a catalogue in DIR.")] = False,
) -> None:
    """Make a catalogue of a table and a folder of images, and say what is wrong or odd about them.

    Nothing is dropped silently. Killed at any moment, the same command goes on.
    """
    from recsim.catalogs.importing.columns import ColumnOptions
    from recsim.catalogs.importing.options import ImportOptions
    from recsim.catalogs.importing.pixels import Limits
    from recsim.experiments.importing import print_imported, read_mapping, run_import
    from recsim.experiments.progress import console_display

    columns = read_mapping(mapping, column or ())
    with input_errors():
        options = ImportOptions(
            name=name,
            mapping=columns,
            columns=ColumnOptions(price, decimal, not keep_categories),
            limits=Limits(image_size, max_pixels),
            encoding=encoding,
            separator=separator,
            text_encoder=text_encoder,
            image_encoder=image_encoder,
            dim=dim,
            device=device,
            imported=date.date() if date else None,
        )
    with resumable(), console_display(stderr()) as display:
        found = run_import(source, images, out, options, overwrite=overwrite, display=display)
    print_imported(found)


@catalog_app.command(
    "behaviour",
    epilog=examples(
        "recsim catalog behaviour openclipart --log log.parquet --out with_behaviour",
        "recsim catalog behaviour ./my-shop --clicks clicks.csv --method svd --dim 16 --out with_behaviour",
    ),
)
def catalog_behaviour(
    name: Annotated[str, typer.Argument(metavar="NAME_OR_PATH", help="A bundled catalogue or a folder.")],
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder of the catalogue with the modality.")],
    log: Annotated[Path | None, typer.Option(metavar="FILE", help="A log collected with this catalogue.")] = None,
    clicks: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="CSV or Parquet with columns user, item (item_id) and perhaps session."),
    ] = None,
    method: Annotated[str, typer.Option(help="als, item2vec or svd.")] = "als",
    dim: Annotated[int, typer.Option(min=1, help="Dimensions of the modality.")] = 32,
    counted: Annotated[
        str | None, typer.Option(help="What counts in a log: click (default) or conversion.", show_default=False)
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of what is drawn.")] = 0,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a catalogue that is there.")] = False,
) -> None:
    """Give items the modality behaviour: items are alike where the same users click them.

    Items without a click have none. In a world made with the new catalogue, users have interests in this space too.
    """
    from recsim.catalog import load_catalog
    from recsim.experiments.progress import console_display
    from recsim.logs import read_log
    from recsim.modalities.behaviour.clicks import clicks_of_log, read_clicks
    from recsim.modalities.behaviour.modality import modality_of_clicks, with_behaviour

    if (log is None) == (clicks is None):
        raise UserError("behaviour is learned from a log or from clicks: pass either --log or --clicks.")
    if counted is not None and log is None:
        raise UserError(f"--counted {counted} is about a log, and of --clicks every row counts: leave it out.")
    _check_free(out, overwrite)
    unknown = 0
    with input_errors():
        catalog = load_catalog(name)
        if log is not None:
            found = clicks_of_log(read_log(log), catalog, counted or "click")
        elif clicks is not None:
            found, unknown = read_clicks(clicks, catalog)
    if unknown:
        typer.echo(f"{unknown:,} rows of {clicks} name no item of {catalog.name!r} and were left out.", err=True)
    with input_errors(), console_display(stderr()) as display, display.stage(method, 100) as progress:
        modality = modality_of_clicks(found, method, dim=dim, seed=seed, progress=progress)
    with input_errors():
        _save(with_behaviour(catalog, modality, found, method), out, overwrite)
    typer.echo(
        f"{modality.present.sum():,} of {len(catalog):,} items have behaviour, from {len(found):,} clicks of "
        f"{found.n_users:,} users."
    )
    typer.echo(f"Catalogue: {out}")


@catalog_app.command(
    "describe",
    epilog=examples(
        "recsim catalog describe openclipart --out described",
        "recsim catalog describe ./my-shop --out described --language-model models/my-model",
    ),
)
def catalog_describe(
    name: Annotated[str, typer.Argument(metavar="NAME_OR_PATH", help="A bundled catalogue or a folder.")],
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder of the described catalogue.")],
    language_model: Annotated[
        str, typer.Option(metavar="PATH", help="Folder of a causal language model; default: a template describes.")
    ] = "",
    device: Annotated[str, typer.Option(help="Where models run: cpu or cuda.")] = "cpu",
    encoder: Annotated[str, typer.Option(help="Of the descriptions, by name.")] = "auto",
    dim: Annotated[int, typer.Option(min=1, help="Columns of the modality.")] = 64,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a catalogue that is there.")] = False,
) -> None:
    """Describe every item in words, and add the descriptions as a modality."""
    from recsim.catalog import load_catalog
    from recsim.experiments.catalog_tables import print_findings
    from recsim.experiments.importing import replaced_encoder
    from recsim.experiments.progress import console_display
    from recsim.language.descriptions import with_descriptions
    from recsim.language.model import CausalLM
    from recsim.modalities.cache import EmbeddingCache
    from recsim.modalities.names import text_encoder

    _check_free(out, overwrite)
    with input_errors(), console_display(stderr()) as display, EmbeddingCache() as cache:
        catalog = load_catalog(name)
        encodes = text_encoder(encoder, device=device)
        for sentence in replaced_encoder("text", encoder):
            display.note(sentence)
        model = CausalLM(language_model, device=device) if language_model else None
        with display.stage("describe", len(catalog)) as advance:
            found = with_descriptions(catalog, encoder=encodes, model=model, dim=dim, cache=cache, progress=advance)
        _save(found, out, overwrite)
    if len(found.findings) > len(catalog.findings):
        print_findings(found.findings.iloc[len(catalog.findings) :])
    typer.echo(f"{len(found):,} items are described by {' and '.join(sorted(set(found.table['description_by'])))}.")
    typer.echo(f"Catalogue: {out}")


@catalog_app.command(
    "prepare",
    epilog=examples(
        "recsim catalog prepare ./my-shop --config prepare.yaml --out ./my-shop-clean",
        "recsim catalog prepare openclipart --config prepare.yaml --out ./clipart --overwrite",
    ),
)
def catalog_prepare(
    name: Annotated[str, typer.Argument(metavar="NAME_OR_PATH", help="A bundled catalogue or a folder.")],
    config: Annotated[Path, typer.Option(metavar="FILE.yaml", help="The steps, as docs/preparing.md lists them.")],
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder of the prepared catalogue.")],
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a catalogue that is there.")] = False,
) -> None:
    """Clean, fill in, denoise, align and fuse the modalities of a catalogue, and say what was found."""
    from recsim.catalog import load_catalog
    from recsim.experiments.catalog_tables import print_findings
    from recsim.experiments.config_file import read_settings
    from recsim.experiments.progress import console_display
    from recsim.modalities.preparing import Preparation, prepare

    _check_free(out, overwrite)
    steps = read_settings(config, Preparation)
    with input_errors():
        catalog = load_catalog(name)
    with console_display(stderr()) as display, display.stage("prepare", len(steps.steps)) as progress, input_errors():
        prepared = prepare(catalog, steps, progress=progress)
    with input_errors():
        _save(prepared, out, overwrite)
    print_findings(prepared.findings.iloc[len(catalog.findings) :])
    typer.echo(f"Catalogue: {out}")


@catalog_app.command(
    "export-encoder",
    epilog=examples(
        "recsim catalog export-encoder minilm --out my_encoder",
        "recsim catalog export-encoder efficientnet-lite0 --out my_encoder --int8",
    ),
)
def catalog_export_encoder(
    name: Annotated[
        str, typer.Argument(metavar="ENCODER", help="minilm, efficientnet-lite0 or the folder of a text model.")
    ],
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder to write.")],
    int8: Annotated[bool, typer.Option("--int8", help="Store weights in 8 bits: a quarter of the size.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an exported encoder that is there.")] = False,
) -> None:
    """Write an encoder as an ONNX file, which is used by the name of its folder and needs no torch."""
    from recsim.modalities.compression import export_encoder
    from recsim.paths import check_place, taken

    if out.exists() and not overwrite:
        raise UserError(taken(out, "pass --overwrite"))
    with input_errors():
        check_place(out)
        folder = export_encoder(name, out, int8=int8, overwrite=overwrite)
    size = sum(file.stat().st_size for file in folder.iterdir()) / 1e6
    typer.echo(f"Encoder: {out} ({size:.1f} MB)")


def _save(made: Catalog, out: Path, overwrite: bool) -> None:
    """Write a catalogue that was made from another one, under the name of its folder, as one that is imported."""
    made.replaced(name=out.absolute().name).save(out, overwrite=overwrite)


def _check_free(out: Path, overwrite: bool) -> None:
    from recsim.catalog_files import check_target
    from recsim.paths import check_place

    with input_errors():
        check_target(out, overwrite, replace="pass --overwrite")
        check_place(out)
