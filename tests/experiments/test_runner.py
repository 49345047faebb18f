"""Runs: what they leave behind, that they can stop anywhere, and that nothing but the config decides their results."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from recsim.experiments.config import RunConfig
from recsim.experiments.errors import UserError
from recsim.experiments.progress import Advance
from recsim.experiments.run_folder import RunFolder
from recsim.experiments.runner import run, train
from recsim.experiments.stages import stages_of
from recsim.logs import read_log

TABLES = ("metrics.parquet", "learning_curve.parquet", "results/sessions.parquet", "results/exposure.parquet")


class Stop(Exception):
    """What the tests interrupt a run with."""


class Interrupting:
    """A display that stops a run in the middle of a stage or right after it, and remembers which stages were begun."""

    def __init__(self, stage: str, *, midway: bool) -> None:
        self.begun: list[str] = []
        self._stage, self._midway = stage, midway

    @contextmanager
    def stage(self, name: str, total: int) -> Iterator[Advance]:
        self.begun.append(name)

        def advance(done: int) -> None:
            if name == self._stage and self._midway:
                raise Stop

        yield advance
        if name == self._stage:
            raise Stop

    def note(self, sentence: str) -> None:
        raise AssertionError(sentence)


class Recording(Interrupting):
    """A display that only remembers."""

    def __init__(self) -> None:
        super().__init__("", midway=False)


def assert_same_results(one: Path, other: Path) -> None:
    """Everything that a run found is equal, metrics.json to the byte."""
    for name in ("metrics.json", "examples.json", "results/offline.json", "results/slate_truth.json"):
        assert (one / name).read_bytes() == (other / name).read_bytes(), name
    for name in TABLES:
        pd.testing.assert_frame_equal(pd.read_parquet(one / name), pd.read_parquet(other / name), check_exact=True)


def assert_whole(path: Path) -> None:
    """Every file that bears its final name can be read."""
    for file in path.rglob("*"):
        if file.suffix == ".json":
            json.loads(file.read_text())
        elif file.suffix == ".parquet" and ".tmp" not in str(file):
            pd.read_parquet(file)


def test_a_run_leaves_what_it_promises(small_run: Path, small: RunConfig) -> None:
    folder = RunFolder(small_run)
    assert folder.finished == [stage.name for stage in stages_of(small)]
    files = {str(file.relative_to(small_run)) for file in small_run.rglob("*") if file.is_file()}
    assert files == {
        ".lock", "config.yaml", "manifest.json", "timings.json", "metrics.json", "metrics.parquet",
        "learning_curve.parquet", "examples.json", "report.html", "report.estimates.csv", "report.estimates.parquet",
        "logs/launch.parquet", "logs/production.parquet",
        "models/static_fusion.safetensors", "models/linucb.safetensors", "results/sessions.parquet",
        "results/exposure.parquet", "results/slate_truth.json", "results/offline.json",
    }  # fmt: skip
    assert set(json.loads((small_run / "timings.json").read_text())) == set(folder.finished)


def test_metrics_say_what_the_sessions_say(small_run: Path) -> None:
    metrics = json.loads((small_run / "metrics.json").read_text())
    sessions = pd.read_parquet(small_run / "results/sessions.parquet")
    reward = {name: part["reward"].to_numpy() for name, part in sessions.groupby("policy")}
    assert [policy["name"] for policy in metrics["policies"]] == [
        "uniform", "popularity", "static fusion", "linucb", "myopic oracle",
    ]  # fmt: skip
    for policy in metrics["policies"]:
        own, truth = reward[policy["name"]], policy["truth"]
        assert len(own) == metrics["n_users"] == 30
        assert truth["reward"]["mean"] == pytest.approx(own.mean(), rel=1e-12)
        assert truth["reward"]["se"] == pytest.approx(own.std(ddof=1) / np.sqrt(30), rel=1e-12)
        parts = [truth[name]["mean"] for name in metrics["objectives"]]
        assert truth["reward"]["mean"] == pytest.approx(np.dot(metrics["weights"], parts), rel=1e-12)
        assert (policy["slate_truth"] is None) == (policy["kind"] == "myopic_oracle")
    differences = {d["policy"]: d for d in metrics["differences"] if d["objective"] == "reward"}
    assert set(differences) == {"uniform", "popularity", "linucb", "myopic oracle"}
    gain = reward["linucb"] - reward["static fusion"]
    assert differences["linucb"]["against"] == metrics["baseline"] == "static fusion"
    assert differences["linucb"]["mean"] == pytest.approx(gain.mean(), rel=1e-12)
    assert differences["linucb"]["se"] == pytest.approx(gain.std(ddof=1) / np.sqrt(30), rel=1e-12)


def test_rates_follow_from_what_was_shown(small_run: Path) -> None:
    metrics = json.loads((small_run / "metrics.json").read_text())
    exposure = pd.read_parquet(small_run / "results/exposure.parquet")
    for policy in metrics["policies"]:
        own = exposure[exposure["policy"] == policy["name"]]
        assert policy["metrics"]["ctr"] == own["clicked"].sum() / own["shown"].sum()
        assert policy["metrics"]["coverage"] == (own["shown"] > 0).sum() / 30
        assert own["shown"].sum() == round(policy["truth"]["length"]["mean"] * 30) * 3
    popular = next(policy for policy in metrics["policies"] if policy["name"] == "popularity")
    assert popular["metrics"]["coverage"] == 3 / 30


def test_the_truth_of_the_log_is_what_the_logging_policy_earned_on_average(small_run: Path, small: RunConfig) -> None:
    log = read_log(small_run / "logs/production.parquet")
    metrics = json.loads((small_run / "metrics.json").read_text())
    assert metrics["log"] == {"policy": "production", "temperature": 1.0, "slates": len(log), "sessions": 40}
    truth = {policy["name"]: policy["slate_truth"] for policy in metrics["policies"]}
    # The static fusion at temperature 0.5 shows better slates than at the log's temperature of 1, and uniform worse.
    se = log.reward.std() / np.sqrt(len(log))
    assert truth["uniform"]["reward"]["mean"] < log.reward.mean() + 2 * se
    assert truth["static fusion"]["reward"]["mean"] > log.reward.mean() - 2 * se
    clicks = [e for e in metrics["offline"] if (e["policy"], e["objective"]) == ("uniform", "click")]
    returned = next(policy["truth"]["click"]["mean"] for policy in metrics["policies"] if policy["name"] == "uniform")
    assert {(e["estimand"], e["truth"]) for e in clicks} == {
        ("slate", truth["uniform"]["click"]["mean"]),
        ("session", returned),
    }


def test_offline_estimates_are_complete(small_run: Path) -> None:
    offline = json.loads((small_run / "metrics.json").read_text())["offline"]
    found = {(e["policy"], e["estimator"], e["objective"]) for e in offline}
    policies = ("uniform", "popularity", "static fusion", "linucb")
    estimators = ("sips", "rips", "snsips", "snrips", "dm", "dr", "wpdis", "fqe", "session-dr")
    objectives = ("click", "conversion", "novelty", "reward")
    assert found == {(p, e, o) for p in policies for e in estimators for o in objectives}
    assert len(offline) == len(found)


def test_a_run_of_one_policy_judges_it_by_its_own_log(small: RunConfig, tmp_path: Path) -> None:
    parts = {"production_log": {"policy": "uniform", "n_users": 30}, "policies": [{"kind": "uniform"}]}
    config = RunConfig.model_validate(small.model_dump(mode="json") | parts)
    out = run(config, tmp_path / "a").path
    assert not {"launch log", "fit static fusion"} & set(RunFolder(out).finished)
    log, metrics = read_log(out / "logs/production.parquet"), json.loads((out / "metrics.json").read_text())
    assert metrics["log"] == {"policy": "production", "temperature": 1.0, "slates": len(log), "sessions": 30}
    assert (metrics["baseline"], metrics["differences"]) == ("uniform", [])
    # every weight is 1, so the estimate is the plain mean of the log
    (estimate,) = (e for e in metrics["offline"] if (e["estimator"], e["objective"]) == ("sips", "reward"))
    assert estimate["value"] == pytest.approx(log.reward.mean(), rel=1e-9)
    assert (estimate["ess"], estimate["mean_weight"]) == pytest.approx((len(log), 1.0), rel=1e-9)


def test_examples_are_the_same_users_at_the_same_steps(small_run: Path) -> None:
    examples = json.loads((small_run / "examples.json").read_text())
    starts = {(e["policy"], e["user"]) for e in examples if e["step"] == 0}
    policies = ("uniform", "popularity", "static fusion", "linucb", "myopic oracle")
    assert starts == {(policy, user) for policy in policies for user in (0, 1)}
    for example in examples:
        assert example["step"] < 6
        assert [len(example[part]) for part in ("items", "examined", "click", "conversion")] == [3, 3, 3, 3]
        assert set(example["items"][0]) == {"item", "item_id", "title", "category", "price"}
    popular = [[item["item"] for item in e["items"]] for e in examples if e["policy"] == "popularity"]
    assert all(slate == popular[0] for slate in popular)


def test_parts_of_a_run_have_users_of_their_own(small_run: Path) -> None:
    launch, production = (read_log(small_run / "logs" / f"{name}.parquet") for name in ("launch", "production"))
    assert launch.info.seed != production.info.seed
    assert (launch.info.policy, production.info.policy) == ("launch", "production")


def test_the_same_config_twice_gives_the_same_results(small: RunConfig, small_run: Path, tmp_path: Path) -> None:
    assert_same_results(run(small, tmp_path / "again").path, small_run)


def test_another_seed_gives_other_results(small: RunConfig, small_run: Path, tmp_path: Path) -> None:
    other = run(small.model_copy(update={"seed": 4}), tmp_path / "other").path
    ours, theirs = (json.loads((path / "metrics.json").read_text()) for path in (small_run, other))
    assert ours["policies"][0]["truth"]["reward"]["mean"] != theirs["policies"][0]["truth"]["reward"]["mean"]


def test_a_run_that_is_stopped_in_and_after_every_stage_ends_the_same(
    small: RunConfig, small_run: Path, tmp_path: Path
) -> None:
    out = tmp_path / "stopped"
    names = [stage.name for stage in stages_of(small)]
    for number, name in enumerate(names):
        for midway in (True, False):
            display = Interrupting(name, midway=midway)
            with pytest.raises(Stop):
                run(small, out, resume=True, display=display)
            assert display.begun == [name]
            assert RunFolder(out).finished == names[: number + (not midway)]
            assert_whole(out)
            assert not list(out.rglob("*.tmp"))
    finished = Recording()
    run(small, out, resume=True, display=finished)
    assert finished.begun == []
    assert_same_results(out, small_run)


def test_what_was_deleted_is_made_again(small: RunConfig, small_run: Path, tmp_path: Path) -> None:
    out = run(small, tmp_path / "a").path
    (out / "results/slate_truth.json").unlink()
    (out / "metrics.json").unlink()
    display = Recording()
    run(small, out, resume=True, display=display)
    assert display.begun == ["replay the log", "metrics"]
    assert_same_results(out, small_run)


def test_a_run_goes_on_from_a_training(small: RunConfig, small_run: Path, tmp_path: Path) -> None:
    out, linucb = tmp_path / "a", small.policies[3]
    folder = train(small, small.policies[2], out)
    assert folder.finished == ["launch log", "fit static fusion"]
    assert train(small, linucb, out).finished == ["launch log", "fit static fusion", "train linucb"]
    assert_same_results(run(small, out, resume=True).path, small_run)


def test_a_resume_under_other_versions_is_told(small: RunConfig, tmp_path: Path) -> None:
    out = tmp_path / "a"
    with pytest.raises(Stop):
        run(small, out, display=Interrupting("launch log", midway=False))
    manifest = json.loads((out / "manifest.json").read_text())
    now = manifest["versions"]["numpy"]
    manifest["versions"]["numpy"] = "1.0"
    (out / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(AssertionError, match=rf"a was started with numpy 1\.0, this is {now}: the result may differ"):
        run(small, out, resume=True, display=Recording())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"slate_size": 31}, r"^slate_size is 31; the catalogue 'synthetic' allows 1 to 30\.$"),
        (
            {"users": {"model": "nobody"}},
            r"^users 'nobody' are unknown; built in: marketplace, news, feed, stationary, choc\.",
        ),
        ({"users": {"model": "no.such:Users"}}, r"^users 'no\.such:Users' cannot be imported: No module named 'no'"),
        ({"catalog": "/nowhere"}, r"^there is no catalogue '/nowhere'"),
        ({"catalog": {"synthetic": {"n_items": 3, "n_categories": 9}}}, r"3 items cannot have 9 categories"),
    ],
)
def test_a_world_that_cannot_be_leaves_no_folder(
    small: RunConfig, tmp_path: Path, change: dict[str, object], message: str
) -> None:
    config = RunConfig.model_validate(small.model_dump(mode="json") | change)
    with pytest.raises(UserError, match=message):
        run(config, tmp_path / "a")
    assert list(tmp_path.iterdir()) == []


def test_more_threads_than_there_are_is_refused_before_anything_is_replaced(small: RunConfig, tmp_path: Path) -> None:
    old = RunFolder.start(tmp_path / "a", small)
    (old.path / "report.html").write_text("old")
    with pytest.raises(UserError, match=r"^100000 threads asked for, but numba can use 1 to \d+ here"):
        run(small, tmp_path / "a", overwrite=True, n_threads=100_000)
    assert (old.path / "report.html").read_text() == "old"


@pytest.mark.slow
def test_the_number_of_threads_changes_nothing(small: RunConfig, tmp_path: Path) -> None:
    if (os.cpu_count() or 1) < 2:
        pytest.skip("this machine has one core")
    many = small.evaluation.model_copy(update={"n_users": 600, "batch": 600})
    logged = small.production_log.model_copy(update={"n_users": 400})
    config = small.model_copy(update={"evaluation": many, "production_log": logged})
    one, two = (run(config, tmp_path / str(count), n_threads=count).path for count in (1, 2))
    assert_same_results(one, two)


@pytest.mark.slow
def test_the_batch_changes_nothing_but_rounding_of_scores(small: RunConfig, small_run: Path, tmp_path: Path) -> None:
    single = small.model_copy(update={"evaluation": small.evaluation.model_copy(update={"batch": 1})})
    found = run(single, tmp_path / "single").path
    one, other = (pd.read_parquet(path / "results/sessions.parquet") for path in (small_run, found))
    # matrix products round differently for one row: the policies that make none are equal user by user
    constant = one["policy"].isin(["uniform", "popularity"])
    pd.testing.assert_frame_equal(one[constant], other[constant], check_exact=True)
    assert (one["reward"] == other["reward"]).mean() > 0.9
