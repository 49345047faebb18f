"""The commands of `recsim bench` that measure what is done to items: imports, encoders, preparing and corruption."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from recsim.experiments.commands import CatalogName, Json, JsonFile, stderr, tell
from recsim.experiments.errors import input_errors


def bench_encoders(
    json: Json = False,
    out: JsonFile = None,
    text: Annotated[
        str, typer.Option(metavar="NAMES", help="Encoders of texts, with commas.")
    ] = "hashing,glove,minilm",
    image: Annotated[
        str, typer.Option(metavar="NAMES", help="Encoders of images, with commas.")
    ] = "histogram,efficientnet-lite0",
    catalog: CatalogName = "openclipart",
    n_items: Annotated[int, typer.Option("--n", min=1, help="Items of it that are encoded.")] = 64,
    seed: Annotated[int, typer.Option(min=0, help="Seed by which they are drawn.")] = 0,
    device: Annotated[str, typer.Option(help="Device of torch, such as cpu or cuda.")] = "cpu",
    dtype: Annotated[str, typer.Option(help="float32, float16 or bfloat16.")] = "float32",
    repeats: Annotated[int, typer.Option(min=1, help="Repeats; the median counts.")] = 5,
    seconds: Annotated[float, typer.Option(min=0.01, help="CPU-seconds of a repeat, at least.")] = 0.5,
) -> None:
    """How many texts and images an encoder takes in a CPU-second, and how large it is."""
    from recsim.experiments.bench import tables
    from recsim.experiments.bench.encoders import EncoderSizes, bench
    from recsim.experiments.bench.measures import Effort
    from recsim.experiments.progress import console_display

    texts, images = (tuple(filter(None, names.split(","))) for names in (text, image))
    sizes = EncoderSizes(catalog, n_items, seed, texts, images, device, dtype)
    with console_display(stderr()) as display:
        found = bench(sizes, Effort(repeats, seconds), display)
    tell(found, out, json, tables.print_encoder_bench)


def bench_import(
    table: Annotated[Path | None, typer.Argument(metavar="ITEMS", help="Table to import.", show_default=False)] = None,
    images: Annotated[Path | None, typer.Option(metavar="DIR", help="Its images.", show_default=False)] = None,
    json: Json = False,
    out: JsonFile = None,
    only: Annotated[str, typer.Option(help="Rows to measure: models, plain (of ITEMS), large.")] = "",
    n_items: Annotated[int, typer.Option("--n", min=2, help="Made-up items of the row large.")] = 100_000,
) -> None:
    """Seconds, CPU-seconds and peak memory of importing a table of one's own, and one of 100,000 made-up items."""
    from recsim.experiments.bench import tables
    from recsim.experiments.bench.importing import ROWS, ImportSizes, bench
    from recsim.experiments.progress import console_display

    rows = only.split(",") if only else ROWS if table else ("large",)
    with console_display(stderr()) as display:
        found = bench(rows, table, images, ImportSizes(n_items), display)
    tell(found, out, json, tables.print_import_bench)


def bench_retrieval(
    json: Json = False,
    out: JsonFile = None,
    catalog: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME_OR_PATH", help="Catalogue, may be repeated; default: openclipart."),
    ] = None,
    emoji: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Measure the raw folder fluent-emoji-color as well.")
    ] = None,
    seeds: Annotated[int, typer.Option(min=2, help="Divisions into folds, each trained anew.")] = 5,
    folds: Annotated[int, typer.Option(min=2, help="Folds of each division.")] = 5,
    halvings: Annotated[int, typer.Option(min=2, help="Random halves of the items, from which intervals follow.")] = 10,
    level: Annotated[float, typer.Option(help="Of all intervals.")] = 0.95,
    share: Annotated[float, typer.Option(help="Of the items in which a fault is planted.")] = 0.05,
) -> None:
    """What denoising, alignment and fusion of text and image are worth, and how well planted faults are found."""
    from recsim.catalog import load_catalog
    from recsim.experiments.bench import tables
    from recsim.experiments.bench.emoji import fluent_emoji
    from recsim.experiments.bench.retrieval import RetrievalSize, retrieval
    from recsim.experiments.progress import console_display

    with input_errors():
        catalogs = [load_catalog(name) for name in catalog or ["openclipart"]]
        catalogs += [fluent_emoji(emoji)] if emoji is not None else []
    with console_display(stderr()) as display, input_errors():
        found = retrieval(catalogs, RetrievalSize(seeds, folds, halvings, level, share), display)
    tell(found, out, json, tables.print_retrieval)


def bench_corruption(
    json: Json = False,
    out: JsonFile = None,
    only: Annotated[str, typer.Option(help="Corruptions, with commas; default: all.")] = "",
    severities: Annotated[str, typer.Option(help="Severities from 1 to 5, with commas.")] = "1,3,5",
    methods: Annotated[str, typer.Option(help="Fusions, with commas.")] = "average,similarity,gated",
    catalog: CatalogName = "openclipart",
    items: Annotated[int, typer.Option(min=2, help="How many of its items, evenly spaced.")] = 463,
    presets: Annotated[str, typer.Option(help="Built-in users, with commas.")] = "stationary,marketplace",
    seeds: Annotated[int, typer.Option(min=2, help="Worlds; intervals are over them.")] = 6,
    launch: Annotated[int, typer.Option(min=2, help="Users of the log on which fusions are fitted.")] = 300,
    users: Annotated[int, typer.Option("--n", min=1, help="Fresh users of every fusion.")] = 500,
) -> None:
    """What fusions lose where agents see a corrupted view of the items, by corruption, severity and modality."""
    from dataclasses import replace

    from recsim.experiments.bench.corruption import CorruptionSize, corruption
    from recsim.experiments.bench.tables import print_corruption
    from recsim.experiments.checking import whole_numbers
    from recsim.experiments.progress import console_display

    size = CorruptionSize(
        severities=whole_numbers(severities, "--severities"),
        methods=tuple(methods.split(",")),
        catalog=catalog,
        items=items,
        presets=tuple(presets.split(",")),
        seeds=seeds,
        n_launch=launch,
        n_users=users,
    )
    if only:
        size = replace(size, corruptions=tuple(only.split(",")))
    with console_display(stderr()) as display:
        found = corruption(size, display)
    tell(found, out, json, print_corruption)


def bench_compression(
    json: Json = False,
    out: JsonFile = None,
    only: Annotated[str, typer.Option(help="Rows to measure.")] = "text,image",
    catalog: CatalogName = "openclipart",
    texts: Annotated[int, typer.Option("--n", min=1, help="Texts, at most; drawn without replacement.")] = 1852,
    images: Annotated[int, typer.Option(min=1, help="Images, at most; drawn without replacement.")] = 400,
    repeats: Annotated[int, typer.Option(min=1, help="Parts of the items that are timed; the median counts.")] = 5,
    seed: Annotated[int, typer.Option(min=0, help="Which items are drawn.")] = 0,
) -> None:
    """What exporting encoders and storing their weights in 8 bits costs and saves: time, disk, neighbours."""
    from recsim.experiments.bench import tables
    from recsim.experiments.bench.compression import bench
    from recsim.experiments.progress import console_display

    with console_display(stderr()) as display:
        found = bench(only.split(","), catalog, {"text": texts, "image": images}, repeats, seed, display)
    tell(found, out, json, tables.print_compression)
