"""What `recsim bench` prints: tables that fit 80 columns."""

from __future__ import annotations

from itertools import product
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from recsim.experiments.bench.measures import measured, promised
from recsim.experiments.learning.claims import chosen, verdict
from recsim.experiments.tables import COLOURS, STYLE, columns, interval, with_interval
from recsim.report.format import compact, decimals, number, percent


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
        columns(peers, "peer", "what is stepped", right=("median", "ratio"))
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
    columns(table, "encoder", right=("columns", "weights", "median"))
    for one in found["measures"]:
        size = "" if one["weight_bytes"] is None else f"{one['weight_bytes'] / 1e6:.1f} MB"
        table.add_row(one["label"], str(one["dim"]), size, measured(one))
    console.print(table)
    for one in found["missing"]:
        console.print(escape(f"Left out: {one['label']}, as {one['why']}"), highlight=False)
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
    columns(table, "measure", right=("median", "promised", "kept") if promises else ("median",))
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
        columns(table, "estimator", "interval", right=("holds", "±", "width", "as asked"))
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
        columns(table, "predictor", right=("ndcg", "recall@3", "correlation", "personal", "log loss"))
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
        columns(table, "policy", right=("return", "times the one above", "slates", "ctr", "conversions"))
        places = decimals(row["return"]["se"] for row in rows)
        for row in rows:
            whole, times = row["return"], row.get("times_before")
            few = f" ({row['n_users']:,} users)" if row["n_users"] < rows[0]["n_users"] else ""
            table.add_row(
                escape(row["policy"] + few),
                f"{number(whole['mean'], places)} ± {number(whole['se'], places)}",
                f"{number(times['ratio'], 2)} {interval(times['low'], times['high'], 2)}" if times else "",
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
    columns(table, "measure", right=("measured", "promised", "kept"))
    for one in found["speed"]:
        table.add_row(one["label"], measured(one), promised(one), "yes" if one["kept"] else "no")
    console.print(table)


def print_corruption(found: dict[str, Any]) -> None:
    """A table for each world and fusion of what it earns in every view; then how much less, over all corruptions."""
    worlds = f"{found['seeds']} worlds, {found['n_users']:,} users each; {found['level']:.0%} intervals over worlds"
    for preset, method in product(found["presets"], found["methods"]):
        rows = [row for row in found["rows"] if (row["preset"], row["policy"]) == (preset, method)]
        table = Table(title=f"{preset}, {method}", caption=worlds, caption_justify="left", **STYLE)
        columns(table, "corruption", "modalities", right=("return", "less the clean view"))
        places = decimals(row["return"]["se"] for row in rows)
        for row in rows:
            table.add_row(
                f"{row['corruption']} {row['severity']}" if row["corruption"] else "none",
                row["modality"],
                *(with_interval(row[name], places) for name in ("return", "difference")),
            )
        Console().print(table)
    overall = Table(title="Mean over corruptions, less the clean view", caption=worlds, caption_justify="left", **STYLE)
    columns(overall, "world", "fusion", right=(f"severity {severity}" for severity in found["severities"]))
    places = decimals(row["difference"]["se"] for row in found["overall"])
    for preset, method in product(found["presets"], found["methods"]):
        rows = [row for row in found["overall"] if (row["preset"], row["policy"]) == (preset, method)]
        overall.add_row(preset, method, *(with_interval(row["difference"], places) for row in rows))
    Console().print(overall)


def print_compression(found: dict[str, Any]) -> None:
    """A row for each form of each encoder."""
    table = Table(title="Encoders, as they are and exported", **STYLE)
    columns(table, "encoder", "form", right=("CPU-s / 1,000", "MB", "neighbours kept", "as asked"))
    for one in found["measures"]:
        table.add_row(*compression_cells(one), "yes" if one["kept"] else "no")
    console = Console()
    console.print(table)
    text = f"Medians of {found['repeats']} parts of the items, one thread. {found['machine']['cpu']}"
    console.print(text, highlight=False, markup=False)


def compression_cells(one: dict[str, Any]) -> tuple[str, ...]:
    """Encoder, form, time, size and neighbours of a measure."""
    seconds, size = number(one["cpu_seconds_per_1000"], 1), number(one["megabytes"], 1)
    return one["encoder"], one["form"], seconds, size, percent(one["neighbours_kept"])


def print_retrieval(found: dict[str, Any]) -> None:
    """For each catalogue: nearest items, partners across modalities, planted faults."""
    console = Console()
    for one in found["catalogs"]:
        title = f"{one['name']}: of the 5 nearest of {one['items']:,} items, of the same category"
        nearest = Table(title=escape(title), **STYLE)
        columns(nearest, "space", "learns from", right=("share", "less text", "no copies", "less text"))
        for row in one["nearest"]:
            shares = (row[key]["mean"] for key in ("all", "less_text", "without_copies", "without_copies_less_text"))
            nearest.add_row(row["space"], row["learns"], *(percent(share) for share in shares))
        console.print(nearest)
        recall = Table(title="Partner found, held out", **STYLE)
        columns(recall, "alignment", right=("first", "among ten"))
        for row in one["recall"]:
            recall.add_row(row["method"], percent(row["recall_1"]["mean"]), percent(row["recall_10"]["mean"]))
        console.print(recall)
        planted = Table(title=f"Faults planted in {found['share']:.0%}", **STYLE)
        columns(planted, "found by", right=("AUC", "of as many", "of flagged", "flagged"))
        for kind in ("swaps", "labels"):
            for row in one[kind]:
                name = f"{kind}: {row['method']}"
                shares = (row[key]["mean"] for key in ("precision", "flagged_precision", "flagged_recall"))
                planted.add_row(name, number(row["auc"]["mean"], 3), *(percent(share) for share in shares))
        console.print(planted)


def _claims(world: str, found: dict[str, Any]) -> Table:
    table = Table(title=f"{world}: claims, with {found['level']:.0%} intervals over worlds", **STYLE)
    columns(table, "claim", right=("measured", "asked", "met"))
    for one in found["claims"]:
        if one["preset"] == world:
            asked = "" if one["asked"] is None else f"> {one['asked']:g}"
            found_there = f"{number(one['measured'])} {interval(one['low'], one['high'], 2)}"
            table.add_row(one["claim"], found_there, asked, verdict(one))
    return table


def _earned(title: str, rows: list[dict[str, Any]]) -> Table:
    table = Table(title=title, caption_justify="left", **STYLE)
    columns(table, "policy", right=("return", "slates", "clicks", "bought", "training"))
    table.caption = "; ".join(f"{row['policy']}: {chosen(row)}" for row in rows if chosen(row)) or None
    places = decimals(row["return"]["se"] for row in rows)
    for row in rows:
        whole, objectives, seconds = row["return"], row["objectives"], row["training_seconds"]
        few = f" ({row['n_users']:,} users)" if row["n_users"] < rows[0]["n_users"] else ""
        table.add_row(
            escape(row["policy"] + few),
            with_interval(whole, places),
            number(row["length"], 1),
            number(objectives["click"], 1),
            number(objectives["conversion"], 2),
            "" if seconds is None else f"{number(seconds, 0 if seconds >= 10 else 1)} s",
        )
    return table
