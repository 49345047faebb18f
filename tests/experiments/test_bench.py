"""What `recsim bench env` measures and compares, at sizes that take no time; speed itself is never asserted."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from recsim import Catalog, jit
from recsim.envs import SlateVectorEnv
from recsim.experiments.bench import large, measures, steps
from recsim.experiments.bench.measures import GIB, RATE, SECONDS, TIMES, Effort, Sizes, measure, promised, rates
from recsim.experiments.bench.peers import DRIVERS, peers
from recsim.experiments.bench.tables import print_bench
from recsim.experiments.progress import Lines, Silent

ROOT = Path(__file__).parents[2]
SMALL = Sizes(n=300, k=3, n_items=50, n_users=1100)
QUICK = Effort(repeats=2, seconds=0.01)


def ignore(done: int) -> None:
    """Progress that nobody sees."""


def test_a_rate_is_steps_by_cpu_seconds_after_a_step_that_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, calls, told = [0.0], [], []

    def step() -> int:
        clock[0] += 9.0 if not calls else 0.25
        calls.append(0)
        return 10

    monkeypatch.setattr(measures.time, "process_time", lambda: clock[0])
    assert rates(step, Effort(repeats=3, seconds=0.6), told.append) == [40.0, 40.0, 40.0]
    assert len(calls) == 1 + 3 * 3
    assert told == [1, 2, 3]


@pytest.mark.parametrize(
    ("name", "unit", "repeats", "bound", "ratio", "kept"),
    [
        ("vector", RATE, [3_000_000, 1_200_000.4, 5], {"floor": 1_000_000}, 1.2, True),
        ("single", RATE, [15_000], {"floor": 30_000}, 0.5, False),
        ("threads", TIMES, [1.7, 1.7], {"floor": 1.7}, 1.0, True),
        ("items_load", SECONDS, [6.0, 4.0], {"ceiling": 5.0}, 1.0, True),
        ("users_memory", GIB, [8.0], {"ceiling": 4.0}, 2.0, False),
    ],
)
def test_a_median_stands_beside_what_is_promised(
    name: str, unit: str, repeats: list[float], bound: dict[str, float], ratio: float, kept: bool
) -> None:
    found = measure(name, "it", unit, repeats, Sizes())
    assert {key: found[key] for key in bound} == bound
    assert (found["ratio"], found["kept"]) == (ratio, kept)
    assert found["value"] == round(float(np.median(repeats)), 0 if unit == RATE else 3)


def test_speed_with_other_results_keeps_no_promise() -> None:
    for equal in (True, False):
        assert measure("threads", "it", TIMES, [2.0], Sizes(), equal_results=equal)["kept"] is equal


def test_what_is_promised_holds_for_the_default_sizes_alone() -> None:
    for sizes in (SMALL, Sizes(n=512), Sizes(catalog="./shop"), Sizes(n_users=10)):
        found = measure("vector", "it", RATE, [1.0], sizes)
        assert not {"floor", "ceiling", "ratio", "kept"} & set(found)
        assert promised(found) == ""
    assert promised(measure("vector", "it", RATE, [1.0], Sizes())) == "≥ 1,000,000 /s"


def test_slates_are_without_repeats_and_the_same_each_time() -> None:
    slates = steps.prepared_slates(20, 4, 5)
    assert slates.shape == (steps.SLATES, 20, 4)
    assert (np.diff(np.sort(slates)) > 0).all()
    assert (slates == steps.prepared_slates(20, 4, 5)).all()
    assert len(np.unique(slates.reshape(-1, 4), axis=0)) > 50


def test_more_users_than_have_slates_of_their_own_are_all_stepped() -> None:
    env = SlateVectorEnv(SMALL.n_users, catalog=Catalog.synthetic(), slate_size=3)
    assert steps.vector_step(env, 100)() == SMALL.n_users > steps.PREPARED


class Untrue(SlateVectorEnv):
    """Pays a little more in one row where there are two threads."""

    def step(self, actions: Any) -> Any:
        observation, reward, *others = super().step(actions)
        reward[7] += 1e-12 * (jit._threads - 1)
        return observation, reward, *others


@pytest.mark.parametrize(("env", "equal"), [(SlateVectorEnv, True), (Untrue, False)])
def test_two_threads_are_told_from_one_by_the_last_bit(
    env: type[SlateVectorEnv], equal: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if jit.numba.config.NUMBA_NUM_THREADS < 2:
        pytest.skip("numba can use one thread here")
    monkeypatch.setattr(steps, "SlateVectorEnv", env)
    found = steps.threads(Catalog.synthetic(), SMALL, QUICK, ignore)
    assert found["equal_results"] is equal
    assert found["label"] == f"2 threads against 1, {'equal' if equal else 'UNEQUAL'} results"
    assert found["value"] > 0
    assert len(found["repeats"]) == 2
    assert jit._threads == 1


# Memory


@pytest.mark.skipif(not large.STATUS.is_file(), reason="memory is read from /proc")
def test_the_peak_can_be_forgotten() -> None:
    large.forget_peak()
    before = large.Memory.now()
    assert before.resident == before.anonymous + before.files
    size = 64 * 2**20
    block = np.ones(size, dtype=np.uint8)
    full = large.Memory.now()
    assert full.anonymous - before.anonymous > 0.9 * size
    del block
    after = large.Memory.now()
    assert after.peak - before.resident > 0.9 * size > after.resident - before.resident
    large.forget_peak()
    assert large.Memory.now().peak < after.peak - 0.5 * size


@pytest.mark.slow
@pytest.mark.skipif(not large.STATUS.is_file(), reason="memory is read from /proc")
def test_many_items_and_users_are_measured_in_processes_of_their_own() -> None:
    rate, memory, load = large.items(SMALL, QUICK, ignore)
    assert [one["name"] for one in (rate, memory, load)] == ["items", "items_memory", "items_load"]
    assert memory["feature_bytes"] == 50 * 128 * 4
    assert memory["value"] == round(memory["peak_bytes"] / memory["feature_bytes"], 3)
    assert len(rate["repeats"]) == len(load["repeats"]) == 2
    rate, memory = large.users(SMALL, QUICK, ignore)
    assert [one["name"] for one in (rate, memory)] == ["users", "users_memory"]
    assert 0.05 < memory["value"] < 2  # Python and its libraries alone


# Peers


def install(folder: Path, name: str, script: str) -> None:
    """A peer whose Python is a shell script."""
    python = folder / name / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(f"#!/bin/sh\n{script}\n")
    python.chmod(0o755)


def test_peers_are_compared_with_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "8")
    stepped = "'$*' $OMP_NUM_THREADS $NUMBA_NUM_THREADS"
    row = f'{{"peer": "sardine-rec", "stepped": "{stepped}", "user_steps_per_cpu_second": 500}}'
    for name, script in {
        "sardine": f"touch sardine.log; cat <<end\n{row}\nend",
        "trecs": 'echo \'{"peer": "trecs", "user_steps_per_cpu_second": 3000}\'\n' * 2,
        "recogym": "echo 'first line' >&2; echo 'ImportError: no rand' >&2; exit 1",
    }.items():
        install(tmp_path, name, script)
    monkeypatch.chdir(tmp_path)
    with (tmp_path / "told").open("w") as told:
        found = peers(Path(), Effort(3, 0.25), Lines(Console(file=told)), 1000)
    assert [(one["peer"], one["ratio"]) for one in found] == [("sardine-rec", 2.0), ("trecs", 0.333), ("trecs", 0.333)]
    assert found[0]["stepped"] == f"'-E {DRIVERS['sardine']} 3 0.25' 1 1"
    assert not (tmp_path / "sardine.log").exists()
    lines = (tmp_path / "told").read_text().splitlines()
    assert lines[0].startswith("recsim_no_tf left out, as not in .: `make peers`")
    assert [line for line in lines if "failed" in line] == ["recogym is left out, as it failed: ImportError: no rand"]
    assert all("ratio" not in one for one in peers(Path(), Effort(1, 0.1), Silent(), None))


def test_every_peer_has_a_driver_and_is_installed() -> None:
    path = ROOT / "scripts" / "install_peers.py"
    spec = importlib.util.spec_from_file_location("install_peers", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert set(module.PEERS) == set(DRIVERS)
    told = (ROOT / "scripts" / "peers" / "README.md").read_text()
    for name, (peer, *_) in module.PEERS.items():
        package, _, version = peer.partition("==")
        assert f'report("{package}"' in DRIVERS[name].read_text()
        assert f"| `{package}` {version} |" in told


def test_a_driver_prints_what_it_measured() -> None:
    driver = "from timing import report; report('numpy', 'nothing', lambda: 5)"
    done = subprocess.run(
        [sys.executable, "-c", driver, "3", "0.01"],
        env={"PYTHONPATH": str(ROOT / "scripts" / "peers")},
        capture_output=True,
        text=True,
        check=True,
    )
    found = json.loads(done.stdout)
    assert (found["peer"], found["version"], found["stepped"]) == ("numpy", np.__version__, "nothing")
    assert found["user_steps_per_cpu_second"] == sorted(found["repeats"])[1] > 0


def test_the_table_shows_what_is_kept_and_the_peers(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    found = json.loads((ROOT / "docs" / "results" / "env.json").read_text())
    found["measures"] = [
        measure("vector", "many", RATE, [1.5e6], Sizes()),
        measure("users_memory", "memory", GIB, [4.5], Sizes()),
        measure("users", "users", RATE, [7.0], Sizes()),
    ]
    print_bench(found)
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 80
    rows = [" ".join(line.split()) for line in lines]
    assert "many 1,500,000 /s ≥ 1,000,000 /s yes" in rows
    assert "memory 4.50 GiB ≤ 4.00 GiB no" in rows
    assert "users 7 /s" in rows
    for peer in found["peers"]:
        assert any(row.startswith(peer["peer"]) and f"{peer['user_steps_per_cpu_second']:,}" in row for row in rows)
