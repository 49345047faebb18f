"""A run killed at any moment leaves nothing half-written and ends, resumed, as if nothing had happened."""

import json
import os
import random
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pandas as pd
import pytest
from safetensors import safe_open

pytestmark = pytest.mark.slow
MOMENTS = 5


def start(smoke_file: Path, out: Path) -> subprocess.Popen[bytes]:
    command = (sys.executable, "-m", "recsim.experiments.cli", "run", str(smoke_file), "--out", str(out), "--resume")
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, preexec_fn=heed_interrupts)


def heed_interrupts() -> None:
    """Undo what a shell does to its background jobs, under one of which these tests may run: ignore Ctrl-C."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def finished(out: Path) -> int:
    manifest = out / "manifest.json"
    return len(json.loads(manifest.read_text())["stages"]) if manifest.is_file() else 0


def assert_whole(out: Path) -> None:
    """Every file under its final name can be read to its end."""
    for file in out.rglob("*"):
        if not file.is_file() or ".tmp" in str(file.relative_to(out)):
            continue
        if file.suffix == ".json":
            json.loads(file.read_text())
        elif file.suffix == ".parquet":
            pd.read_parquet(file)
        elif file.suffix == ".zip":
            assert zipfile.ZipFile(file).testzip() is None
        elif file.suffix == ".safetensors":
            with safe_open(file, framework="numpy") as tensors:
                assert [tensors.get_tensor(name).size for name in tensors.keys()]  # noqa: SIM118 (not a mapping)
        elif file.suffix == ".html":
            assert file.read_text().rstrip().endswith("</html>")


@pytest.mark.skipif(os.name == "nt", reason="there is no SIGKILL on Windows")
def test_killed_again_and_again(smoke_file: Path, smoke_run: Path, tmp_path: Path) -> None:
    out, draw = tmp_path / "killed", random.Random(0)
    for _ in range(MOMENTS):
        before = finished(out)
        process = start(smoke_file, out)
        while finished(out) == before and process.poll() is None:
            time.sleep(0.005)
        time.sleep(draw.uniform(0.0, 1.5))
        process.kill()
        process.communicate()
        assert_whole(out)
        if finished(out) == finished(smoke_run):
            break
    process = start(smoke_file, out)
    output, errors = process.communicate(timeout=240)
    assert process.returncode == 0, errors.decode()
    assert "Report:" in output.decode()
    assert (out / "metrics.json").read_bytes() == (smoke_run / "metrics.json").read_bytes()
    for name in ("metrics.parquet", "learning_curve.parquet", "results/sessions.parquet"):
        pd.testing.assert_frame_equal(pd.read_parquet(out / name), pd.read_parquet(smoke_run / name), check_exact=True)
    assert not list(out.rglob("*.tmp"))


@pytest.mark.skipif(os.name == "nt", reason="Ctrl-C is another thing on Windows")
def test_ctrl_c_says_how_to_go_on(smoke_file: Path, tmp_path: Path) -> None:
    out, long = tmp_path / "interrupted", tmp_path / "long.yaml"
    long.write_text(smoke_file.read_text().replace("n_users: 40, n_boot", "n_users: 1_000_000, n_boot"))
    process = start(long, out)
    while finished(out) < 3 and process.poll() is None:
        time.sleep(0.005)
    process.send_signal(signal.SIGINT)
    try:
        _, errors = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 130
    last = errors.decode().splitlines()[-1]
    assert last == (f"Interrupted; finished stages are kept. To go on, run: recsim run {long} --out {out} --resume")
    assert "Traceback" not in errors.decode()
    assert_whole(out)
