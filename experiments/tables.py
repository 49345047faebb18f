"""What the command line prints at the end: tables that fit 80 columns."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.padding import Padding
from rich.table import Table

from recsim.experiments.bench.measures import measured, promised
from recsim.experiments.learning.claims import chosen, verdict
from recsim.ope import PREFERRED, PREFERRED_SESSION, Evaluation
from recsim.ope import Estimate as OpeEstimate
from recsim.report.format import UNDEFINED, compact, decimals, number, percent
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
    _columns(table, "policy", "estimator", right=("estimate", f"{evaluation.level:.0%} interval", "ess"))
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
                _interval(e.low, e.high, places),
                number(e.ess, 0),
                _verdict(e.verdict),
                end_section=row == len(own) - 1 and policy != last,
            )
    return table


def print_user_checks(report: Report) -> None:
    """Every rule with its outcome; then what failed, where and why, and what was skipped."""
    table = Table(title=f"Rules for {escape(report.model)}", **STYLE)
    _columns(table, "rule", "outcome", right=())
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


def print_bench(found: dict[str, Any]) -> None:
    """Speed and memory beside what is promised, and the peers."""
    console = Console()
    if found["measures"]:
        console.print(_measures(found["measures"]))
        world = (
            f"{found['catalog']} ({found['items']:,} items) and {found['n']:,} users where nothing else is said, "
            f"slates of {found['k']}; medians of {found['repeats']}. /s: user-steps per CPU-second. "
            f"{found['machine']['cpu']}"
        )
        console.print(escape(world), highlight=False)
    if found["peers"]:
        peers = Table(title="Peers: user-steps per CPU-second, and ours by theirs", **STYLE)
        _columns(peers, "peer", "what is stepped", right=("median", "ratio"))
        for one in found["peers"]:
            rate = f"{one['user_steps_per_cpu_second']:,}"
            peers.add_row(one["peer"], escape(one["stepped"]), rate, compact(one.get("ratio")))
        console.print(peers)


def print_ope_bench(found: dict[str, Any]) -> None:
    """Speed and memory of off-policy evaluation beside what is promised."""
    console = Console()
    console.print(_measures(found["measures"]))
    text = f"Medians of {found['repeats']}, the folder once. {found['machine']['cpu']}"
    console.print(escape(text), highlight=False)


def print_encoder_bench(found: dict[str, Any]) -> None:
    """Speed and size of encoders."""
    console = Console()
    table = Table(title="Encoders", **STYLE)
    _columns(table, "encoder", right=("columns", "weights", "median"))
    for one in found["measures"]:
        size = "" if one["weight_bytes"] is None else f"{one['weight_bytes'] / 1e6:.1f} MB"
        table.add_row(one["label"], str(one["dim"]), size, measured(one))
    console.print(table)
    text = f"Medians of {found['repeats']} on one thread. {found['machine']['cpu']}"
    console.print(escape(text), highlight=False)


def print_import_bench(found: dict[str, Any]) -> None:
    """Speed and memory of imports beside what is promised."""
    console = Console()
    console.print(_measures(found["measures"]))
    console.print(escape(f"Once each, on one thread. {found['machine']['cpu']}"), highlight=False)


def _measures(measures: list[dict[str, Any]]) -> Table:
    """The promises hold for the default sizes, so other sizes are shown without."""
    table = Table(title="Speed and memory", **STYLE)
    promises = any(map(promised, measures))
    _columns(table, "measure", right=("median", "promised", "kept") if promises else ("median",))
    for one in measures:
        kept = {True: "yes", False: "no", None: ""}[one.get("kept")]
        table.add_row(one["label"], measured(one), *([promised(one), kept] if promises else []))
    return table


def print_coverage(found: dict[str, Any]) -> None:
    """A table for each world: what share of the logs every interval held in, and the verdicts."""
    console = Console()
    kept = {True: "yes", False: "no", None: ""}
    for world in found["worlds"]:
        table = Table(title=f"{world['name']}: {found['replications']:,} logs", **STYLE)
        _columns(table, "estimator", "interval", right=("holds", "±", "width", "as asked"))
        for one in found["intervals"]:
            if one["world"] == world["name"]:
                cells = percent(one["coverage"]), number(100 * one["se"], 1), number(one["width"], 3)
                table.add_row(one["estimator"], one["interval"], *cells, kept[one["kept"]])
        console.print(table)
        for one in found["verdicts"]:
            if one["world"] == world["name"]:
                shares = ", ".join(f"{level} {percent(one[level], 0)}" for level in COLOURS)
                console.print(f"  {one['estimator']}: {shares}", highlight=False)


def print_interests(found: dict[str, Any]) -> None:
    """A table for each policy and length of the histories: how well each predictor tells hidden interests."""
    console = Console()
    for policy, slates in dict.fromkeys((row["policy"], row["slates"]) for row in found["rows"]):
        title = f"{slates} slates by {policy}, {found['asked']:,} users in each of {found['seeds']} worlds"
        table = Table(title=title, **STYLE)
        _columns(table, "predictor", right=("ndcg", "recall@3", "correlation", "personal", "log loss"))
        for row in found["rows"]:
            if (row["policy"], row["slates"]) == (policy, slates):
                table.add_row(
                    escape(row["predictor"]), *(number(row["scores"][m]["mean"], 3) for m in found["metrics"])
                )
        console.print(table)
    if found["without_a_language_model"]:
        console.print("No language model was named, so none was asked.", highlight=False)


def print_presets(found: dict[str, Any]) -> None:
    """A table for each world: what each policy earns, and how many times the one above it."""
    console = Console()
    for name, rows in found["presets"].items():
        table = Table(title=f"{name}: {rows[0]['n_users']:,} users", **STYLE)
        _columns(table, "policy", right=("return", "times the one above", "slates", "ctr", "conversions"))
        places = decimals(row["return"]["se"] for row in rows)
        for row in rows:
            whole, times = row["return"], row.get("times_before")
            few = f" ({row['n_users']:,} users)" if row["n_users"] < rows[0]["n_users"] else ""
            table.add_row(
                escape(row["policy"] + few),
                f"{number(whole['mean'], places)} ± {number(whole['se'], places)}",
                f"{number(times['ratio'], 2)} {_interval(times['low'], times['high'], 2)}" if times else "",
                number(row["length"]["mean"], 1),
                f"{row['click_through_rate']:.1%}",
                number(row["conversions"], 2),
            )
        console.print(table)


def print_learn(found: dict[str, Any]) -> None:
    """For each world what policies and fusions earn, and the claims; then the speed of training."""
    console = Console()
    for name, rows in found["presets"].items():
        worlds = f"in each of the worlds of seeds 0 to {found['seeds'] - 1}"
        console.print(_earned(f"{name}: {found['n_users']:,} users {worlds}", rows["policies"]))
        console.print(_earned(f"{name}: fusions, {found['n_selecting']:,} other users {worlds}", rows["fusions"]))
        console.print(_claims(name, found))
    table = Table(title="Speed of PPO, in CPU-seconds of one thread unless by the clock", **STYLE)
    _columns(table, "measure", right=("measured", "promised", "kept"))
    for one in found["speed"]:
        table.add_row(one["label"], measured(one), promised(one), "yes" if one["kept"] else "no")
    console.print(table)


def print_repeated(found: dict[str, Any]) -> None:
    """What policies earn over seeds, and how much more or less than the first one."""
    rows, seeds = found["policies"], found["seeds"]
    title = f"{found['name']}: seeds {seeds[0]} to {seeds[-1]}, {rows[0]['n_users']:,} users each"
    table = Table(title=f"{title}; {found['level']:.0%} intervals over seeds", **STYLE)
    _columns(table, "policy", right=("return", f"less {rows[0]['policy']}", "training"))
    places = decimals(row["return"]["se"] for row in rows)
    for row in rows:
        table.add_row(
            escape(row["policy"]),
            *(
                f"{number(row[name]['mean'], places)} {_interval(row[name]['low'], row[name]['high'], places)}"
                if name in row
                else ""
                for name in ("return", "difference")
            ),
            "" if row["training_seconds"] is None else f"{number(row['training_seconds'], 0)} s",
        )
    Console().print(table)


def print_corruption(found: dict[str, Any]) -> None:
    """A table for each fusion: what it earns in every view, and how much less than in the clean one."""
    for method in found["methods"]:
        rows = [row for row in found["rows"] if row["policy"] == method]
        title = f"{method}: {found['seeds']} worlds, {found['n_users']:,} users each"
        table = Table(title=f"{title}; {found['level']:.0%} intervals over worlds", **STYLE)
        _columns(table, "corruption", "modalities", right=("return", "less the clean view"))
        places = decimals(row["return"]["se"] for row in rows)
        for row in rows:
            cells = (
                "" if one is None else f"{number(one['mean'], places)} {_interval(one['low'], one['high'], places)}"
                for one in (row["return"], row["difference"])
            )
            table.add_row(
                f"{row['corruption']} {row['severity']}" if row["corruption"] else "none", row["modality"], *cells
            )
        Console().print(table)


def _claims(world: str, found: dict[str, Any]) -> Table:
    table = Table(title=f"{world}: claims, with {found['level']:.0%} intervals over worlds", **STYLE)
    _columns(table, "claim", right=("measured", "asked", "met"))
    for one in found["claims"]:
        if one["preset"] == world:
            asked = "" if one["asked"] is None else f"> {one['asked']:g}"
            found_there = f"{number(one['measured'])} {_interval(one['low'], one['high'], 2)}"
            table.add_row(one["claim"], found_there, asked, verdict(one))
    return table


def _earned(title: str, rows: list[dict[str, Any]]) -> Table:
    table = Table(title=title, caption_justify="left", **STYLE)
    _columns(table, "policy", right=("return", "slates", "clicks", "bought", "training"))
    table.caption = "; ".join(f"{row['policy']}: {chosen(row)}" for row in rows if chosen(row)) or None
    places = decimals(row["return"]["se"] for row in rows)
    for row in rows:
        whole, objectives, seconds = row["return"], row["objectives"], row["training_seconds"]
        few = f" ({row['n_users']:,} users)" if row["n_users"] < rows[0]["n_users"] else ""
        table.add_row(
            escape(row["policy"] + few),
            f"{number(whole['mean'], places)} {_interval(whole['low'], whole['high'], places)}",
            number(row["length"], 1),
            number(objectives["click"], 1),
            number(objectives["conversion"], 2),
            "" if seconds is None else f"{number(seconds, 0 if seconds >= 10 else 1)} s",
        )
    return table


def _summary(run: Run) -> Table:
    metrics = run.metrics
    table = Table(
        title=f"{metrics.name}: {metrics.n_users:,} users, {escape(metrics.catalog.name)}",
        caption_justify="left",
        **STYLE,
    )
    _columns(table, "policy", right=("return", "slate", "slate, from the log"))
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
    text = f"{number(estimate.value, places)} {_interval(estimate.low, estimate.high, places)}"
    return text, f"{estimate.estimator}, {_verdict(estimate.verdict)}"


def _interval(low: float | None, high: float | None, places: int) -> str:
    return f"\\[{number(low, places)}, {number(high, places)}]"


def _verdict(verdict: str) -> str:
    return f"[{COLOURS[verdict]}]{verdict}[/]"


def _columns(table: Table, *left: str, right: Iterable[str]) -> None:
    for name in left:
        table.add_column(name)
    for name in right:
        table.add_column(name, justify="right", no_wrap=True)


def print_retrieval(found: dict[str, Any]) -> None:
    """For each catalogue: nearest items, partners across modalities, planted faults."""
    console = Console()
    for one in found["catalogs"]:
        title = f"{one['name']}: of the 5 nearest of {one['items']:,} items, of the same category"
        nearest = Table(title=escape(title), **STYLE)
        _columns(nearest, "space", "learns from", right=("share", "less text", "no copies", "less text"))
        for row in one["nearest"]:
            shares = (row[key]["mean"] for key in ("all", "less_text", "without_copies", "without_copies_less_text"))
            nearest.add_row(row["space"], row["learns"], *(percent(share) for share in shares))
        console.print(nearest)
        recall = Table(title="Partner found, held out", **STYLE)
        _columns(recall, "alignment", right=("first", "among ten"))
        for row in one["recall"]:
            recall.add_row(row["method"], percent(row["recall_1"]["mean"]), percent(row["recall_10"]["mean"]))
        console.print(recall)
        planted = Table(title=f"Faults planted in {found['share']:.0%}", **STYLE)
        _columns(planted, "found by", right=("AUC", "precision"))
        for kind in ("swaps", "labels"):
            for row in one[kind]:
                name = f"{kind}: {row['method']}"
                planted.add_row(name, number(row["auc"]["mean"], 3), percent(row["precision"]["mean"]))
        console.print(planted)
