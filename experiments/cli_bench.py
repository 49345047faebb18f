"""`recsim bench`: its commands, in the order in which help lists them."""

from __future__ import annotations

import typer

from recsim.experiments.cli_bench_catalogs import (
    bench_compression,
    bench_corruption,
    bench_encoders,
    bench_import,
    bench_retrieval,
)
from recsim.experiments.cli_bench_worlds import (
    bench_coverage,
    bench_env,
    bench_interests,
    bench_learn,
    bench_ope,
    bench_presets,
)
from recsim.experiments.commands import examples

bench_app = typer.Typer(
    no_args_is_help=True,
    help="Measure speed, what worlds have to offer, what agents learn, and whether intervals hold.",
)

bench_app.command(
    "env",
    epilog=examples("recsim bench env", "recsim bench env --only vector,single --json", "recsim bench env --n 64"),
)(bench_env)
bench_app.command("presets", epilog=examples("recsim bench presets", "recsim bench presets marketplace choc --json"))(
    bench_presets
)
bench_app.command(
    "learn",
    epilog=examples(
        "recsim bench learn --out docs/results/learn.json",
        "recsim bench learn choc --seeds 2 --n 500 --timesteps 50000 --runs runs/choc",
    ),
)(bench_learn)
bench_app.command(
    "ope",
    epilog=examples("recsim bench ope --out docs/results/ope.json", "recsim bench ope --only memory,marginals --json"),
)(bench_ope)
bench_app.command(
    "encoders",
    epilog=examples("recsim bench encoders", "recsim bench encoders --text path/to/a/model --image '' --device cuda"),
)(bench_encoders)
bench_app.command(
    "import",
    epilog=examples(
        "recsim bench import --only large --json",
        "recsim bench import items.csv --images photos --only plain",
        "recsim bench import items.csv --images photos --out docs/results/import.json",
    ),
)(bench_import)
bench_app.command(
    "coverage",
    epilog=examples("recsim bench coverage --out docs/results/coverage.json", "recsim bench coverage --n 200 --json"),
)(bench_coverage)
bench_app.command(
    "interests",
    epilog=examples(
        "recsim bench interests --out docs/results/interests.json",
        "recsim bench interests --seeds 2 --slates 10 --language-model models/my-model --json",
    ),
)(bench_interests)
bench_app.command(
    "retrieval",
    epilog=examples(
        "recsim bench retrieval --out docs/results/retrieval.json",
        "recsim bench retrieval --emoji path/to/fluent-emoji-color --seeds 2 --json",
    ),
)(bench_retrieval)
bench_app.command(
    "corruption",
    epilog=examples(
        "recsim bench corruption --out docs/results/corruption.json",
        "recsim bench corruption --only typos,stale --severities 3 --methods average --json",
    ),
)(bench_corruption)
bench_app.command(
    "compression",
    epilog=examples(
        "recsim bench compression --out docs/results/compression.json",
        "recsim bench compression --only text --n 200 --json",
    ),
)(bench_compression)
