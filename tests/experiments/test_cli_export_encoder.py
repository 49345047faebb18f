"""`recsim catalog export-encoder`: what it asks for, what it says, and requests that cannot be met."""

from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from recsim.experiments.cli import app
from recsim.modalities import compression
from recsim.packages import MissingPackage


def run(*command: object) -> tuple[int, str]:
    found = CliRunner().invoke(app, ["catalog", "export-encoder", *map(str, command)])
    return found.exit_code, found.output


def test_options_arrive_and_the_size_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []

    def export_encoder(name: str, out: Path, *, int8: bool, overwrite: bool) -> Path:
        asked.append((name, out, int8, overwrite))
        out.mkdir()
        (out / "model.onnx").write_bytes(bytes(2_500_000))
        return out

    monkeypatch.setattr(compression, "export_encoder", export_encoder)
    code, told = run("minilm", "--out", tmp_path / "out", "--int8")
    assert (code, asked) == (0, [("minilm", tmp_path / "out", True, False)])
    assert "(2.5 MB)" in told
    code, told = run("minilm", "--out", tmp_path / "out")
    assert (code, told.replace("\n", "")) == (
        2,
        f"{tmp_path / 'out'} exists already: choose another folder, or pass --overwrite.",
    )
    assert run("minilm", "--out", tmp_path / "out" / "model.onnx" / "x")[0] == 2
    assert len(asked) == 1


def test_requests_that_cannot_be_met_are_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code, told = run("glove", "--out", tmp_path / "out")
    assert code == 2
    assert "'glove' cannot be exported: pass minilm, efficientnet-lite0" in told

    def missing(name: str) -> None:
        raise MissingPackage(f"exported encoders need the package {name}")

    monkeypatch.setattr(compression, "onnx_module", missing)
    code, told = run("minilm", "--out", tmp_path / "out")
    assert code == 2
    assert told.startswith("exported encoders need the package onnx")
    assert list(tmp_path.iterdir()) == []
