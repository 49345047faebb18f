"""Fill the tables of docs/*.md from the measured numbers in docs/results.

    python scripts/write_tables.py

A table stands between the lines `<!-- table: NAME -->` and `<!-- end -->`; NAME is a function in `TABLES`, which makes
markdown of the JSON of a command or of constants. A test asserts that the documents are what this script would write.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from importlib import import_module
from inspect import signature
from itertools import groupby
from math import sqrt
from pathlib import Path
from typing import Any

from recsim.catalogs.importing.kinds import KINDS
from recsim.experiments.bench.compression import compression_cells
from recsim.experiments.bench.measures import SECONDS, amount, measured, promised
from recsim.experiments.learning.claims import chosen, verdict
from recsim.files import read_json, write_text
from recsim.metrics import mean_interval
from recsim.modalities.corruption import CORRUPTIONS
from recsim.ope import ESTIMATORS
from recsim.ope.evaluation.action_estimators import ACTION_ESTIMATORS
from recsim.ope.evaluation.case import NEEDS
from recsim.ope.evaluation.estimator import Estimator
from recsim.ope.evaluation.session_estimators import SESSION_ESTIMATORS
from recsim.ope.evaluation.slate_estimators import SLATE_ESTIMATORS
from recsim.report.assumed import assumed
from recsim.report.format import compact, number, percent
from recsim.users.presets import PRESETS

ASYMPTOTIC = ("normal", "student t", "bootstrap")
GUARANTEED = ("maurer-pontil", "hoeffding")
SEQUENCES = ("empirical Bernstein", "betting", "off-policy", "normal at every look")
JOINT = (
    "difference, bootstrap",
    "difference, normal",
    "ellipsoid",
    "box, Bonferroni",
    "box, max-t bootstrap",
    "separate intervals",
)
FUNCTIONS = {  # by name of the estimator, in `recsim.ope`
    **{name: f"slate.{name}" for name in ("sips", "rips", "snsips", "snrips", "dm", "dr")},
    "cascade-dr": "slate.cascade_dr",
    "iips": "positions.iips",
    "sniips": "positions.sniips",
    "aips": "positions.weighed_positions",
    **{name: f"pseudo_inverse.{name}" for name in ("pi", "wpi")},
    "pi-variate": "pseudo_inverse.pi_with_variate",
    "pi-variates": "pseudo_inverse.pi_with_variates",
    "pbm": "exposure.pbm",
    "pbm-dr": "exposure.pbm_dr",
    "interpol": "exposure.interpol",
    **{name: f"bandit.{name}" for name in ("replay", "ips", "snips", "sndr", "dros")},
    "clipped-ips": "bandit.ips",
    "subgaussian-ips": "bandit.subgaussian_ips",
    "switch-dr": "bandit.switch_dr",
    "subgaussian-dr": "bandit.subgaussian_dr",
    "weighted": "loggers.weighted",
    "mips": "embedding.mips",
    "offcem": "embedding.offcem",
    **{name: f"sessions.{name}" for name in ("tis", "wis", "pdis", "wpdis")},
    "pdis-rips": "sessions.pdis",
    "pdis-pi": "sessions.pdis",
    "fqe": "sessions.dm",
    "session-dr": "sessions.dr",
    "session-dr-rips": "sessions.dr",
    "session-wdr": "sessions.wdr",
    "magic": "magic.magic",
    "mis": "visitation.mis",
    "drl": "visitation.drl",
    "dice": "dice.dice",
}
_FITTED, _VISITS = "values of `fqe.fitted_q`", "`ratio` and `state` of `visitation.visit_ratio`"
_MODEL, _TUNED = "models of `reward_model.cross_fit`", "its number by `selection.slope`"
_ADDED = "`weight` of `pseudo_inverse.product_weight` or `uniform_weight`"
MORE = {  # where its other arguments come from
    **dict.fromkeys(("dm", "dr", "cascade-dr", "pbm-dr", "sndr"), _MODEL),
    **dict.fromkeys(("clipped-ips", "subgaussian-ips"), _TUNED),
    **dict.fromkeys(("switch-dr", "dros", "subgaussian-dr"), f"{_MODEL}, {_TUNED}"),
    **dict.fromkeys(("pi", "wpi", "pi-variate", "pi-variates"), _ADDED),
    "aips": "`weight` of `behaviour.choose_behaviour` and `chosen_weight`",
    "mips": "`weight` of `embedding.cluster_weight`",
    "offcem": f"`weight` of `embedding.cluster_weight`, {_MODEL}",
    "pdis-rips": "`within`, rewards weighted by `slate.prefix_weight`",
    "pdis-pi": "`within`, rewards weighted by `pseudo_inverse.product_weight` or `uniform_weight`",
    **dict.fromkeys(("fqe", "session-dr", "session-wdr", "magic"), _FITTED),
    "session-dr-rips": f"{_FITTED}, `within` as above",
    "mis": _VISITS,
    "drl": f"{_VISITS}, {_FITTED}",
    "dice": "`ratio` of `dice.dice_ratio`",
}
ORACLES = ("myopic oracle", "planning oracle")
DOCS = Path(__file__).resolve().parents[1] / "docs"
PLACE = re.compile(r"(<!-- table: (\w+) -->\n).*?(<!-- end -->)", flags=re.DOTALL)


def main() -> None:
    """Write the documents whose tables have changed, and name them."""
    for path in sorted(DOCS.glob("*.md")):
        text = path.read_text(encoding="utf-8")
        if (new := filled(text)) != text:
            write_text(path, new)
            print(path)


def filled(text: str) -> str:
    """A document with its tables made anew.

    Raises:
        KeyError: if a table is named that is not in `TABLES`.
    """
    return PLACE.sub(lambda match: f"{match[1]}{TABLES[match[2]]()}\n{match[3]}", text)


def env() -> str:
    """Our own measures beside what is promised."""
    found = _result("env")
    return f"{_promises(found)}; medians of {found['repeats']} repeats of {found['seconds']:g} CPU-seconds or more."


def ope() -> str:
    """Measures of off-policy evaluation beside what is promised."""
    found = _result("ope")
    (folder,) = (one for one in found["measures"] if one["name"] == "ope_folder")
    together = f"the folder once, in {folder['cpu_seconds']:.0f} CPU-seconds of all processes together"
    return f"{_promises(found, 'pyarrow')}; medians of {found['repeats']} repeats, {together}."


def findings() -> str:
    """What an import looks for, and what it does about it."""
    rows = []
    for part, kinds in groupby(KINDS, key=lambda kind: kind.part):
        rows += [(part if row == 0 else "", kind.what, kind.done) for row, kind in enumerate(kinds)]
    return markdown(("of", "what is found", "what is done"), rows, left=3)


def encoders() -> str:
    """How fast encoders are, and how large."""
    found = _result("encoders")
    rows = [
        (f"`{one['name']}`", one["label"].split()[0], str(one["dim"]), _megabytes(one["weight_bytes"]), measured(one))
        for one in found["measures"]
    ]
    names = ("recsim", "python", "numpy", "torch")
    versions = ", ".join(f"{name} {found['versions'][name]}" for name in names)
    return (
        markdown(("encoder", "of", "columns", "weights", "items per CPU-second"), rows, left=2)
        + f"\n\n{found['machine']['cpu']}, one thread, {found['n']} items of {found['catalog']}; {versions}; "
        f"medians of {found['repeats']} repeats of {found['seconds']:g} CPU-seconds or more."
    )


def interests() -> str:
    """How well hidden interests are told from histories: one row for each policy, length and predictor."""
    found = _result("interests")
    rows = [
        (
            one["policy"],
            str(one["slates"]),
            one["predictor"],
            *(number(one["scores"][metric]["mean"], 3) for metric in ("ndcg", "recall")),
            _scored(one["scores"]["personal correlation"]),
            number(one["scores"]["log loss"]["mean"], 2),
            _scored(one["fusion_more_by"] and one["fusion_more_by"]["personal correlation"]),
        )
        for one in found["rows"]
    ]
    header = ("slates by", "slates", "from", "NDCG", "recall@3", "personal correlation", "log loss", "fusion: more by")
    seeds = f"seeds {found['seed']} to {found['seed'] + found['seeds'] - 1}"
    about = f"{found['asked']:,} users in each of {found['seeds']} worlds ({seeds}) of {found['catalog']}, and"
    about += f" {found['taught']:,} others who were told; {found['level']:.0%} bootstrap intervals over the users."
    model = found["language_model"]
    asked = f"The language model is {model['name']}." if model else "No language model was asked."
    return f"{markdown(header, rows, left=3)}\n\n{about} {asked}"


def _scored(found: dict[str, float] | None) -> str:
    """A score with its interval, or nothing."""
    if found is None:
        return ""
    mean, low, high = (number(found[name], 3) for name in ("mean", "low", "high"))
    return f"{mean} [{low}, {high}]"


def imports() -> str:
    """How long imports take, and how much memory."""
    return _promises(_result("import"), "pandas") + "; once each."


def compression() -> str:
    """What exporting encoders costs and saves."""
    found = _result("compression")
    rows = [
        (*compression_cells(one), f"{one['items']:,}", "yes" if one["kept"] else "**no**") for one in found["measures"]
    ]
    header = ("encoder", "form", "CPU-seconds for 1,000", "MB", "neighbours kept", "items", "as asked")
    asked = (
        f"\n\nMedians of {found['repeats']} parts of the items of {found['catalog']}, on one thread. Neighbours kept: "
        f"mean share of an item's {found['neighbours']} nearest (cosine) that are among its nearest in this form, too; "
        f"{percent(found['asked'], 0)} is asked."
    )
    return markdown(header, rows, left=2) + asked


def _megabytes(size: int) -> str:
    return f"{size / 1e6:.1f} MB" if size else "none"


def _promises(found: dict[str, Any], *more: str) -> str:
    """A table of measures, and on what they were made."""
    kept = {True: "yes", False: "**no**", None: ""}
    rows = [
        (one["label"], amount(one["value"], one["unit"]), promised(one), kept[one.get("kept")])
        for one in found["measures"]
    ]
    names = ("recsim", "python", "numpy", "numba", *more)
    versions = ", ".join(f"{name} {found['versions'][name]}" for name in names)
    machine = found["machine"]
    return (
        markdown(("measure", "median", "promised", "kept"), rows, left=1)
        + f"\n\n{machine['cpu']} with {machine['cores']} cores, {machine['system']}; {versions}"
    )


def peers() -> str:
    """The peers, with our speed over theirs."""
    rows = [
        (
            f"{one['peer']} {one['version']}",
            one["stepped"],
            f"{one['user_steps_per_cpu_second']:,} /s",
            f"{compact(one['ratio'])} ×",
        )
        for one in _result("env")["peers"]
    ]
    return markdown(("peer", "what is stepped", "median", "recsim / peer"), rows, left=2)


def presets() -> str:
    """What each policy earns in each built-in world, and how many times as much as the policy above it."""
    rows = [
        (
            name if row == 0 else "",
            one["policy"],
            f"{one['n_users']:,}",
            _interval(one["return"], "mean"),
            _interval(one.get("times_before"), "ratio"),
        )
        for name, policies in _result("presets")["presets"].items()
        for row, one in enumerate(policies)
    ]
    return markdown(("world", "policy", "users", "return of a session", "times the row above"), rows, left=2)


def constants() -> str:
    """What each built-in world changes in the default one."""
    rows = [
        (name, ", ".join(f"`{option}` {value:g}" for option, value in options.items()))
        for name, options in PRESETS.items()
        if options
    ]
    return markdown(("world", "constants"), rows, left=2)


def learn() -> str:
    """What each policy earns in each world that agents were trained in."""
    header = ("world", "policy", "users", "return of a session", "slates", "clicks", "conversions", "training")
    rows = [
        _earned(name if row == 0 else "", one, chosen(one))
        for name, world in _result("learn")["presets"].items()
        for row, one in enumerate(world["policies"])
    ]
    return markdown(header, rows, left=2) + _over_worlds()


def fusions() -> str:
    """What each fusion earns on the users on whom the best one is chosen, best first, among what others earn."""
    rows = []
    for name, world in _result("learn")["presets"].items():
        others = [one for one in world["policies"] if one["policy"] in ("uniform", "popularity", "ppo", *ORACLES)]
        ranked = sorted(world["fusions"] + others, key=lambda one: one["return"]["mean"])
        rows += [
            (*_earned(name if row == 0 else "", one)[:4], str(one.get("times_best") or ""), _seconds(one))
            for row, one in enumerate(ranked)
        ]
    header = ("world", "policy", "users", "return of a session", "best in", "training")
    return markdown(header, rows, left=2) + _over_worlds()


def claims() -> str:
    """What was measured beside what is claimed of agents, where something is."""
    rows = [
        (
            one["preset"],
            one["claim"],
            _interval(one, "measured"),
            "" if one["asked"] is None else f"> {one['asked']:g}",
            {"no": "**no**"}.get(verdict(one), verdict(one)),
        )
        for one in _result("learn")["claims"]
    ]
    return markdown(("world", "measure", "measured", "claimed", "met"), rows, left=2) + _over_worlds()


def training() -> str:
    """How fast PPO trains."""
    rows = [
        (one["label"], measured(one), promised(one), "yes" if one["kept"] else "**no**")
        for one in _result("learn")["speed"]
    ]
    return markdown(("measure", "measured", "promised", "kept"), rows, left=1)


def modalities() -> str:
    """What policies earn that see some modalities only."""
    return _repeated("modalities")


def actions() -> str:
    """What policies earn whose actions or whose starts differ."""
    return _repeated("actions")


def corruptions() -> str:
    """Every corruption, and what its severities mean."""
    rows = [
        (f"`{one.name}`", one.stage, one.means(3), ", ".join(_parameters(one.what, one.parameters)))
        for one in CORRUPTIONS.values()
    ]
    return markdown(("corruption", "stage", "at severity 3", "severities 1 to 5"), rows, left=4)


def corruption() -> str:
    """What fusions earn in the clean view, and how much less in corrupted ones."""
    found = _result("corruption")
    kept: dict[tuple[str, str, str], dict[int, dict[str, Any]]] = {}
    for one in found["rows"]:
        kept.setdefault((one["corruption"], one["modality"], one["policy"]), {})[one["severity"]] = one
    rows = [
        (
            f"`{name}`",
            modality,
            policy,
            *(_interval(by_severity[severity]["difference"], "mean") for severity in found["severities"]),
        )
        for (name, modality, policy), by_severity in kept.items()
        if name
    ]
    header = ("corruption", "modalities", "fusion", *(f"severity {severity}" for severity in found["severities"]))
    return markdown(header, rows, left=3) + _over_corrupted_worlds(found)


def clean_view() -> str:
    """What fusions earn in the clean view, by modality."""
    found = _result("corruption")
    rows = [
        (one["modality"], one["policy"], _interval(one["return"], "mean"))
        for one in found["rows"]
        if not one["corruption"]
    ]
    return markdown(("modalities", "fusion", "return of a session"), rows, left=2) + _over_corrupted_worlds(found)


def _over_corrupted_worlds(found: dict[str, Any]) -> str:
    what = (
        f"{found['items']:,} items of {found['catalog']}, {found['preset']}, logs of {found['n_launch']:,} users, "
        f"{found['n_users']:,} users served; seeds"
    )
    return _over(what, range(found["seeds"]), found["level"])


def _parameters(what: str, parameters: Sequence[float]) -> list[str]:
    """The parameters as the sentence writes them."""
    form = what[what.index("{") : what.index("}") + 1]
    return [form.format(parameter) for parameter in parameters]


def coverage_worlds() -> str:
    """What the worlds are like in which coverage is measured."""
    rows = [
        (
            one["name"],
            f"{one['sessions']:,}",
            str(one["positions"]),
            number(one["largest_weight"], 1),
            percent(one["ess_share"]),
            number(one["truth"][0], 3),
        )
        for one in _result("coverage")["worlds"]
    ]
    header = ("world", "sessions", "positions", "largest weight", "effective size", "truth")
    return markdown(header, rows, left=1)


def coverage_asymptotic() -> str:
    """How often asymptotic intervals hold at good overlap, and what the verdicts were."""
    rows = [
        (world, estimator, *(_share(cells, method) for method in ASYMPTOTIC), percent(said["trust"], 0))
        for world, estimator, cells, said in _estimators(good=True)
    ]
    return markdown(("world", "estimator", *ASYMPTOTIC, "trusted"), rows, left=2) + _logs()


def coverage_heavy() -> str:
    """The same with rare heavy weights."""
    rows = [
        (
            world,
            estimator,
            *(_share(cells, method) for method in ASYMPTOTIC),
            *(percent(said[level], 0) for level in ("trust", "caution", "do not use")),
        )
        for world, estimator, cells, said in _estimators(good=False)
    ]
    return markdown(("world", "estimator", *ASYMPTOTIC, "trust", "caution", "do not use"), rows, left=2) + _logs()


def coverage_guaranteed() -> str:
    """How often guaranteed intervals hold, and how wide they are beside the normal one."""
    rows = [
        (world, estimator, *(_share(cells, method) for method in GUARANTEED), *_widths(cells, ("normal", *GUARANTEED)))
        for good in (True, False)
        for world, estimator, cells, _ in _estimators(good)
        if GUARANTEED[0] in cells
    ]
    widths = (f"width: {method}" for method in ("normal", *GUARANTEED))
    return markdown(("world", "estimator", *GUARANTEED, *widths), rows, left=2) + _logs()


def coverage_sequences() -> str:
    """How often confidence sequences hold at every look, and the normal interval where it is looked at as they are."""
    return _intervals(SEQUENCES, "holds at every look")


def coverage_joint() -> str:
    """How often intervals of paired differences hold, and joint regions hold every objective."""
    return _intervals(JOINT, "holds")


def retrieval_nearest() -> str:
    """What nearest items share in each space, all of them and one of each group of copies."""
    rows = [
        (
            one["name"] if row == 0 else "",
            space["space"],
            space["learns"],
            _points(space["all"]),
            _points(space["less_text"], signed=True),
            _points(space["without_copies"]),
            _points(space["without_copies_less_text"], signed=True),
        )
        for one in _result("retrieval")["catalogs"]
        for row, space in enumerate(one["nearest"])
    ]
    header = ("catalogue", "space", "learns from", "same category", "less text", "without copies", "less text")
    return markdown(header, rows, left=3) + _retrieved()


def retrieval_recall() -> str:
    """How often the partner of an item is found by an alignment that has not seen it."""
    rows = [
        (
            f"{one['name']}, about {one['items'] // _result('retrieval')['folds']} to choose from" if row == 0 else "",
            recall["method"],
            _points(recall["recall_1"]),
            _points(recall["recall_10"]),
        )
        for one in _result("retrieval")["catalogs"]
        for row, recall in enumerate(one["recall"])
    ]
    return markdown(("catalogue", "alignment", "found first", "among ten"), rows, left=2) + _retrieved()


def retrieval_planted() -> str:
    """How well planted faults are told from the rest."""
    found = _result("retrieval")
    rows = [
        (one["name"], f"{what}, by {row['method']}", _interval(row["auc"], "mean"), _points(row["precision"]))
        for one in found["catalogs"]
        for what, kind in (("swapped images", "swaps"), ("wrong categories", "labels"))
        for row in one[kind]
    ]
    said = f"Faults in {found['share']:.0%} of the items; {found['level']:.0%} intervals over {found['seeds']} seeds."
    return markdown(("catalogue", "fault", "AUC", "wrong among as many lowest"), rows, left=2) + f"\n\n{said}"


def retrieval_imputed() -> str:
    """How close imputed rows come to what was held out."""
    rows = [
        (one["name"], f"{row['what']}, {row['method']}", _interval(row["cosine"], "mean"))
        for one in _result("retrieval")["catalogs"]
        for row in one["imputed"]
    ]
    return markdown(("catalogue", "imputed", "cosine with the truth"), rows, left=2) + _retrieved("one division")


def estimators_slates() -> str:
    """What estimators of slates do, take for granted and need."""
    return _estimators_table(SLATE_ESTIMATORS)


def estimators_actions() -> str:
    """What estimators of single actions do, take for granted and need."""
    return _estimators_table(ACTION_ESTIMATORS)


def estimators_sessions() -> str:
    """What estimators of sessions do, take for granted and need."""
    return _estimators_table(SESSION_ESTIMATORS)


def needs() -> str:
    """What is to be passed for what estimators need."""
    return markdown(("needs", "which is"), [(f"`{name}`", what) for name, what in NEEDS.items()], left=2)


def functions() -> str:
    """The function of plain arrays behind the name of every estimator."""
    rows = [(f"`{name}`", _call(FUNCTIONS[name]), MORE.get(name, "")) for name in ESTIMATORS]
    return markdown(("estimator", "on plain arrays", "with"), rows, left=3)


def _estimators_table(estimators: Iterable[Estimator]) -> str:
    rows = [
        (f"`{one.name}`", one.what, assumed(one.name), ", ".join(f"`{part}`" for part in one.needs))
        for one in estimators
    ]
    return markdown(("estimator", "what it does", "assumes", "needs"), rows, left=4)


def _call(path: str) -> str:
    """A function of `recsim.ope` with the names of its arguments."""
    module, name = path.split(".")
    function = getattr(import_module(f"recsim.ope.{module}"), name)
    return f"`{path}({', '.join(signature(function).parameters)})`"


def _intervals(methods: Sequence[str], holds: str) -> str:
    found = [one for one in _result("coverage")["intervals"] if one["interval"] in methods]
    rows = [
        (
            one["world"],
            one["estimator"],
            one["interval"],
            f"{percent(one['coverage'])} ± {number(100 * one['se'], 1)}",
            number(one["width"], 3),
            {True: "yes", False: "**no**", None: ""}[one["kept"]],
        )
        for one in found
    ]
    return markdown(("world", "estimator", "interval", holds, "width", "as asked"), rows, left=3) + _logs()


def _estimators(good: bool) -> Iterator[tuple[str, str, dict[str, dict[str, Any]], dict[str, Any]]]:
    """For every world of good overlap or of none, and every estimator: its intervals by name, and its verdicts."""
    found = _result("coverage")
    for said in found["verdicts"]:
        if said["good"] == good:
            key = said["world"], said["estimator"]
            own = [one for one in found["intervals"] if (one["world"], one["estimator"]) == key]
            yield *key, {one["interval"]: one for one in own}, said


def _share(cells: dict[str, dict[str, Any]], method: str) -> str:
    """A coverage, in bold where it is not what is asked."""
    text = percent(cells[method]["coverage"])
    return f"**{text}**" if cells[method]["kept"] is False else text


def _widths(cells: dict[str, dict[str, Any]], methods: Iterable[str]) -> Iterator[str]:
    return (number(cells[method]["width"], 3) for method in methods)


def _logs() -> str:
    """What the shares of a table are of."""
    found = _result("coverage")
    error = 100 * sqrt(found["level"] * (1 - found["level"]) / found["replications"])
    return (
        f"\n\n{found['replications']:,} logs of every world, {found['n_boot']} bootstrap draws, intervals at "
        f"{found['level']:.0%}; a coverage of {found['level']:.0%} has a standard error of {error:.1f} points."
    )


def _repeated(study: str) -> str:
    """What `recsim repeat` measured, and what the planning oracle earns in the same worlds."""
    found = _result(study)
    rows = [
        (
            one["policy"],
            f"{one['n_users']:,}",
            _interval(one["return"], "mean"),
            _interval(one.get("difference"), "mean"),
            _seconds(one),
        )
        for one in found["policies"]
    ]
    planner = _result("learn")["presets"]["marketplace"]["policies"][-1]
    worlds = [one["mean"] for one in planner["by_seed"] if one["seed"] in found["seeds"]]
    beside = _interval(vars(mean_interval(worlds, found["level"])), "mean")
    rows.append((f"{planner['policy']}, as above", f"{planner['n_users']:,}", beside, "", ""))
    header = ("policy", "users", "return of a session", f"less {found['policies'][0]['policy']}", "training")
    return markdown(header, rows, left=1) + _over("Marketplace, seeds", found["seeds"], found["level"])


def _earned(world: str, one: dict[str, Any], more: str = "") -> tuple[str, ...]:
    objectives = one["objectives"]
    return (
        world,
        one["policy"] + (f" ({more})" if more else ""),
        f"{one['n_users']:,}",
        _interval(one["return"], "mean"),
        number(one["length"], 1),
        number(objectives["click"], 1),
        number(objectives["conversion"], 2),
        _seconds(one),
    )


def _seconds(one: dict[str, Any]) -> str:
    return "" if one["training_seconds"] is None else amount(one["training_seconds"], SECONDS)


def _over_worlds() -> str:
    found = _result("learn")
    return _over("Seeds", range(found["seeds"]), found["level"])


def _over(what: str, seeds: Sequence[int], level: float) -> str:
    """What the intervals of a table are over."""
    return f"\n\n{what} {seeds[0]} to {seeds[-1]}; intervals are {level:.0%}, over the {len(seeds)} worlds."


def _points(found: dict[str, float], *, signed: bool = False) -> str:
    """A share, or a difference of shares, in percent with its interval; nothing where there is no difference."""
    if signed and found["low"] == found["high"] == 0:
        return ""
    mean, low, high = (number(100 * found[key], 1) for key in ("mean", "low", "high"))
    return f"{'+' if signed and found['mean'] > 0 else ''}{mean} % [{low}, {high}]"


def _retrieved(divisions: str = "") -> str:
    """What the intervals of a table of retrieval are over."""
    found = _result("retrieval")
    return (
        f"\n\n{found['folds']} folds, {divisions or 'means of {} divisions'.format(found['seeds'])}; "
        f"{found['level']:.0%} intervals by a bootstrap over groups of copies that ask, {found['draws']:,} draws, "
        "given the items that can be found."
    )


TABLES: dict[str, Callable[[], str]] = {
    "env": env,
    "ope": ope,
    "encoders": encoders,
    "compression": compression,
    "findings": findings,
    "interests": interests,
    "imports": imports,
    "peers": peers,
    "presets": presets,
    "constants": constants,
    "learn": learn,
    "fusions": fusions,
    "claims": claims,
    "training": training,
    "modalities": modalities,
    "actions": actions,
    "estimators_slates": estimators_slates,
    "estimators_actions": estimators_actions,
    "estimators_sessions": estimators_sessions,
    "needs": needs,
    "functions": functions,
    "corruptions": corruptions,
    "corruption": corruption,
    "clean_view": clean_view,
    "coverage_worlds": coverage_worlds,
    "coverage_asymptotic": coverage_asymptotic,
    "coverage_heavy": coverage_heavy,
    "coverage_guaranteed": coverage_guaranteed,
    "coverage_sequences": coverage_sequences,
    "coverage_joint": coverage_joint,
    "retrieval_nearest": retrieval_nearest,
    "retrieval_recall": retrieval_recall,
    "retrieval_planted": retrieval_planted,
    "retrieval_imputed": retrieval_imputed,
}


def _interval(found: dict[str, float] | None, middle: str) -> str:
    """A number with its interval, or nothing."""
    return "" if found is None else f"{number(found[middle])} [{number(found['low'])}, {number(found['high'])}]"


def markdown(header: Sequence[str], rows: Iterable[Sequence[str]], left: int) -> str:
    """A table whose first `left` columns are flush left and the others right."""
    rule = [":---" if column < left else "---:" for column in range(len(header))]
    escaped = ([cell.replace("|", "\\|") for cell in row] for row in rows)
    return "\n".join(f"| {' | '.join(row)} |" for row in (header, rule, *escaped))


def _result(name: str) -> Any:
    return read_json(DOCS / "results" / f"{name}.json")


if __name__ == "__main__":
    main()
