"""The commands of `recsim bench` that measure worlds: their speed, policies in them, and what is told from logs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from recsim.experiments.commands import CatalogName, Json, JsonFile, SlateSize, Threads, resumable, stderr, tell
from recsim.experiments.errors import input_errors


def bench_env(
    json: Json = False,
    out: JsonFile = None,
    only: Annotated[str, typer.Option(help="Rows to measure.")] = "vector,threads,single,items,users,peers",
    peers: Annotated[Path, typer.Option(metavar="DIR", help="Where `make peers` installed the peers.")] = Path(
        ".peers"
    ),
    catalog: CatalogName = "openclipart",
    users: Annotated[int, typer.Option("--n", min=1, help="Users side by side in the vector environment.")] = 1024,
    slate_size: SlateSize = 10,
    n_items: Annotated[int, typer.Option(min=1, help="Items of the row items.")] = 1_000_000,
    n_users: Annotated[int, typer.Option(min=1, help="Users of the row users.")] = 1_000_000,
    repeats: Annotated[int, typer.Option(min=1, help="Repeats; the median counts.")] = 5,
    seconds: Annotated[float, typer.Option(min=0.01, help="CPU-seconds of a repeat, at least.")] = 0.5,
) -> None:
    """Speed and memory of the environments beside what is promised, and the speed of the peers that are installed.

    Observation and reward are included, and one thread is used where nothing else is said.
    """
    from recsim.experiments.bench import tables
    from recsim.experiments.bench.measures import Effort, Sizes
    from recsim.experiments.bench.run import bench
    from recsim.experiments.progress import console_display

    sizes = Sizes(catalog, users, slate_size, n_items, n_users)
    with console_display(stderr()) as display:
        found = bench(only.split(","), sizes, Effort(repeats, seconds), peers, display)
    tell(found, out, json, tables.print_bench)


def bench_presets(
    names: Annotated[
        list[str] | None, typer.Argument(help="Built-in worlds; default: all.", show_default=False)
    ] = None,
    json: Json = False,
    out: JsonFile = None,
    catalog: CatalogName = "openclipart",
    users: Annotated[int, typer.Option("--n", min=2, help="Fresh users of every policy.")] = 1000,
    planned: Annotated[int, typer.Option(min=2, help="Users of the planning oracle, the first ones.")] = 100,
    launch: Annotated[int, typer.Option(min=2, help="Users of the log on which the static fusion is fitted.")] = 2000,
    budget: Annotated[int, typer.Option(min=10, help="Rollouts a decision of the planning oracle.")] = 640,
    slate_size: SlateSize = 10,
    horizon: Annotated[int, typer.Option(min=1, help="Most slates in a session.")] = 30,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the worlds and their users.")] = 0,
    threads: Threads = 1,
) -> None:
    """What the built-in worlds have to offer: returns from random slates up to the planning oracle."""
    from recsim.experiments import presets
    from recsim.experiments.bench import tables
    from recsim.experiments.progress import console_display

    size = presets.Size(users, planned, launch, budget, slate_size, horizon)
    with console_display(stderr()) as display:
        found = presets.measure(names or (), catalog, seed, size, n_threads=threads, display=display)
    tell(found, out, json, tables.print_presets)


def bench_learn(
    names: Annotated[
        list[str] | None,
        typer.Argument(help="Built-in worlds; default: marketplace, feed, choc.", show_default=False),
    ] = None,
    json: Json = False,
    out: JsonFile = None,
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
    catalog: CatalogName = "openclipart",
    slate_size: SlateSize = 10,
    horizon: Annotated[int, typer.Option(min=1, help="Most slates in a session.")] = 30,
    recent: Annotated[int, typer.Option(min=0, help="Clicked and bought items that agents are told of.")] = 20,
    threads: Threads = 1,
) -> None:
    """What agents earn in the built-in worlds, whether the project's claims hold, and how fast PPO trains."""
    from recsim.experiments.bench import tables
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
    with resumable(), console_display(stderr()) as display:
        found = learn(size, runs, n_threads=threads, display=display)
    tell(found, out, json, tables.print_learn)


def bench_ope(
    json: Json = False,
    out: JsonFile = None,
    only: Annotated[str, typer.Option(help="Rows to measure.")] = "memory,folder,marginals",
    slates: Annotated[int, typer.Option("--n", min=2, help="Slates of the log in memory.")] = 100_000,
    in_folder: Annotated[int, typer.Option(min=20, help="Slates of the log in a folder.")] = 10_000_000,
    slate_size: SlateSize = 10,
    draws: Annotated[int, typer.Option(min=2, help="Bootstrap draws.")] = 200,
    n_items: Annotated[int, typer.Option(min=2, help="Items of the row marginals.")] = 1852,
    workers: Annotated[int, typer.Option(min=1, help="Processes that share the folder.")] = 2,
    repeats: Annotated[int, typer.Option(min=1, help="Repeats; the median counts.")] = 5,
    seconds: Annotated[float, typer.Option(min=0.01, help="CPU-seconds of a repeat of marginals, at least.")] = 0.5,
) -> None:
    """Speed and memory of off-policy evaluation beside what is promised."""
    from recsim.experiments.bench import tables
    from recsim.experiments.bench.measures import Effort
    from recsim.experiments.bench.ope import OpeSizes, bench
    from recsim.experiments.progress import console_display

    sizes = OpeSizes(slates, in_folder, slate_size, draws, n_items, workers)
    with console_display(stderr()) as display:
        found = bench(only.split(","), sizes, Effort(repeats, seconds), display)
    tell(found, out, json, tables.print_ope_bench)


def bench_coverage(
    json: Json = False,
    out: JsonFile = None,
    replications: Annotated[int, typer.Option("--n", min=2, help="Logs of every world.")] = 2000,
    draws: Annotated[int, typer.Option(min=2, help="Bootstrap draws.")] = 200,
    level: Annotated[float, typer.Option(help="Of all intervals.")] = 0.95,
    seed: Annotated[int, typer.Option(min=0, help="Of the logs.")] = 0,
) -> None:
    """How often intervals hold the truth, in worlds where it is known, and what the verdicts say there."""
    from recsim.experiments.bench import tables
    from recsim.experiments.bench.coverage import CoverageSize, coverage
    from recsim.experiments.progress import console_display

    with console_display(stderr()) as display:
        found = coverage(CoverageSize(replications, draws, level, seed), display)
    tell(found, out, json, tables.print_coverage)


def bench_interests(
    json: Json = False,
    out: JsonFile = None,
    language_model: Annotated[
        str, typer.Option(metavar="PATH", help="Folder of a causal language model; default: no rows of one.")
    ] = "",
    device: Annotated[str, typer.Option(help="Where the language model runs: cpu or cuda.")] = "cpu",
    catalog: CatalogName = "openclipart",
    taught: Annotated[int, typer.Option(min=10, help="Users of each world whose interests are told.")] = 600,
    asked: Annotated[int, typer.Option("--n", min=2, help="Other users, whose interests are predicted.")] = 600,
    slates: Annotated[str, typer.Option(help="Lengths of the histories, with commas.")] = "5,10,30",
    seeds: Annotated[int, typer.Option(min=2, help="Worlds.")] = 10,
    launch: Annotated[int, typer.Option(min=2, help="Users of the log on which the static fusion is fitted.")] = 500,
    slate_size: SlateSize = 10,
    level: Annotated[float, typer.Option(help="Of all intervals.")] = 0.95,
    seed: Annotated[int, typer.Option(min=0, help="Of the first world.")] = 0,
) -> None:
    """How well hidden interests are predicted from what users were shown and clicked."""
    from recsim.experiments.bench import tables
    from recsim.experiments.bench.interests import InterestSize, interests, lengths
    from recsim.experiments.progress import console_display
    from recsim.language.model import CausalLM

    size = InterestSize(catalog, taught, asked, lengths(slates), seeds, launch, slate_size, level, seed)
    with input_errors():
        model = CausalLM(language_model, device=device) if language_model else None
    with console_display(stderr()) as display:
        found = interests(size, model, display)
    tell(found, out, json, tables.print_interests)
