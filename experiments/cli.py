"""The command line `recsim`. Everything heavy is imported inside the commands, so that `recsim --help` is quick."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Callable
from json import dumps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from recsim.experiments.errors import UserError, input_errors

if TYPE_CHECKING:
    from rich.console import Console

    from recsim.experiments.config import RunConfig


class Commands(TyperGroup):
    """Commands whose `UserError` is printed as it is, without a traceback, and ends with exit code 2."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except UserError as error:
            typer.echo(str(error), err=True)
            raise typer.Exit(2) from error
        except KeyboardInterrupt as error:
            typer.echo("Interrupted; no file was left half-written.", err=True)
            raise typer.Exit(130) from error


def _examples(*commands: str) -> str:
    return "Examples:\n\n" + "\n\n".join(f"  {command}" for command in commands)


app = typer.Typer(
    cls=Commands,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    help="Simulated users, logged slates and off-policy evaluation of recommender policies.",
    epilog=_examples(
        "recsim run experiments/quickstart.yaml --out runs/quickstart",
        "recsim report runs/quickstart",
        "recsim catalog show openclipart",
    ),
)
catalog_app = typer.Typer(no_args_is_help=True, help="Look at catalogues.")
bench_app = typer.Typer(
    no_args_is_help=True, help="Measure how fast the simulator is, and what its worlds have to offer."
)
app.add_typer(catalog_app, name="catalog")
app.add_typer(bench_app, name="bench")
log_app = typer.Typer(no_args_is_help=True, help="Hand logs to other programs.")
app.add_typer(log_app, name="log")

Config = Annotated[Path, typer.Argument(metavar="CONFIG.yaml", help="What to run.", show_default=False)]
Threads = Annotated[int, typer.Option(min=1, help="Threads of the simulation; results do not depend on it.")]
Run = Annotated[Path | None, typer.Option("--run", metavar="RUN", help="Run folder with the trained models.")]


@app.command(
    epilog=_examples(
        "recsim run experiments/quickstart.yaml --out runs/quickstart",
        "recsim run experiments/quickstart.yaml --out runs/quickstart --resume",
    )
)
def run(
    config: Config,
    out: Annotated[Path, typer.Option(metavar="DIR", help="Run folder to make.", show_default=False)],
    resume: Annotated[bool, typer.Option("--resume", help="Go on where a run in DIR stopped.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a run in DIR.")] = False,
    threads: Threads = 1,
) -> None:
    """Run a whole experiment: logs, training, evaluation with the truth and offline, report."""
    settings = _read(config)
    from recsim.experiments import runner, tables
    from recsim.experiments.progress import console_display

    with _resumable(f"recsim run {shlex.quote(str(config))} --out {shlex.quote(str(out))} --resume"):
        with console_display(_stderr()) as display:
            folder = runner.run(settings, out, resume=resume, overwrite=overwrite, n_threads=threads, display=display)
        tables.print_summary(folder.path)


@app.command(
    epilog=_examples(
        "recsim repeat experiments/quickstart.yaml --seeds 3 --runs runs/three",
        "recsim repeat experiments/studies/modalities/config.yaml --out modalities.json",
    )
)
def repeat(
    config: Config,
    seeds: Annotated[int, typer.Option(min=2, help="How many: the config's own and those after it.")] = 3,
    runs: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Run folders; what is finished there is kept. Default: runs/ and the config's name.",
            show_default=False,
        ),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False,
    out: Annotated[Path | None, typer.Option(metavar="FILE.json", help="Write the JSON here, too.")] = None,
    threads: Threads = 1,
) -> None:
    """Run a whole experiment on several seeds: what its policies earn, with intervals over seeds."""
    settings = _read(config)
    from recsim.experiments import tables
    from recsim.experiments.progress import console_display
    from recsim.experiments.repeating import repeat

    with _resumable("the same command"), console_display(_stderr()) as display:
        found = repeat(settings, seeds, runs or Path("runs") / settings.name, n_threads=threads, display=display)
    _tell(found, out, json, tables.print_repeated)


@app.command(epilog=_examples("recsim train experiments/quickstart.yaml ppo --out runs/ppo"))
def train(
    config: Config,
    policy: Annotated[str, typer.Argument(help="Name or kind of one of the config's policies.", show_default=False)],
    out: Annotated[Path, typer.Option(metavar="DIR", help="Run folder: new, or one of the same config.")],
    threads: Threads = 1,
) -> None:
    """Train one policy and save it, with what it needs, in a run folder; `recsim run --resume` can go on from there."""
    settings = _read(config)
    from recsim.experiments import runner
    from recsim.experiments.choice import chosen_policy
    from recsim.experiments.policies import model_file
    from recsim.experiments.progress import console_display

    chosen = chosen_policy(settings, policy)
    model = model_file(chosen)
    if model is None:
        raise UserError(f"{chosen.title!r} is of kind {chosen.kind}, which needs no training.")
    words = (str(config), policy, "--out", str(out))
    with _resumable(f"recsim train {' '.join(map(shlex.quote, words))}"), console_display(_stderr()) as display:
        folder = runner.train(settings, chosen, out, n_threads=threads, display=display)
    typer.echo(folder.path / model)


@app.command(
    epilog=_examples(
        "recsim collect experiments/quickstart.yaml --policy uniform --out log.parquet",
        "recsim collect experiments/quickstart.yaml --policy ppo --run runs/quickstart --out log.parquet",
    )
)
def collect(
    config: Config,
    policy: Annotated[str, typer.Option(help="Name or kind of one of the config's policies.", show_default=False)],
    out: Annotated[Path, typer.Option(metavar="LOG.parquet", help="File to write.", show_default=False)],
    run: Run = None,
    users: Annotated[int | None, typer.Option(min=2, help="Users; default: as in the production log.")] = None,
    temperature: Annotated[float | None, typer.Option(min=0.0, help="Instead of the config's.")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a file that is there.")] = False,
    threads: Threads = 1,
) -> None:
    """Collect a log of a policy: one row a slate, with exact propensities, as Parquet."""
    settings = _read(config)
    from recsim.experiments.choice import chosen_policy
    from recsim.experiments.collecting import collect_log
    from recsim.experiments.progress import console_display

    if out.exists() and not overwrite:
        raise UserError(f"{out} exists already; choose another name or pass --overwrite.")
    chosen = chosen_policy(settings, policy, temperature)
    with console_display(_stderr()) as display:
        n_slates = collect_log(settings, chosen, out, run=run, users=users, n_threads=threads, display=display)
    typer.echo(f"{n_slates:,} slates in {out}")


@app.command(
    epilog=_examples(
        "recsim evaluate --log log.parquet --config experiments/quickstart.yaml --policies uniform,popularity",
        "recsim evaluate --log log.parquet --run runs/quickstart --json estimates.json",
    )
)
def evaluate(
    log: Annotated[Path, typer.Option(metavar="LOG.parquet", help="The log.", show_default=False)],
    config: Annotated[Path | None, typer.Option(metavar="CONFIG.yaml", help="Config with the policies.")] = None,
    run: Run = None,
    policies: Annotated[str | None, typer.Option(help="Their names, with commas; default: all that can be.")] = None,
    json: Annotated[Path | None, typer.Option(metavar="FILE", help="Write all estimates here, too.")] = None,
    threads: Threads = 1,
) -> None:
    """Estimate from a log alone what policies are worth."""
    if config is None and run is None:
        raise UserError("pass --config or --run: one of them must say which policies to evaluate.")
    settings = _read(config if config is not None else _config_of(run))
    from recsim.experiments import tables
    from recsim.experiments.judging import judge
    from recsim.experiments.progress import console_display
    from recsim.files import write_json

    with console_display(_stderr()) as display:
        evaluation = judge(settings, log, run=run, names=policies, n_threads=threads, display=display)
    tables.print_evaluation(evaluation)
    if json is not None:
        with input_errors():
            write_json(json, evaluation.to_dict())


@app.command(epilog=_examples("recsim report runs/quickstart"))
def report(run: Annotated[Path, typer.Argument(metavar="RUN", help="A finished run folder.")]) -> None:
    """Write the report of a finished run again: one HTML file that needs no network."""
    settings = _read(_config_of(run))
    from recsim.experiments.world import catalog_of
    from recsim.report import write_report

    with input_errors():
        typer.echo(write_report(run, catalog_of(settings.catalog)))


@app.command(
    "check-users",
    epilog=_examples(
        "recsim check-users my_package.users:MyUsers",
        "recsim check-users my_package.users:MyUsers --catalog ./my-shop --options '{mood: bad}'",
    ),
)
def check_users(
    model: Annotated[str, typer.Argument(metavar="MODULE:CLASS", help="Your class, or a built-in name.")],
    catalog: Annotated[str | None, typer.Option(metavar="NAME_OR_PATH", help="Default: 40 made-up items.")] = None,
    options: Annotated[str, typer.Option(metavar="YAML", help="Keyword arguments of the class.")] = "{}",
    slate_size: Annotated[int, typer.Option("--k", min=1, help="Slate size.")] = 5,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the users and slates.")] = 0,
    json: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False,
) -> None:
    """Check a user model of your own by every rule. Exit code 1: a rule fails."""
    _import_from_here()
    from recsim.experiments.checking import checked_users
    from recsim.experiments.tables import print_user_checks

    found = checked_users(model, catalog, options, slate_size=slate_size, seed=seed)
    if json:
        typer.echo(dumps(found.to_dict(), indent=1))
    else:
        print_user_checks(found)
    if not found.ok:
        raise typer.Exit(1)


@catalog_app.command("show", epilog=_examples("recsim catalog show openclipart", "recsim catalog show ./my-shop"))
def catalog_show(
    name: Annotated[str, typer.Argument(metavar="NAME_OR_PATH", help="A bundled catalogue or a folder.")],
) -> None:
    """Show what is in a catalogue."""
    from recsim.catalog import load_catalog
    from recsim.experiments.tables import print_catalog

    with input_errors():
        found = load_catalog(name)
    print_catalog(found)


@bench_app.command(
    "env",
    epilog=_examples("recsim bench env", "recsim bench env --only vector,single --json", "recsim bench env --n 64"),
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
    with console_display(_stderr()) as display:
        found = bench(only.split(","), sizes, Effort(repeats, seconds), peers, display)
    _tell(found, out, json, tables.print_bench)


@bench_app.command("presets", epilog=_examples("recsim bench presets", "recsim bench presets marketplace choc --json"))
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
    with console_display(_stderr()) as display:
        found = presets.measure(names or (), catalog, seed, size, n_threads=threads, display=display)
    _tell(found, out, json, tables.print_presets)


@bench_app.command(
    "learn",
    epilog=_examples(
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
    with _resumable("the same command"), console_display(_stderr()) as display:
        found = learn(size, runs, n_threads=threads, display=display)
    _tell(found, out, json, tables.print_learn)


@log_app.command(
    "export",
    epilog=_examples(
        "recsim log export log.parquet --format minari --out ~/.minari/datasets",
        "recsim log export log.parquet --format d3rlpy-npz --out exported",
    ),
)
def log_export(
    log: Annotated[Path, typer.Argument(metavar="LOG.parquet", help="The log.", show_default=False)],
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder to write into.", show_default=False)],
    form: Annotated[str, typer.Option("--format", help="minari or d3rlpy-npz.")] = "minari",
    actions: Annotated[str | None, typer.Option(help="slate (default for Minari) or taste (for d3rlpy).")] = None,
    name: Annotated[str, typer.Option(help="Minari's name of the dataset.")] = "recsim-log-v0",
    catalog: Annotated[str | None, typer.Option(metavar="NAME_OR_PATH", help="Default: the one the log names.")] = None,
) -> None:
    """Write a log as a Minari dataset or as the arrays of d3rlpy's MDPDataset: an episode a session."""
    from recsim.experiments.exporting import export_log

    typer.echo(export_log(log, out, form, actions, name, catalog))


def _read(path: Path) -> RunConfig:
    """The config, whose user models may stand in the working folder."""
    _import_from_here()
    from recsim.experiments.config_file import read_config

    return read_config(path)


def _import_from_here() -> None:
    """Make the modules of the working folder importable."""
    if os.getcwd() not in sys.path:
        sys.path.append(os.getcwd())


def _tell(found: dict[str, Any], out: Path | None, json: bool, as_table: Callable[[dict[str, Any]], None]) -> None:
    """What was measured: in a file, if one is named, and on the terminal as JSON or as a table."""
    from recsim.files import write_json

    if out is not None:
        with input_errors():
            write_json(out, found)
    if json:
        typer.echo(dumps(found, indent=1, ensure_ascii=False))
    else:
        as_table(found)


def _config_of(run: Path | None) -> Path:
    from recsim.experiments.run_folder import CONFIG, RunFolder

    return RunFolder(run or Path()).path / CONFIG


def _stderr() -> Console:
    from rich.console import Console

    return Console(stderr=True)


class _resumable:
    """Ctrl-C inside ends with one sentence that says how to go on, and exit code 130."""

    def __init__(self, command: str) -> None:
        self._command = command

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is KeyboardInterrupt:
            typer.echo(f"Interrupted; finished stages are kept. Go on with: {self._command}", err=True)
            raise typer.Exit(130)


if __name__ == "__main__":
    app()
