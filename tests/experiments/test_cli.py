"""The command line: what it prints, what it refuses, and with which exit code."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner, Result

from recsim import Catalog
from recsim.experiments.cli import app
from recsim.logs import read_log
from recsim.ope import ESTIMATORS


@pytest.fixture
def recsim(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """Runs the command line in this process."""
    monkeypatch.setenv("COLUMNS", "80")

    def call(*arguments: object) -> Result:
        return CliRunner().invoke(app, [str(argument) for argument in arguments])

    return call


def refused(result: Result, sentence: str) -> None:
    assert result.exit_code == 2
    assert result.stderr.splitlines()[-1] == sentence
    assert result.stdout == ""


@pytest.mark.parametrize(
    "command",
    [
        "",
        "run",
        "train",
        "collect",
        "evaluate",
        "report",
        "check-users",
        "catalog",
        "catalog show",
        "catalog prepare",
        "catalog import",
        "bench",
        "bench env",
        "bench presets",
        "bench learn",
        "bench ope",
        "bench import",
        "bench coverage",
        "bench retrieval",
    ],
)
def test_help_explains_every_command(recsim: Callable[..., Result], command: str) -> None:
    result = recsim(*command.split(), "--help")
    assert result.exit_code == 0
    assert "Usage:" in result.stdout
    if command not in ("catalog", "bench"):
        assert f"recsim {command}".strip() in result.stdout.partition("Examples:")[2]


def test_help_is_quick_and_imports_nothing_heavy() -> None:
    script = (
        "import sys, time\nfrom typer.testing import CliRunner\nfrom recsim.experiments.cli import app\n"
        "assert CliRunner().invoke(app, ['run', '--help']).exit_code == 0\n"
        "heavy = {'torch', 'stable_baselines3', 'gymnasium', 'numba', 'pandas', 'sklearn', 'numpy'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
        "assert time.process_time() < 1.5, time.process_time()"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


def test_a_wrong_config_is_told_with_file_and_line(
    recsim: Callable[..., Result], write_config: Callable[[str], Path], tmp_path: Path
) -> None:
    path = write_config("name: a\npolicies:\n  - kind: uniform\nhorizn: 3\n")
    result = recsim("run", path, "--out", tmp_path / "run")
    refused(result, f"{path}, line 4: unknown key 'horizn'; did you mean 'horizon'?")
    assert not (tmp_path / "run").exists()


def test_run_prints_a_line_a_stage_and_a_table(
    recsim: Callable[..., Result], small_file: Path, small_run: Path, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    result = recsim("run", small_file, "--out", out)
    assert result.exit_code == 0, result.output
    stages = [line.partition(" s  ")[2] for line in result.stderr.splitlines()]
    assert stages == list(json.loads((out / "timings.json").read_text()))
    assert (out / "metrics.json").read_bytes() == (small_run / "metrics.json").read_bytes()
    lines = result.stdout.splitlines()
    assert lines[-1] == f"Report: {out / 'report.html'}"
    assert max(len(line) for line in lines[:-1]) <= 80
    for policy in json.loads((out / "metrics.json").read_text())["policies"]:
        (row,) = (line for line in lines if line.strip().startswith(policy["name"]))
        assert "±" in row
    refused(
        recsim("run", small_file, "--out", out),
        f"{out} exists already: choose another folder, or go on with --resume, or start afresh with --overwrite.",
    )


def test_an_interrupted_run_says_how_to_go_on(
    recsim: Callable[..., Result], small_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("recsim.experiments.evaluation.rollout", interrupt)
    out = tmp_path / "my run"
    result = recsim("run", small_file, "--out", out)
    assert result.exit_code == 130
    assert result.stderr.splitlines()[-1] == (
        f"Interrupted; finished stages are kept. To go on, run: recsim run {small_file} --out '{out}' --resume"
    )


def test_train_makes_a_model_that_collect_and_evaluate_use(
    recsim: Callable[..., Result], small_file: Path, tmp_path: Path
) -> None:
    out, log, estimates = tmp_path / "run", tmp_path / "log.parquet", tmp_path / "estimates.json"
    result = recsim("train", small_file, "static fusion", "--out", out)
    assert (result.exit_code, result.stdout) == (0, f"{out}/models/static_fusion.safetensors\n")
    arguments = ("--policy", "static_fusion", "--run", out, "--users", 25, "--temperature", 2.0, "--out", log)
    result = recsim("collect", small_file, *arguments)
    assert result.exit_code == 0, result.output
    logged = read_log(log)
    assert result.stdout == f"{len(logged):,} slates in {log}\n"
    assert (logged.info.policy, set(logged.user.tolist())) == ("static fusion", set(range(25)))
    result = recsim("evaluate", "--log", log, "--run", out, "--policies", "uniform,static fusion", "--json", estimates)
    assert result.exit_code == 0, result.output
    found = json.loads(estimates.read_text())
    assert {estimate["policy"] for estimate in found["estimates"]} == {"uniform", "static fusion"}
    assert max(map(len, result.stdout.splitlines())) <= 80
    assert result.stdout.count(" snrips ") == 2


def test_a_folder_of_logs_is_evaluated_by_several_processes_as_by_one(
    recsim: Callable[..., Result], small_file: Path, tmp_path: Path
) -> None:
    logs, log = tmp_path / "logs", tmp_path / "log.parquet"
    arguments = ("--policy", "uniform", "--users", 50)
    assert recsim("collect", small_file, *arguments, "--out", log).exit_code == 0
    result = recsim("collect", small_file, *arguments, "--users-per-file", 20, "--out", logs)
    assert result.exit_code == 0, result.output
    assert [path.name for path in sorted(logs.iterdir())] == [f"part-0000{number}.parquet" for number in range(3)]
    parts = [read_log(path) for path in sorted(logs.iterdir())]
    assert np.array_equal(np.concatenate([part.slate for part in parts]), read_log(log).slate)
    refused(
        recsim("collect", small_file, "--policy", "uniform", "--out", logs, "--overwrite"),
        f"{logs} is a folder; choose another name.",
    )
    found = []
    for workers in (1, 2):
        out = tmp_path / f"{workers}.json"
        how = ("--policies", "uniform,popularity", "--workers", workers, "--json", out)
        result = recsim("evaluate", "--log", logs, "--config", small_file, *how)
        assert result.exit_code == 0, result.output
        found.append(json.loads(out.read_text()))
    assert found[0] == found[1]
    assert {e["estimator"] for e in found[0]["estimates"]} == {"sips", "rips", "snsips", "snrips"}
    refused(
        recsim("evaluate", "--log", log, "--config", small_file, "--policies", "uniform", "--workers", 2),
        "--workers and --ray share the files of a folder; pass a folder of logs.",
    )


def test_an_evaluation_is_reported_as_a_page_and_as_text(
    recsim: Callable[..., Result], small_file: Path, tmp_path: Path
) -> None:
    log, page = tmp_path / "log.parquet", tmp_path / "out" / "page.html"
    assert recsim("collect", small_file, "--policy", "uniform", "--out", log).exit_code == 0
    evaluate = ("evaluate", "--log", log, "--config", small_file, "--policies", "uniform,popularity")
    result = recsim(*evaluate, "--report", page, "--estimators", "snrips,iips,pi,dr")
    assert result.exit_code == 0, result.output
    assert f"Report: {page}" in result.stdout.replace("\n", "")
    assert {path.name for path in page.parent.iterdir()} == {
        "page.html",
        "page.estimates.csv",
        "page.estimates.parquet",
    }
    assert set(pd.read_csv(page.parent / "page.estimates.csv")["estimator"]) == {"snrips", "iips", "pi", "dr"}
    result = recsim(*evaluate, "--format", "markdown")
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith("**Only one policy can be judged by this log: uniform")
    assert "## How sure" in result.stdout
    result = recsim(*evaluate, "--format", "json")
    assert {e["policy"] for e in json.loads(result.stdout)["estimates"]} == {"uniform", "popularity"}
    refused(recsim(*evaluate, "--format", "html"), "--format html needs a file: pass --report FILE.")
    coverage = Path(__file__).parents[2] / "docs" / "results" / "coverage.json"
    result = recsim(*evaluate, "--report", page, "--coverage", coverage)
    assert result.exit_code == 0, result.output
    assert "Coverage of the intervals" in page.read_text()
    refused(
        recsim(*evaluate, "--coverage", small_file),
        f"{small_file} cannot be read (Expecting value: line 1 column 1 (char 0)); `recsim bench coverage --out` "
        "writes such files.",
    )
    refused(
        recsim(*evaluate, "--estimators", "sipps"),
        f"there is no estimator 'sipps'; choose from {', '.join(ESTIMATORS)}.",
    )


def test_the_policy_that_wrote_a_log_is_told_by_its_propensities(
    recsim: Callable[..., Result], small_file: Path, tmp_path: Path
) -> None:
    log = tmp_path / "log.parquet"
    assert recsim("collect", small_file, "--policy", "uniform", "--out", log).exit_code == 0
    evaluate = ("evaluate", "--log", log, "--config", small_file, "--policies", "uniform", "--estimators", "iips")
    assert recsim(*evaluate).exit_code == 0
    assert recsim(*evaluate, "--logging", "uniform").exit_code == 0
    refused(
        recsim(*evaluate, "--logging", "popularity"),
        "'popularity' did not write the log: its propensities are others. Name the policy with the temperature that "
        "was in force, or leave --logging out.",
    )


def test_evaluate_leaves_out_what_is_not_trained_and_says_so(
    recsim: Callable[..., Result], small_file: Path, tmp_path: Path
) -> None:
    log = tmp_path / "log.parquet"
    assert recsim("collect", small_file, "--policy", "uniform", "--out", log).exit_code == 0
    result = recsim("evaluate", "--log", log, "--config", small_file)
    assert result.exit_code == 0, result.output
    left_out = "is left out: it must be trained first (--run names a folder with models)."
    assert [line for line in result.stderr.splitlines() if "left out" in line] == [
        f"'static fusion' {left_out}",
        f"'linucb' {left_out}",
    ]
    assert "popularity" in result.stdout
    refused(
        recsim("evaluate", "--log", log, "--config", small_file, "--policies", "linucb"),
        "'linucb' must be trained first and no run folder was given: `recsim train CONFIG linucb --out RUN`.",
    )


def test_logs_of_all_policies_have_the_same_users(
    recsim: Callable[..., Result], small_file: Path, small_run: Path, tmp_path: Path
) -> None:
    logs = {}
    for policy in ("uniform", "myopic oracle"):
        path = tmp_path / f"{policy}.parquet"
        assert recsim("collect", small_file, "--policy", policy, "--out", path).exit_code == 0
        logs[policy] = read_log(path)
    first, second = logs.values()
    assert first.info.seed == second.info.seed
    profile = slice(-3, None)
    assert (first.observation[first.step == 0, profile] == second.observation[second.step == 0, profile]).all()
    seeds = {read_log(small_run / "logs" / f"{name}.parquet").info.seed for name in ("launch", "production")}
    assert first.info.seed not in seeds


def test_collect_and_evaluate_refuse_what_does_not_fit(
    recsim: Callable[..., Result],
    small_file: Path,
    small_run: Path,
    write_config: Callable[[str], Path],
    tmp_path: Path,
) -> None:
    log = small_run / "logs" / "production.parquet"
    refused(
        recsim("collect", small_file, "--policy", "uniform", "--out", log),
        f"{log} exists already: choose another name, or pass --overwrite.",
    )
    refused(
        recsim("collect", small_file, "--policy", "linucb", "--run", tmp_path, "--out", tmp_path / "a.parquet"),
        f"'linucb' must be trained first and {tmp_path} has no models/linucb.safetensors: "
        "`recsim train CONFIG linucb --out RUN`.",
    )
    refused(
        recsim("evaluate", "--log", log), "pass --config or --run: one of them must say which policies to evaluate."
    )
    refused(
        recsim("evaluate", "--log", tmp_path / "no.parquet", "--config", small_file),
        f"there is no log {tmp_path / 'no.parquet'}: `recsim collect` writes one.",
    )
    text = small_file.read_text()
    other = write_config(text.replace("slate_size: 3", "slate_size: 4"))
    refused(
        recsim("evaluate", "--log", log, "--config", other),
        f"{log} has slate size 3, but the config has 4; choose the matching one.",
    )
    other = write_config(text.replace("n_categories: 3", "n_categories: 5"))
    refused(
        recsim("evaluate", "--log", log, "--config", other),
        f"{log} shows other items than catalogue 'synthetic' has now; choose the matching one.",
    )
    refused(
        recsim("evaluate", "--log", log, "--config", write_config(f"{text}\nrecent: 3\n")),
        f"{log} has observations of 79 numbers, but the config's world has 85; choose the matching one.",
    )
    launch = small_run / "logs" / "launch.parquet"
    refused(
        recsim("evaluate", "--log", launch, "--config", small_file),
        f"{launch} is the launch log, on which the static fusion is fitted, and a policy cannot be judged by what it "
        "was fitted on; choose the production log or one of `recsim collect`.",
    )
    only_trained = write_config(
        "name: a\npolicies:\n  - kind: linucb\n" + text.partition("\n")[2].partition("policies")[0]
    )
    refused(
        recsim("evaluate", "--log", log, "--config", only_trained),
        "all policies of the config must be trained first; name a run folder that has them with --run.",
    )


def test_train_refuses_what_needs_no_training_and_what_is_unknown(
    recsim: Callable[..., Result], small_file: Path, tmp_path: Path
) -> None:
    refused(
        recsim("train", small_file, "uniform", "--out", tmp_path / "a"),
        "'uniform' is of kind uniform, which needs no training.",
    )
    refused(
        recsim("train", small_file, "pop", "--out", tmp_path / "a"),
        "the config has no policy 'pop'; choose from uniform, popularity, static fusion, linucb, myopic oracle.",
    )
    assert not (tmp_path / "a").exists()


def test_report_is_written_again(recsim: Callable[..., Result], small_file: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    assert recsim("run", small_file, "--out", out).exit_code == 0
    (out / "report.html").unlink()
    result = recsim("report", out)
    assert (result.exit_code, result.stdout) == (0, f"{out / 'report.html'}\n")
    assert (out / "report.html").is_file()
    (out / "metrics.json").unlink()
    assert "has no metrics.json, so the run is not finished" in recsim("report", out).stderr
    refused(
        recsim("report", tmp_path),
        f"{tmp_path} is not a run folder: it has no manifest.json. `recsim run` makes one.",
    )


def test_a_report_needs_the_catalogue_and_no_users(
    recsim: Callable[..., Result], small_run: Path, tmp_path: Path
) -> None:
    run = shutil.copytree(small_run, tmp_path / "run")
    text = (run / "config.yaml").read_text()
    (run / "config.yaml").write_text(text.replace("model: marketplace", "model: not_installed_here:Users"))
    result = recsim("report", run)
    assert (result.exit_code, result.stdout) == (0, f"{run / 'report.html'}\n")


def test_bench_env(recsim: Callable[..., Result], tmp_path: Path) -> None:
    Catalog.synthetic(40).save(tmp_path / "shop")
    size = ("--catalog", tmp_path / "shop", "--n", 8, "--k", 3, "--repeats", 3, "--seconds", 0.01)
    out = tmp_path / "env.json"
    result = recsim("bench", "env", "--only", "single,vector", "--json", "--out", out, *size)
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert json.loads(out.read_text()) == found
    assert (found["n"], found["k"], found["items"], found["catalog"]) == (8, 3, 40, "synthetic")
    assert found["versions"]["recsim"]
    assert found["machine"]["cpu"]
    assert [one["name"] for one in found["measures"]] == ["vector", "single"]
    for one in found["measures"]:
        assert one["value"] == sorted(one["repeats"])[1] > 0
        assert "floor" not in one
    result = recsim("bench", "env", "--only", "vector,peers", "--peers", tmp_path, *size)
    assert "SlateVectorEnv, 8 users" in result.stdout
    assert "promised" not in result.stdout
    assert max(map(len, result.stdout.splitlines())) <= 80
    assert result.stderr.splitlines()[-1] == (
        f"recogym, recsim_no_tf, sardine and trecs left out, as not in {tmp_path}: "
        "`make peers` in a checkout of recsim installs the peers."
    )
    refused(
        recsim("bench", "env", "--only", "single", "--catalog", tmp_path / "shop", "--k", 50),
        "slate_size is 50; the catalogue 'synthetic' allows 1 to 40.",
    )
    refused(
        recsim("bench", "env", "--only", "vector,double"),
        "there is no row 'double' to measure; choose from vector, threads, single, items, users, peers.",
    )


def test_users_of_your_own_are_found_in_the_working_folder(
    recsim: Callable[..., Result],
    small_file: Path,
    tmp_path: Path,
    write_config: Callable[[str], Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "my_users_of_the_cli_test.py").write_text(
        "from recsim.users.interest import InterestUsers\nfrom recsim.users.interest.config import InterestConfig\n"
        "def patient(catalog, patience):\n    return InterestUsers(catalog, InterestConfig(patience=patience))\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    named = "users: {model: 'my_users_of_the_cli_test:patient', options: {patience: 1000.0, x: 1}}\n"
    path, log = write_config(named + small_file.read_text()), tmp_path / "log.parquet"
    result = recsim("collect", path, "--policy", "uniform", "--out", log)
    assert result.exit_code == 2
    assert "unexpected keyword argument 'x'" in result.stderr
    path.write_text(path.read_text().replace(", x: 1", ""))
    assert recsim("collect", path, "--policy", "uniform", "--out", log).exit_code == 0
    assert pd.Series(read_log(log).user).value_counts().max() == 5
