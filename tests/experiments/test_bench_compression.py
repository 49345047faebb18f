"""What `recsim bench compression` measures; speed itself is never asserted."""

import json
from pathlib import Path

import numpy as np
import pytest

from recsim.experiments.bench import compression
from recsim.experiments.bench.compression import (
    agreement,
    bench,
    drawn,
    made,
    neighbours,
    timed,
)
from recsim.experiments.bench.tables import compression_cells, print_compression
from recsim.experiments.errors import UserError
from recsim.experiments.progress import Silent


class Lengths:
    """A text becomes (its length, 1); the sizes of batches are kept."""

    name, fingerprint, dim, weight_bytes = "lengths", "0", 2, 7

    def __init__(self) -> None:
        self.sizes: list[int] = []

    def encode(self, items: list[str]) -> np.ndarray:
        self.sizes.append(len(items))
        return np.array([[len(item), 1] for item in items], np.float32)


def test_neighbours_are_those_of_largest_cosine() -> None:
    angle = np.array([0.0, 0.1, 0.3, 1.0])
    rows = np.stack([np.cos(angle), np.sin(angle)], axis=1) * [[1.0], [5.0], [2.0], [3.0]]
    assert neighbours(rows.astype(np.float32), 2).tolist() == [[1, 2], [0, 2], [1, 0], [2, 1]]


def test_agreement_is_the_mean_share_kept() -> None:
    one, other = np.array([[1, 2], [0, 2], [0, 1]]), np.array([[2, 1], [2, 3], [4, 3]])
    assert agreement(one, other) == (2 / 2 + 1 / 2 + 0 / 2) / 3


def test_items_are_drawn_without_replacement() -> None:
    items = list(range(9))
    assert sorted(drawn(items, 99, 0)) == items
    assert len(set(drawn(items, 5, 0))) == 5
    assert drawn(items, 5, 0) == drawn(items, 5, 0) != drawn(items, 5, 1)


def test_every_item_is_timed_in_one_part() -> None:
    encoder, told = Lengths(), []
    rows, seconds = timed(encoder, ["a", "bb", "ccc", "dddd", "eeeee"], 2, told.append)
    assert rows[:, 0].tolist() == [1, 2, 3, 4, 5]
    assert encoder.sizes == [1, 3, 2]
    assert len(seconds) == 2
    assert told == [0.5, 1.0]


def test_the_first_form_is_the_reference(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys) -> None:
    class Backwards(Lengths):
        def encode(self, items: list[str]) -> np.ndarray:
            return np.array([[sum(map(ord, item)) % 7 - 3, len(item) % 3 + 1] for item in items], np.float32)

    def fake(name: str, form: str, place: Path):
        return (Backwards() if form == "onnx int8" else Lengths()), 2_000_000

    monkeypatch.setattr(compression, "made", fake)
    found = bench(["text"], "openclipart", {"text": 60, "image": 0}, 2, 0, Silent())
    json.dumps(found, allow_nan=False)
    assert [one["form"] for one in found["measures"]] == ["torch", "onnx", "onnx int8"]
    assert [one["kept"] for one in found["measures"]] == [True, True, False]
    assert [one["neighbours_kept"] for one in found["measures"]][:2] == [1, 1]
    assert {one["items"] for one in found["measures"]} == {60}
    assert compression_cells(found["measures"][0])[0::3] == ("minilm", "2.0")
    print_compression(found)
    assert "onnx int8" in capsys.readouterr().out


def test_the_size_of_an_encoder_is_what_it_says_itself(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The table of encoders shows the same number."""
    encoder = Lengths()
    monkeypatch.setattr(compression, "as_it_is", lambda name: encoder)
    assert made("efficientnet-lite0", "torch", tmp_path) == (encoder, 7)


def test_what_cannot_be_measured_is_refused() -> None:
    with pytest.raises(UserError, match="there is no row 'sound' to measure; choose from text, image"):
        bench(["sound"], "openclipart", {}, 1, 0, Silent())
    with pytest.raises(UserError, match="openclipart has 10 items with text, too few to have 10 neighbours"):
        bench(["text"], "openclipart", {"text": 10}, 1, 0, Silent())
    with pytest.raises(UserError, match="there is no catalogue 'nowhere'"):
        bench(["text"], "nowhere", {"text": 10}, 1, 0, Silent())
