"""`recsim bench`: speed of simulation and evaluation, what worlds have to offer, and what agents learn in them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from recsim.experiments.commands import Threads, examples, resumable, stderr, tell
from recsim.experiments.errors import input_errors

bench_app = typer.Typer(
    no_args_is_help=True,
    help="Measure speed, what worlds have to offer, what agents learn, and whether intervals hold.",
)


@bench_app.command(
    "env",
    epilog=examples("recsim bench env", "recsim bench env --only vector,single --json", "recsim bench env --n 64"),
)
def bench_env(
    json: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False,
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the JSON here, too.")] = None,
    only: Annotated[str, typer.Option(help="Rows to measure.")] = "vector,threads,single,items,users,peers",
    peers: Annotated[Path, typer.Option(metavar="DIR", help="Where `make peers` installed the peers.")] = Path(
        ".peers"
    ),
    catalog: Annotated[str, typer.Option(metavar="NAME_OR_PATH", help="Catalogue.")] = "openclipart",
    users: Annotated[int, typer.Option("--n", min=1, help="Users side by side in the vector environment.")] = 1024,
    slate_size: Annotated[int, typer.Option("--k", min=1, help="Slate size.")] = 10,
    n_items: Annotated[int, typer.Option(min=1, help="Items of the row items.")] = 1_000_000,
    n_users: Annotated[int, typer.Option(min=1, help="Users of the row users.")] = 1_000_000,
    repeats: Annotated[int, typer.Option(min=1, help="Repeats; the median counts.")] = 5,
    seconds: Annotated[float, typer.Option(min=0.01, help="CPU-seconds of a repeat, at least.")] = 0.5,
) -> None:
    """Speed and memory of the environments beside what is promised, and the speed of the peers that are installed.

    Observation and reward are included, and one thread is used where nothing else is said.
    """
    from recsim.experiments import tables
    from recsim.experiments.bench.measures import Effort, Sizes
    from recsim.experiments.bench.run import bench
    from recsim.experiments.progress import console_display

    sizes = Sizes(catalog, users, slate_size, n_items, n_users)
    with console_display(stderr()) as display:
        found = bench(only.split(","), sizes, Effort(repeats, seconds), peers, display)
    tell(found, out, json, tables.print_bench)


@bench_app.command("presets", epilog=examples("recsim bench presets", "recsim bench presets marketplace choc --json"))
def bench_presets(
    names: Annotated[
        list[str] | None, typer.Argument(help="Built-in worlds; default: all.", show_default=False)
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False,
    out: Annotated[Path | None, typer.Option(metavar="FILE.json", help="Write the JSON here, too.")] = None,
    catalog: Annotated[str, typer.Option(metavar="NAME_OR_PATH", help="Catalogue.")] = "openclipart",
    users: Annotated[int, typer.Option("--n", min=2, help="Fresh users of every policy.")] = 1000,
    planned: Annotated[int, typer.Option(min=2, help="Users of the planning oracle, the first ones.")] = 100,
    launch: Annotated[int, typer.Option(min=2, help="Users of the log on which the static fusion is fitted.")] = 2000,
    budget: Annotated[int, typer.Option(min=10, help="Rollouts a decision of the planning oracle.")] = 640,
    slate_size: Annotated[int, typer.Option("--k", min=1, help="Slate size.")] = 10,
    horizon: Annotated[int, typer.Option(min=1, help="Most slates in a session.")] = 30,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the worlds and their users.")] = 0,
    threads: Threads = 1,
) -> None:
    """What the built-in worlds have to offer: returns from random slates up to the planning oracle."""
    from recsim.experiments import presets, tables
    from recsim.experiments.progress import console_display

    size = presets.Size(users, planned, launch, budget, slate_size, horizon)
    with console_display(stderr()) as display:
        found = presets.measure(names or (), catalog, seed, size, n_threads=threads, display=display)
    tell(found, out, json, tables.print_presets)


@bench_app.command(
    "learn",
    epilog=examples(
        "recsim bench learn --out docs/results/learn.json",
        "recsim bench learn choc --seeds 2 --n 500 --timesteps 50000 --runs runs/choc",
    ),
)
def bench_learn(
    names: Annotated[
        list[str] | None,
        typer.Argument(help="Built-in worlds; default: marketplace, feed, choc.", show_default=False),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False,
    out: Annotated[Path | None, typer.Option(metavar="FILE.json", help="Write the JSON here, too.")] = None,
    runs: Annotated[Path, typer.Option(metavar="DIR", help="Run folders; what is finished there is kept.")] = Path(
        "runs/learn"
    ),
    seeds: Annotated[int, typer.Option(min=2, help="Worlds of each preset, trained in from the beginning.")] = 5,
    users: Annotated[int, typer.Option("--n", min=2, help="Fresh users of every policy.")] = 4000,
    selecting: Annotated[int, typer.Option("--selected-on", min=2, help="Other users, to choose the fusion on.")] = 500,
    timesteps: Annotated[int, typer.Option(min=1, help="Slates that PPO is trained on.")] = 800_000,
    ppo: Annotated[str, typer.Option(metavar="YAML", help="Other settings of PPO.")] = "{}",
    methods: Annotated[
        str, typer.Option(help="Fusions to compare, with commas; or all. Default: all but transformer.")
    ] = "",
    planned: Annotated[int, typer.Option(min=2, help="Users of the planning oracle, the first ones.")] = 100,
    budget: Annotated[int, typer.Option(min=10, help="Rollouts a decision of the planning oracle.")] = 640,
    launch: Annotated[int, typer.Option(min=2, help="Users of the log on which fusions are fitted.")] = 2000,
    rounds: Annotated[int, typer.Option(min=2, help="Updates of PPO whose speed is measured.")] = 8,
    catalog: Annotated[str, typer.Option(metavar="NAME_OR_PATH", help="Catalogue.")] = "openclipart",
    slate_size: Annotated[int, typer.Option("--k", min=1, help="Slate size.")] = 10,
    horizon: Annotated[int, typer.Option(min=1, help="Most slates in a session.")] = 30,
    recent: Annotated[int, typer.Option(min=0, help="Clicked and bought items that agents are told of.")] = 20,
    threads: Threads = 1,
) -> None:
    """What agents earn in the built-in worlds, whether the project's claims hold, and how fast PPO trains."""
    from recsim.experiments import tables
    from recsim.experiments.checking import mapping
    from recsim.experiments.learning.run import learn
    from recsim.experiments.learning.size import CLAIMED, FUSIONS, QUICK, Size
    from recsim.experiments.progress import console_display

    size = Size(
        presets=tuple(names or CLAIMED),
        catalog=catalog,
        seeds=seeds,
        n_users=users,
        n_selecting=selecting,
        n_planned=planned,
        budget=budget,
        n_launch=launch,
        timesteps=timesteps,
        ppo=mapping(ppo, "--ppo", "'{gamma: 0.99}'"),
        methods=tuple(FUSIONS) if methods == "all" else tuple(methods.split(",")) if methods else QUICK,
        slate_size=slate_size,
        horizon=horizon,
        recent=recent,
        rounds=rounds,
    )
    with resumable("the same command"), console_display(stderr()) as display:
        found = learn(size, runs, n_threads=threads, display=display)
    tell(found, out, json, tables.print_learn)


@bench_app.command(
    "ope",
    epilog=examples("recsim bench ope --out docs/results/ope.json", "recsim bench ope --only memory,marginals --json"),
)
def bench_ope(
    json: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False,
    out: Annotated[Path | None, typer.Option(metavar="FILE.json", help="Write the JSON here, too.")] = None,
    only: Annotated[str, typer.Option(help="Rows to measure.")] = "memory,folder,marginals",
    slates: Annotated[int, typer.Option("--n", min=2, help="Slates of the log in memory.")] = 100_000,
    in_folder: Annotated[int, typer.Option(min=20, help="Slates of the log in a folder.")] = 10_000_000,
    slate_size: Annotated[int, typer.Option("--k", min=1, help="Slate size.")] = 10,
    draws: Annotated[int, typer.Option(min=2, help="Bootstrap draws.")] = 200,
    n_items: Annotated[int, typer.Option(min=2, help="Items of the row marginals.")] = 1852,
    workers: Annotated[int, typer.Option(min=1, help="Processes that share the folder.")] = 2,
    repeats: Annotated[int, typer.Option(min=1, help="Repeats; the median counts.")] = 5,
    seconds: Annotated[float, typer.Option(min=0.01, help="CPU-seconds of a repeat of marginals, at least.")] = 0.5,
) -> None:
    """Speed and memory of off-policy evaluation beside what is promised."""
    from recsim.experiments import tables
    from recsim.experiments.bench.measures import Effort
    from recsim.experiments.bench.ope import OpeSizes, bench
    from recsim.experiments.progress import console_display

    sizes = OpeSizes(slates, in_folder, slate_size, draws, n_items, workers)
    with console_display(stderr()) as display:
        found = bench(only.split(","), sizes, Effort(repeats, seconds), display)
    tell(found, out, json, tables.print_ope_bench)


@bench_app.command(
    "encoders",
    epilog=examples("recsim bench encoders", "recsim bench encoders --text path/to/a/model --image '' --device cuda"),
)
def bench_encoders(
    json: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False,
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the JSON here, too.")] = None,
    text: Annotated[
        str, typer.Option(metavar="NAMES", help="Encoders of texts, with commas.")
    ] = "hashing,glove,minilm",
    image: Annotated[
        str, typer.Option(metavar="NAMES", help="Encoders of images, with commas.")
    ] = "histogram,efficientnet-lite0",
    catalog: Annotated[str, typer.Option(metavar="NAME_OR_PATH", help="Catalogue.")] = "openclipart",
    n_items: Annotated[int, typer.Option("--n", min=1, help="Items of it that are encoded.")] = 64,
    seed: Annotated[int, typer.Option(min=0, help="Seed by which they are drawn.")] = 0,
    device: Annotated[str, typer.Option(help="Device of torch, such as cpu or cuda.")] = "cpu",
    dtype: Annotated[str, typer.Option(help="float32, float16 or bfloat16.")] = "float32",
    repeats: Annotated[int, typer.Option(min=1, help="Repeats; the median counts.")] = 5,
    seconds: Annotated[float, typer.Option(min=0.01, help="CPU-seconds of a repeat, at least.")] = 0.5,
) -> None:
    """How many texts and images an encoder takes in a CPU-second, and how large it is."""
    from recsim.experiments import tables
    from recsim.experiments.bench.encoders import EncoderSizes, bench
    from recsim.experiments.bench.measures import Effort
    from recsim.experiments.progress import console_display

    texts, images = (tuple(filter(None, names.split(","))) for names in (text, image))
    sizes = EncoderSizes(catalog, n_items, seed, texts, images, device, dtype)
    with console_display(stderr()) as display:
        found = bench(sizes, Effort(repeats, seconds), display)
    tell(found, out, json, tables.print_encoder_bench)


@bench_app.command(
    "import",
    epilog=examples(
        "recsim bench import --only large --json",
        "recsim bench import items.csv --images photos --only plain",
        "recsim bench import items.csv --images photos --out docs/results/import.json",
    ),
)
def bench_import(
    table: Annotated[Path | None, typer.Argument(metavar="ITEMS", help="Table to import.", show_default=False)] = None,
    images: Annotated[Path | None, typer.Option(metavar="DIR", help="Its images.", show_default=False)] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False,
    out: Annotated[Path | None, typer.Option(metavar="FILE.json", help="Write the JSON here, too.")] = None,
    only: Annotated[str, typer.Option(help="Rows to measure: models, plain (of ITEMS), large.")] = "",
    n_items: Annotated[int, typer.Option("--n", min=2, help="Made-up items of the row large.")] = 100_000,
) -> None:
    """Seconds, CPU-seconds and peak memory of importing a table of one's own, and one of 100,000 made-up items."""
    from recsim.experiments import tables
    from recsim.experiments.bench.importing import ROWS, ImportSizes, bench
    from recsim.experiments.progress import console_display

    rows = only.split(",") if only else ROWS if table else ("large",)
    with console_display(stderr()) as display:
        found = bench(rows, table, images, ImportSizes(n_items), display)
    tell(found, out, json, tables.print_import_bench)


@bench_app.command(
    "coverage",
    epilog=examples("recsim bench coverage --out docs/results/coverage.json", "recsim bench coverage --n 200 --json"),
)
def bench_coverage(
    json: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False,
    out: Annotated[Path | None, typer.Option(metavar="FILE.json", help="Write the JSON here, too.")] = None,
    replications: Annotated[int, typer.Option("--n", min=2, help="Logs of every world.")] = 2000,
    draws: Annotated[int, typer.Option(min=2, help="Bootstrap draws.")] = 200,
    level: Annotated[float, typer.Option(help="Of all intervals.")] = 0.95,
    seed: Annotated[int, typer.Option(min=0, help="Of the logs.")] = 0,
) -> None:
    """How often intervals hold the truth, in worlds where it is known, and what the verdicts say there."""
    from recsim.experiments import tables
    from recsim.experiments.bench.coverage import CoverageSize, coverage
    from recsim.experiments.progress import console_display

    with console_display(stderr()) as display:
        found = coverage(CoverageSize(replications, draws, level, seed), display)
    tell(found, out, json, tables.print_coverage)


@bench_app.command(
    "interests",
    epilog=examples(
        "recsim bench interests --out docs/results/interests.json",
        "recsim bench interests --seeds 1 --slates 10 --language-model models/my-model --json",
    ),
)
def bench_interests(
    json: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False,
    out: Annotated[Path | None, typer.Option(metavar="FILE.json", help="Write the JSON here, too.")] = None,
    language_model: Annotated[
        str, typer.Option(metavar="PATH", help="Folder of a causal language model; default: no rows of one.")
    ] = "",
    device: Annotated[str, typer.Option(help="Where the language model runs: cpu or cuda.")] = "cpu",
    catalog: Annotated[str, typer.Option(metavar="NAME_OR_PATH", help="Catalogue.")] = "openclipart",
    taught: Annotated[int, typer.Option(min=10, help="Users of each world whose interests are told.")] = 600,
    asked: Annotated[int, typer.Option("--n", min=2, help="Other users, whose interests are predicted.")] = 600,
    slates: Annotated[str, typer.Option(help="Lengths of the histories, with commas.")] = "5,10,30",
    seeds: Annotated[int, typer.Option(min=1, help="Worlds.")] = 3,
    launch: Annotated[int, typer.Option(min=2, help="Users of the log on which the static fusion is fitted.")] = 500,
    slate_size: Annotated[int, typer.Option("--k", min=1, help="Slate size.")] = 10,
    draws: Annotated[int, typer.Option(min=2, help="Bootstrap draws.")] = 1000,
    level: Annotated[float, typer.Option(help="Of all intervals.")] = 0.95,
    seed: Annotated[int, typer.Option(min=0, help="Of the first world.")] = 0,
) -> None:
    """How well hidden interests are predicted from what users were shown and clicked."""
    from recsim.experiments import tables
    from recsim.experiments.bench.interests import InterestSize, interests, lengths
    from recsim.experiments.progress import console_display
    from recsim.language.model import CausalLM

    size = InterestSize(catalog, taught, asked, lengths(slates), seeds, launch, slate_size, draws, level, seed)
    with input_errors():
        model = CausalLM(language_model, device=device) if language_model else None
    with console_display(stderr()) as display:
        found = interests(size, model, display)
    tell(found, out, json, tables.print_interests)


@bench_app.command(
    "retrieval",
    epilog=examples(
        "recsim bench retrieval --out docs/results/retrieval.json",
        "recsim bench retrieval --emoji path/to/fluent-emoji-color --seeds 2 --json",
    ),
)
def bench_retrieval(
    json: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False,
    out: Annotated[Path | None, typer.Option(metavar="FILE.json", help="Write the JSON here, too.")] = None,
    catalog: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME_OR_PATH", help="Catalogue, may be repeated; default: openclipart."),
    ] = None,
    emoji: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Measure the raw folder fluent-emoji-color as well.")
    ] = None,
    seeds: Annotated[int, typer.Option(min=2, help="Divisions into folds, each trained anew.")] = 5,
    folds: Annotated[int, typer.Option(min=2, help="Folds of each division.")] = 5,
    draws: Annotated[int, typer.Option(min=2, help="Bootstrap draws.")] = 2000,
    level: Annotated[float, typer.Option(help="Of all intervals.")] = 0.95,
    share: Annotated[float, typer.Option(help="Of the items in which a fault is planted.")] = 0.05,
) -> None:
    """What denoising, alignment and fusion of text and image are worth, and how well planted faults are found."""
    from recsim.catalog import load_catalog
    from recsim.experiments import tables
    from recsim.experiments.bench.emoji import fluent_emoji
    from recsim.experiments.bench.retrieval import RetrievalSize, retrieval
    from recsim.experiments.errors import input_errors
    from recsim.experiments.progress import console_display

    with input_errors():
        catalogs = [load_catalog(name) for name in catalog or ["openclipart"]]
        catalogs += [fluent_emoji(emoji)] if emoji is not None else []
    with console_display(stderr()) as display, input_errors():
        found = retrieval(catalogs, RetrievalSize(seeds, folds, draws, level, share), display)
    tell(found, out, json, tables.print_retrieval)


@bench_app.command(
    "corruption",
    epilog=examples(
        "recsim bench corruption --out docs/results/corruption.json",
        "recsim bench corruption --only typos,stale --severities 3 --methods average --json",
    ),
)
def bench_corruption(
    json: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False,
    out: Annotated[Path | None, typer.Option(metavar="FILE.json", help="Write the JSON here, too.")] = None,
    only: Annotated[str, typer.Option(help="Corruptions, with commas; default: all.")] = "",
    severities: Annotated[str, typer.Option(help="Severities from 1 to 5, with commas.")] = "1,3,5",
    methods: Annotated[str, typer.Option(help="Fusions, with commas.")] = "average,similarity,gated",
    catalog: Annotated[str, typer.Option(metavar="NAME_OR_PATH", help="Catalogue.")] = "openclipart",
    items: Annotated[int, typer.Option(min=2, help="How many of its items, evenly spaced.")] = 463,
    preset: Annotated[str, typer.Option(help="Built-in users.")] = "stationary",
    seeds: Annotated[int, typer.Option(min=2, help="Worlds; intervals are over them.")] = 3,
    launch: Annotated[int, typer.Option(min=2, help="Users of the log on which fusions are fitted.")] = 500,
    users: Annotated[int, typer.Option("--n", min=1, help="Fresh users of every fusion.")] = 1000,
) -> None:
    """What fusions lose where agents see a corrupted view of the items, by corruption, severity and modality."""
    from dataclasses import replace

    from recsim.experiments.bench.corruption import CorruptionSize, corruption
    from recsim.experiments.checking import whole_numbers
    from recsim.experiments.progress import console_display
    from recsim.experiments.tables import print_corruption

    size = CorruptionSize(
        severities=whole_numbers(severities, "--severities"),
        methods=tuple(methods.split(",")),
        catalog=catalog,
        items=items,
        preset=preset,
        seeds=seeds,
        n_launch=launch,
        n_users=users,
    )
    if only:
        size = replace(size, corruptions=tuple(only.split(",")))
    with console_display(stderr()) as display:
        found = corruption(size, display)
    tell(found, out, json, print_corruption)


@bench_app.command(
    "compression",
    epilog=examples(
        "recsim bench compression --out docs/results/compression.json",
        "recsim bench compression --only text --n 200 --json",
    ),
)
def bench_compression(
    json: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False,
    out: Annotated[Path | None, typer.Option(metavar="FILE.json", help="Write the JSON here, too.")] = None,
    only: Annotated[str, typer.Option(help="Rows to measure.")] = "text,image",
    catalog: Annotated[str, typer.Option(metavar="NAME_OR_PATH", help="Catalogue.")] = "openclipart",
    texts: Annotated[int, typer.Option("--n", min=1, help="Texts, at most; drawn without replacement.")] = 1852,
    images: Annotated[int, typer.Option(min=1, help="Images, at most; drawn without replacement.")] = 400,
    repeats: Annotated[int, typer.Option(min=1, help="Parts of the items that are timed; the median counts.")] = 5,
    seed: Annotated[int, typer.Option(min=0, help="Which items are drawn.")] = 0,
) -> None:
    """What exporting encoders and storing their weights in 8 bits costs and saves: time, disk, neighbours."""
    from recsim.experiments.bench.compression import bench, print_compression
    from recsim.experiments.progress import console_display

    with console_display(stderr()) as display:
        found = bench(only.split(","), catalog, {"text": texts, "image": images}, repeats, seed, display)
    tell(found, out, json, print_compression)
