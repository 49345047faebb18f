"""Exported encoders give what the encoders of torch give, and broken folders are refused."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from recsim.modalities import compression, exported
from recsim.modalities.compression import export_encoder
from recsim.modalities.exported import MANIFEST, MODEL, TOKENIZER, exported_encoder, onnx_module
from recsim.modalities.names import image_encoder, text_encoder

TEXTS = ["a red apple", "bee", "a very long description of a green house " * 60, "", "dog", "a cat in the sun"]


def small_model(folder: Path) -> Path:
    """A random BERT of two layers with a tokenizer of whole words, as transformers saves them."""
    import torch
    from transformers import BertConfig, BertModel, BertTokenizerFast

    words = {word for text in TEXTS for word in text.split()}
    folder.mkdir(exist_ok=True)
    (folder / "vocab.txt").write_text("\n".join(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *sorted(words)]))
    BertTokenizerFast(str(folder / "vocab.txt")).save_pretrained(folder)
    size = {"hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 128}
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(0)
        model = BertModel(BertConfig(vocab_size=100, max_position_embeddings=256, **size))
    model.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_model(tmp_path_factory.mktemp("source"))


@pytest.fixture(scope="module")
def folder(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return export_encoder(source, tmp_path_factory.mktemp("exported") / "text")


@pytest.fixture(scope="module")
def in_8_bits(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return export_encoder(source, tmp_path_factory.mktemp("exported") / "text8", int8=True)


def test_texts_are_encoded_as_by_torch(source: Path, folder: Path) -> None:
    from recsim.modalities.text import TextEncoder

    expected = TextEncoder(source).encode(TEXTS)
    encoder = exported_encoder(folder, batch_size=4)
    assert encoder is not None
    assert (encoder.name, encoder.dim, encoder.form) == (str(folder), 64, "float32")
    np.testing.assert_allclose(encoder.encode(TEXTS), expected, atol=1e-5)
    alone = np.concatenate([encoder.encode([text]) for text in TEXTS])
    np.testing.assert_allclose(alone, expected, atol=1e-5)
    assert encoder.encode([]).shape == (0, 64)


def test_a_model_that_gives_its_first_token_is_exported_so(source: Path, tmp_path: Path) -> None:
    from recsim.modalities.text import TextEncoder

    first = shutil.copytree(source, tmp_path / "first")
    (first / "1_Pooling").mkdir()
    (first / "1_Pooling" / "config.json").write_text(json.dumps({"pooling_mode_cls_token": True}))
    expected = TextEncoder(first).encode(TEXTS)
    assert np.abs(expected - TextEncoder(source).encode(TEXTS)).max() > 0.1
    encoder = exported_encoder(export_encoder(first, tmp_path / "out"))
    assert encoder is not None
    np.testing.assert_allclose(encoder.encode(TEXTS), expected, atol=1e-5)


def test_a_text_without_tokens_is_zero(folder: Path, tmp_path: Path) -> None:
    plain = shutil.copytree(folder, tmp_path / "plain")
    tokenizer = json.loads((plain / TOKENIZER).read_text())
    (plain / TOKENIZER).write_text(json.dumps(tokenizer | {"post_processor": None}))  # which adds [CLS] and [SEP]
    encoder = exported_encoder(plain)
    assert encoder is not None
    assert encoder.encode(TEXTS).any(axis=1).tolist() == [bool(text) for text in TEXTS]
    assert encoder.encode([""]).tolist() == [[0.0] * 64]


def test_an_exported_encoder_is_found_by_its_folder(folder: Path) -> None:
    encoder = text_encoder(str(folder))
    assert encoder.fingerprint == exported_encoder(folder).fingerprint
    with pytest.raises(ValueError, match="is one of texts, not of images"):
        image_encoder(str(folder))
    with pytest.raises(ValueError, match="runs on the CPU in float32: leave device and dtype as they are"):
        text_encoder(str(folder), dtype="bfloat16")


def test_weights_of_8_bits_are_smaller_and_nearly_the_same(folder: Path, in_8_bits: Path) -> None:
    whole, small = exported_encoder(folder), exported_encoder(in_8_bits)
    assert whole is not None
    assert small is not None
    assert small.form == "int8"
    numbers = (100 + 256) * 64 + 2 * (
        4 * 64 * 64 + 2 * 64 * 128
    )  # words, positions; attention and the two layers after
    saved = (folder / MODEL).stat().st_size - (in_8_bits / MODEL).stat().st_size
    assert 2.8 * numbers < saved < 3 * numbers  # 3 bytes each, less the scales
    one, other = whole.encode(TEXTS), small.encode(TEXTS)
    assert 0.99 < (one * other).sum(axis=1).min() < 1
    alone = np.concatenate([small.encode([text]) for text in TEXTS])
    np.testing.assert_allclose(alone, other, atol=1e-5)


def test_fingerprints_change_with_weights_and_options(folder: Path, in_8_bits: Path, tmp_path: Path) -> None:
    def fingerprint(path: Path) -> str:
        encoder = exported_encoder(path)
        assert encoder is not None
        return encoder.fingerprint

    def copied(name: str, **changed: object) -> Path:
        (tmp_path / name).mkdir()
        for file in folder.iterdir():
            (tmp_path / name / file.name).write_bytes(file.read_bytes())
        manifest = json.loads((folder / MANIFEST).read_text()) | changed
        (tmp_path / name / MANIFEST).write_text(json.dumps(manifest, indent=1) + "\n")
        return tmp_path / name

    assert fingerprint(folder) == fingerprint(copied("same"))
    assert len({fingerprint(folder), fingerprint(in_8_bits), fingerprint(copied("short", max_length=5))}) == 3


def test_weights_are_rounded_to_the_nearest_of_their_row_or_column() -> None:
    array = np.array([[1.0, -0.2], [-0.5, 0.4]], np.float32)
    whole, scale = compression._rounded(array, 1)
    np.testing.assert_allclose(scale, [1 / 127, 0.4 / 127], rtol=1e-6)
    assert np.abs(whole - [[127, -0.2 / 0.4 * 127], [-0.5 * 127, 127]]).max() <= 0.5
    assert np.abs(whole * scale - array).max() <= scale.max() / 2 + 1e-7
    nothing, scale = compression._rounded(np.zeros((2, 2), np.float32), 0)
    assert not nothing.any()
    assert (scale > 0).all()


def test_a_folder_of_something_else_is_none(source: Path, tmp_path: Path) -> None:
    assert exported_encoder(source) is None
    assert exported_encoder(tmp_path / "nothing") is None


def test_broken_folders_are_refused(folder: Path, tmp_path: Path) -> None:
    manifest = json.loads((folder / MANIFEST).read_text())
    place = tmp_path / MANIFEST
    for text, sentence in [
        ("{", "is no JSON: export the encoder again"),
        ("[]", "has schema version None, and this recsim reads 1"),
        (json.dumps(manifest | {"schema_version": 9}), "has schema version 9, and this recsim reads 1"),
        (json.dumps(manifest | {"kind": "sound"}), "kind is 'sound', not text or image"),
        (json.dumps(manifest | {"form": "int4"}), "form is 'int4', not float32 or int8"),
        (json.dumps(manifest | {"dim": "many"}), "dim is 'many', no number above 0"),
        (json.dumps(manifest | {"max_length": 0}), "max_length is 0, no number above 0"),
    ]:
        place.write_text(text)
        with pytest.raises(ValueError, match=sentence):
            exported_encoder(tmp_path)
    place.write_text(json.dumps(manifest))
    with pytest.raises(FileNotFoundError, match=r"has no model\.onnx: it is incomplete"):
        exported_encoder(tmp_path)
    (tmp_path / MODEL).write_bytes((folder / MODEL).read_bytes())
    with pytest.raises(FileNotFoundError, match=r"has no tokenizer\.json: it is incomplete"):
        exported_encoder(tmp_path)
    (tmp_path / TOKENIZER).write_bytes((folder / TOKENIZER).read_bytes())
    assert exported_encoder(tmp_path) is not None


def test_only_an_exported_encoder_is_replaced(source: Path, folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="exists already: choose another folder, or ask for overwrite"):
        export_encoder(source, folder)
    (tmp_path / "letters.txt").write_text("dear")
    with pytest.raises(ValueError, match="is no exported encoder, so it is not replaced: choose another folder"):
        export_encoder(source, tmp_path, overwrite=True)
    with pytest.raises(ValueError, match="'glove' cannot be exported: pass minilm, efficientnet-lite0, or the folder"):
        export_encoder("glove", tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["letters.txt"]


def test_what_fails_halfway_leaves_nothing(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(compression, "_trace", broken)
    with pytest.raises(OSError, match="disk full"):
        export_encoder(source, tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_a_missing_package_says_what_to_install() -> None:
    with pytest.raises(ModuleNotFoundError, match=r'need the package no_such_onnx.*pip install "recsim-slate\[onnx\]"'):
        onnx_module("no_such_onnx")


def test_reading_an_exported_text_encoder_needs_no_torch(folder: Path) -> None:
    code = (
        "import sys; from recsim.modalities.exported import exported_encoder; "
        f"exported_encoder({str(folder)!r}).encode(['a bee']); "
        "print(sorted({'torch', 'transformers', 'onnx'} & set(sys.modules)))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


@pytest.mark.slow
@pytest.mark.parametrize("int8", [False, True])
def test_images_are_encoded_as_by_torch(tmp_path: Path, int8: bool) -> None:
    from recsim.modalities.image import ImageEncoder

    draw = np.random.Generator(np.random.Philox(0))
    paths = [tmp_path / f"{number}.png" for number in range(3)]
    for path in paths:
        Image.fromarray(draw.integers(0, 256, (8, 8, 3), dtype=np.uint8)).save(path)
    encoder = exported_encoder(export_encoder("efficientnet-lite0", tmp_path / "out", int8=int8), batch_size=2)
    assert encoder is not None
    found, expected = encoder.encode(paths), ImageEncoder().encode(paths)
    lengths = np.linalg.norm(found, axis=1) * np.linalg.norm(expected, axis=1)
    cosine = (found * expected).sum(axis=1) / lengths
    assert cosine.min() > (0.98 if int8 else 0.99999)
    assert encoder.encode([]).shape == (0, encoder.dim) == (0, 1280)
    assert exported.pixels(paths).shape == (3, 3, 224, 224)
