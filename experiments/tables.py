"""What the command line prints of runs, evaluations and user models: tables that fit 80 columns."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.padding import Padding
from rich.table import Table

from recsim.ope import PREFERRED, PREFERRED_SESSION, Evaluation
from recsim.ope import Estimate as OpeEstimate
from recsim.report.format import UNDEFINED, decimals, number
from recsim.report.read import Run, read_run
from recsim.report.results import REWARD, Estimate
from recsim.testing import Report

STYLE: dict[str, Any] = {"box": box.SIMPLE_HEAD, "title_justify": "left", "title_style": "bold"}
COLOURS = {"trust": "green", "caution": "yellow", "do not use": "red"}
OUTCOMES = {"passed": "green", "skipped": "dim", "failed": "red"}


def print_summary(path: Path) -> None:
    """The result of a run, and where its report is."""
    console, run = Console(), read_run(path)
    console.print(_summary(run))
    console.print(f"Report: {path / 'report.html'}", highlight=False, soft_wrap=True)


def print_evaluation(evaluation: Evaluation) -> None:
    """The estimates of the reward, of a slate and of whole sessions apart."""
    for estimand, order in (("slate", PREFERRED), ("session", PREFERRED_SESSION)):
        own = [e for e in evaluation.estimates if (e.objective, e.estimand) == (REWARD, estimand)]
        if own:
            Console().print(_evaluation_table(evaluation, own, estimand, order))


def _evaluation_table(
    evaluation: Evaluation, estimates: list[OpeEstimate], estimand: str, order: Sequence[str]
) -> Table:
    sizes = f"{evaluation.n_slates:,} logged slates of {evaluation.n_sessions:,} sessions"
    table = Table(title=f"Reward of a {estimand}, from {sizes}")
    columns(table, "policy", "estimator", right=("estimate", f"{evaluation.level:.0%} interval", "ess"))
    table.add_column("verdict")
    places = decimals(estimate.se for estimate in estimates)
    last = estimates[-1].policy
    for policy in dict.fromkeys(estimate.policy for estimate in estimates):
        own = sorted((e for e in estimates if e.policy == policy), key=lambda e: order.index(e.estimator))
        for row, e in enumerate(own):
            table.add_row(
                policy if row == 0 else "",
                e.estimator,
                number(e.value, places),
                interval(e.low, e.high, places),
                number(e.ess, 0),
                _verdict(e.verdict),
                end_section=row == len(own) - 1 and policy != last,
            )
    return table


def print_user_checks(report: Report) -> None:
    """Every rule with its outcome; then what failed, where and why, and what was skipped."""
    table = Table(title=f"Rules for {escape(report.model)}", **STYLE)
    columns(table, "rule", "outcome", right=())
    for check in report.checks:
        table.add_row(check.rule, f"[{OUTCOMES[check.outcome]}]{check.outcome}[/]")
    console = Console(highlight=False)
    console.print(table)
    for check in report.failures:
        console.print(f"[red]{check.rule}[/]: {escape(check.detail)}.")
        console.print(Padding(f"Likely cause: {escape(check.cause)}.", (0, 0, 0, 2)))
    reasons = dict.fromkeys(check.detail for check in report.checks if check.outcome == "skipped")
    for reason in reasons:
        rules = ", ".join(check.rule for check in report.checks if check.detail == reason)
        console.print(f"[dim]Skipped, as {escape(reason)}: {rules}.[/]")


def print_repeated(found: dict[str, Any]) -> None:
    """What policies earn over seeds, and how much more or less than the first one."""
    rows, seeds = found["policies"], found["seeds"]
    title = f"{found['name']}: seeds {seeds[0]} to {seeds[-1]}, {rows[0]['n_users']:,} users each"
    table = Table(title=f"{title}; {found['level']:.0%} intervals over seeds", **STYLE)
    columns(table, "policy", right=("return", f"less {rows[0]['policy']}", "training"))
    places = decimals(row["return"]["se"] for row in rows)
    for row in rows:
        table.add_row(
            escape(row["policy"]),
            *(with_interval(row.get(name), places) for name in ("return", "difference")),
            "" if row["training_seconds"] is None else f"{number(row['training_seconds'], 0)} s",
        )
    Console().print(table)


def _summary(run: Run) -> Table:
    metrics = run.metrics
    table = Table(
        title=f"{metrics.name}: {metrics.n_users:,} users, {escape(metrics.catalog.name)}",
        caption_justify="left",
        **STYLE,
    )
    columns(table, "policy", right=("return", "slate", "slate, from the log"))
    table.add_column("by, verdict", no_wrap=True)
    wide = decimals(policy.truth[REWARD].se for policy in metrics.policies)
    used = {estimate.estimator for estimate in metrics.offline}
    spoken = {policy.name: run.offline.speaker(policy.name) for policy in metrics.policies}
    narrow = decimals(e.se for e in spoken.values() if e is not None)
    for policy in metrics.policies:
        own = policy.truth[REWARD]
        slate = policy.slate_truth[REWARD].mean if policy.slate_truth else None
        table.add_row(
            policy.name,
            f"{number(own.mean, wide)} ± {number(own.se, wide)}",
            number(slate, narrow),
            *_estimate(spoken[policy.name], narrow),
        )
    table.caption = (
        "Return: true reward of a session ± standard error, the same users for all. Slate: true reward of one slate in "
        f"the situations of a log of {run.logging_policy} ({metrics.log.slates:,} slates), and its estimate from that "
        f"log alone, with {metrics.level:.0%} interval. The estimator is chosen without the truth: best verdict, then "
        f"{', '.join(name for name in PREFERRED if name in used)} (fewest assumptions at least variance)."
    )
    return table


def _estimate(estimate: Estimate | None, places: int) -> tuple[str, str]:
    if estimate is None:
        return UNDEFINED, ""
    text = f"{number(estimate.value, places)} {interval(estimate.low, estimate.high, places)}"
    return text, f"{estimate.estimator}, {_verdict(estimate.verdict)}"


def _verdict(verdict: str) -> str:
    return f"[{COLOURS[verdict]}]{verdict}[/]"


def columns(table: Table, *left: str, right: Iterable[str]) -> None:
    """Adds columns to a table, flush left and flush right."""
    for name in left:
        table.add_column(name)
    for name in right:
        table.add_column(name, justify="right", no_wrap=True)


def with_interval(found: dict[str, float] | None, places: int) -> str:
    """A mean and its interval, or nothing."""
    if found is None:
        return ""
    return f"{number(found['mean'], places)} {interval(found['low'], found['high'], places)}"


def interval(low: float | None, high: float | None, places: int) -> str:
    """An interval in brackets, which rich is not to take for markup."""
    return f"\\[{number(low, places)}, {number(high, places)}]"
