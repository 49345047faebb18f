"""The command line `recsim`. Everything heavy is imported inside the commands, so that `recsim --help` is quick."""

from __future__ import annotations

import os
import shlex
import sys
from json import dumps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from recsim.experiments.cli_bench import bench_app
from recsim.experiments.cli_catalog import catalog_app
from recsim.experiments.commands import Json, JsonFile, SlateSize, Threads, examples, resumable, stderr, tell
from recsim.experiments.errors import UserError, input_errors
from recsim.report import Form

if TYPE_CHECKING:
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


app = typer.Typer(
    cls=Commands,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    help="Simulated users, logged slates and off-policy evaluation of recommender policies.",
    epilog=examples(
        "recsim run experiments/quickstart.yaml --out runs/quickstart",
        "recsim report runs/quickstart",
        "recsim catalog show openclipart",
    ),
)
app.add_typer(catalog_app, name="catalog")
app.add_typer(bench_app, name="bench")
log_app = typer.Typer(no_args_is_help=True, help="Hand logs to other programs.")
app.add_typer(log_app, name="log")

Config = Annotated[Path, typer.Argument(metavar="CONFIG.yaml", help="What to run.", show_default=False)]
Run = Annotated[Path | None, typer.Option("--run", metavar="RUN", help="Run folder with the trained models.")]


@app.command(
    epilog=examples(
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

    with resumable(f"recsim run {shlex.quote(str(config))} --out {shlex.quote(str(out))} --resume"):
        with console_display(stderr()) as display:
            folder = runner.run(settings, out, resume=resume, overwrite=overwrite, n_threads=threads, display=display)
        tables.print_summary(folder.path)


@app.command(
    epilog=examples(
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
    json: Json = False,
    out: JsonFile = None,
    threads: Threads = 1,
) -> None:
    """Run a whole experiment on several seeds: what its policies earn, with intervals over seeds."""
    settings = _read(config)
    from recsim.experiments import tables
    from recsim.experiments.progress import console_display
    from recsim.experiments.repeating import repeat

    with resumable(), console_display(stderr()) as display:
        found = repeat(settings, seeds, runs or Path("runs") / settings.name, n_threads=threads, display=display)
    tell(found, out, json, tables.print_repeated)


@app.command(epilog=examples("recsim train experiments/quickstart.yaml ppo --out runs/ppo"))
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
    with resumable(f"recsim train {' '.join(map(shlex.quote, words))}"), console_display(stderr()) as display:
        folder = runner.train(settings, chosen, out, n_threads=threads, display=display)
    typer.echo(folder.path / model)


@app.command(
    epilog=examples(
        "recsim collect experiments/quickstart.yaml --policy uniform --out log.parquet",
        "recsim collect experiments/quickstart.yaml --policy ppo --run runs/quickstart --out log.parquet",
        "recsim collect experiments/quickstart.yaml --policy uniform --users 100000 --users-per-file 5000 --out logs",
    )
)
def collect(
    config: Config,
    policy: Annotated[str, typer.Option(help="Name or kind of one of the config's policies.", show_default=False)],
    out: Annotated[Path, typer.Option(metavar="LOG", help="File to write, or folder.", show_default=False)],
    run: Run = None,
    users: Annotated[int | None, typer.Option(min=2, help="Users; default: as in the production log.")] = None,
    temperature: Annotated[float | None, typer.Option(min=0.0, help="Instead of the config's.")] = None,
    per_file: Annotated[
        int | None, typer.Option("--users-per-file", min=1, help="Make a folder of files of so many users each.")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a log that is there.")] = False,
    threads: Threads = 1,
) -> None:
    """Collect a log of a policy: one row a slate, with exact propensities, as Parquet."""
    settings = _read(config)
    from recsim.experiments.choice import chosen_policy
    from recsim.experiments.collecting import collect_log
    from recsim.experiments.progress import console_display
    from recsim.paths import check_place, taken

    if out.exists() and not overwrite:
        raise UserError(taken(out, "pass --overwrite", another="another name"))
    if out.exists() and out.is_dir() != (per_file is not None):
        raise UserError(f"{out} is a {'folder' if out.is_dir() else 'file'}; choose another name.")
    with input_errors():
        check_place(out)
    chosen = chosen_policy(settings, policy, temperature)
    with console_display(stderr()) as display:
        n_slates = collect_log(
            settings, chosen, out, run=run, users=users, per_file=per_file, n_threads=threads, display=display
        )
    typer.echo(f"{n_slates:,} slates in {out}")


@app.command(
    epilog=examples(
        "recsim evaluate --log log.parquet --config experiments/quickstart.yaml --policies uniform,popularity",
        "recsim evaluate --log log.parquet --run runs/quickstart --report evaluation.html",
        "recsim evaluate --log logs/ --run runs/quickstart --workers 2 --format markdown",
    )
)
def evaluate(
    log: Annotated[
        Path, typer.Option(metavar="LOG", help="The log, or a folder of its Parquet files.", show_default=False)
    ],
    config: Annotated[Path | None, typer.Option(metavar="CONFIG.yaml", help="Config with the policies.")] = None,
    run: Run = None,
    policies: Annotated[str | None, typer.Option(help="Their names, with commas; default: all that can be.")] = None,
    estimators: Annotated[str | None, typer.Option(help="Names, with commas; default: those of the config.")] = None,
    logging: Annotated[
        str | None, typer.Option(help="Policy of the config that wrote the log; default: looked for.")
    ] = None,
    report: Annotated[Path | None, typer.Option(metavar="FILE", help="Write a report here.")] = None,
    form: Annotated[Form | None, typer.Option("--format", help="To FILE, or to the terminal without one.")] = None,
    coverage: Annotated[
        Path | None, typer.Option(metavar="FILE.json", help="Show in the report what `recsim bench coverage` wrote.")
    ] = None,
    workers: Annotated[int, typer.Option(min=1, help="Processes that share a folder of logs.")] = 1,
    ray: Annotated[str | None, typer.Option(metavar="ADDRESS", help="Ray cluster instead, or local.")] = None,
    json: Annotated[Path | None, typer.Option(metavar="FILE", help="Write all estimates here, too.")] = None,
    threads: Threads = 1,
) -> None:
    """Estimate from a log alone what policies are worth."""
    if config is None and run is None:
        raise UserError("pass --config or --run: one of them must say which policies to evaluate.")
    if form == "html" and report is None:
        raise UserError("--format html needs a file: pass --report FILE.")
    settings = _read(config if config is not None else _config_of(run))
    from recsim.experiments import tables
    from recsim.experiments.judging import Judging, document, judge, measured_coverage
    from recsim.experiments.progress import console_display
    from recsim.files import write_json
    from recsim.report import render_evaluation, write_evaluation

    measured = {} if coverage is None else {"coverage": measured_coverage(coverage)}
    how = Judging(policies, estimators, logging, run, workers, ray)
    with console_display(stderr()) as display:
        judged = judge(settings, log, how, n_threads=threads, display=display)
    found = document(judged, log) | measured
    if form in ("markdown", "json") and report is None:
        typer.echo(render_evaluation(found, form=form))
    else:
        tables.print_evaluation(judged.evaluation)
    with input_errors():
        if report is not None:
            typer.echo(f"Report: {write_evaluation(found, report, form=form or 'html', catalog=judged.catalog)}")
        if json is not None:
            write_json(json, found)


@app.command(epilog=examples("recsim report runs/quickstart", "recsim report runs/quickstart --format markdown"))
def report(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A finished run folder.")],
    form: Annotated[Form, typer.Option("--format", help="html is written, the others go to the terminal.")] = "html",
) -> None:
    """Write the report of a finished run again: one HTML file that needs no network."""
    settings = _read(_config_of(run))
    from recsim.experiments.view import seen_catalog
    from recsim.experiments.world import catalog_of
    from recsim.report import render_report, write_report

    with input_errors():
        if form == "html":
            typer.echo(write_report(run, seen_catalog(settings.view, catalog_of(settings.catalog))))
        else:
            typer.echo(render_report(run, form=form))


@app.command(
    "check-users",
    epilog=examples(
        "recsim check-users my_package.users:MyUsers",
        "recsim check-users my_package.users:MyUsers --catalog ./my-shop --options '{mood: bad}'",
    ),
)
def check_users(
    model: Annotated[str, typer.Argument(metavar="MODULE:CLASS", help="Your class, or a built-in name.")],
    catalog: Annotated[str | None, typer.Option(metavar="NAME_OR_PATH", help="Default: 40 made-up items.")] = None,
    options: Annotated[str, typer.Option(metavar="YAML", help="Keyword arguments of the class.")] = "{}",
    slate_size: SlateSize = 5,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the users and slates.")] = 0,
    json: Json = False,
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


@log_app.command(
    "export",
    epilog=examples(
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


def _config_of(run: Path | None) -> Path:
    from recsim.experiments.run_folder import CONFIG, RunFolder

    return RunFolder(run or Path()).path / CONFIG


if __name__ == "__main__":
    app()
