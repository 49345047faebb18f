"""`recsim catalog prepare`: a catalogue and a file of steps in, a catalogue with findings out."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from recsim import Catalog, load_catalog
from recsim.experiments.cli import app

STEPS = """
seed: 3
steps:
  - {kind: denoise, modality: text, components: 4}
  - {kind: inconsistent, divisions: 2}
  - {kind: vote, neighbours: 5}
  - {kind: fuse, method: weighted, folds: 3}
"""


@pytest.fixture
def recsim() -> Callable[..., Result]:
    """Runs the command line in this process."""
    return lambda *arguments: CliRunner().invoke(app, list(arguments), env={"COLUMNS": "80"})


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    return Catalog.synthetic(60, missing=0.1).save(tmp_path / "shop")


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "prepare.yaml"
    path.write_text(STEPS, encoding="utf-8")
    return path


def test_a_prepared_catalogue_is_written_and_told_of(
    recsim: Callable[..., Result], shop: Path, config: Path, tmp_path: Path
) -> None:
    out = tmp_path / "clean"
    result = recsim("catalog", "prepare", str(shop), "--config", str(config), "--out", str(out))
    assert result.exit_code == 0, result.output
    assert f"Catalogue: {out}" in result.stdout.replace("\n", "")
    for kind in ("denoised modality", "category vote", "fused modality"):
        assert kind.split()[0] in result.stdout
    clean = load_catalog(out)
    assert (clean.name, load_catalog(shop).name) == ("clean", "synthetic")
    source = load_catalog(shop)
    assert clean.card == (
        f"{source.card.rstrip()}\n\n## Prepared\n\n"
        f"Made from the catalogue `synthetic` (fingerprint {source.fingerprint}).\n\n"
        "Steps, in this order, with seed 3:\n\n"
        "1. `{kind: denoise, modality: text, components: 4, method: pca}`\n"
        "2. `{kind: inconsistent, first: text, second: image, method: cca, folds: 5, below: 0.5, divisions: 2}`\n"
        "3. `{kind: vote, modalities: [text, image], neighbours: 5, folds: 5, above: 0.9}`\n"
        "4. `{kind: fuse, modalities: [text, image], method: weighted, name: fused, replace: false, folds: 3}`\n"
    )
    shown = recsim("catalog", "show", str(out)).stdout
    assert "Made from the catalogue synthetic (fingerprint" in shown
    assert "{kind: denoise, modality: text, components: 4, method: pca}" in shown
    assert list(clean.modalities) == ["text", "image", "fused"]
    assert set(clean.findings["what"]) >= {"denoised modality", "category vote", "fused modality"}
    assert np.array_equal(clean.modalities["image"].embedding, load_catalog(shop).modalities["image"].embedding)


def test_a_clean_catalogue_has_no_findings(
    recsim: Callable[..., Result], shop: Path, config: Path, tmp_path: Path
) -> None:
    config.write_text("steps: [{kind: clean}]", encoding="utf-8")
    result = recsim("catalog", "prepare", str(shop), "--config", str(config), "--out", str(tmp_path / "clean"))
    assert result.exit_code == 0, result.output
    assert "Nothing was found." in result.stdout
    assert load_catalog(tmp_path / "clean").fingerprint == load_catalog(shop).fingerprint


def test_nothing_is_replaced_without_being_asked(
    recsim: Callable[..., Result], shop: Path, config: Path, tmp_path: Path
) -> None:
    arguments = ("catalog", "prepare", str(shop), "--config", str(config), "--out", str(shop))
    result = recsim(*arguments)
    assert result.exit_code == 2
    assert "exists already: choose another folder, or pass --overwrite" in result.stderr.replace("\n", " ")
    assert list(load_catalog(shop).modalities) == ["text", "image"]
    assert recsim(*arguments, "--overwrite").exit_code == 0
    assert list(load_catalog(shop).modalities) == ["text", "image", "fused"]


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("", "is empty; it needs at least the key steps"),
        ("steps: [{kind: fuze}]", "'steps.0.kind' is 'fuze'; did you mean 'fuse'?"),
        ("steps:\n- {kind: clean}\n- {kind: denoise, modality: a}", "line 3: 'steps.1.components' is missing; add it"),
        ("steps: []", "'steps' is empty; it needs at least 1 entry"),
        ("steps: [{kind: standardise, modality: sound}]", "step 1 (standardise): catalogue 'synthetic' has no"),
    ],
)
def test_a_wrong_file_is_told_with_its_line(
    recsim: Callable[..., Result], shop: Path, config: Path, tmp_path: Path, text: str, match: str
) -> None:
    config.write_text(text, encoding="utf-8")
    result = recsim("catalog", "prepare", str(shop), "--config", str(config), "--out", str(tmp_path / "out"))
    assert result.exit_code == 2
    assert match in result.stderr
    assert not (tmp_path / "out").exists()
