"""Encoders that were written as ONNX files by `recsim.modalities.compression`, run by onnxruntime without torch.

A folder of one holds ::

    encoder.json      schema version, kind ("text" or "image"), name, form, dim, and for texts max_length
    model.onnx        from tokens or pixels to embeddings
    tokenizer.json    of texts
"""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recsim.files import read_json
from recsim.modalities import batches
from recsim.modalities.digest import fingerprint
from recsim.packages import needed_module

MANIFEST, MODEL, TOKENIZER = "encoder.json", "model.onnx", "tokenizer.json"
SCHEMA_VERSION = 1
KINDS, FORMS = ("text", "image"), ("float32", "int8")
CODE = 1  # part of fingerprints: raise it with any change here that changes embeddings


class Exported:
    """What exported encoders of texts and of images share.

    Attributes:
        name: path of the folder.
        fingerprint: of the files' bytes and of the code that reads them.
        dim: columns d of the embedding.
        form: ``float32``, or ``int8`` where weights are stored in 8 bits.
        batch_size: items of a run of the model.
    """

    kind: str

    def __init__(self, folder: Path, manifest: dict[str, Any], batch_size: int) -> None:
        """Opens the model on one thread, so that sums do not depend on the machine's number of cores."""
        onnxruntime = onnx_module("onnxruntime")
        self.name = str(folder)
        self.dim = int(manifest["dim"])
        self.form = str(manifest["form"])
        self.batch_size = batch_size
        self.fingerprint = _fingerprint(folder)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.add_session_config_entry("session.disable_quant_qdq", "1")  # weights in 8 bits are multiplied out once
        providers = ["CPUExecutionProvider"]
        self._session: Any = onnxruntime.InferenceSession(str(folder / MODEL), options, providers=providers)

    def _run(self, **inputs: NDArray[Any]) -> NDArray[np.float32]:
        (rows,) = self._session.run(None, inputs)
        return np.asarray(rows, dtype=np.float32)


class ExportedText(Exported):
    """Embeddings of texts, of length 1 as those of `recsim.modalities.text.TextEncoder`."""

    kind = "text"

    def __init__(self, folder: Path, manifest: dict[str, Any], batch_size: int) -> None:
        """Opens the model and its tokenizer."""
        super().__init__(folder, manifest, batch_size)
        self._tokenizer: Any = onnx_module("tokenizers").Tokenizer.from_file(str(folder / TOKENIZER))
        self._tokenizer.enable_truncation(int(manifest["max_length"]))
        self._tokenizer.no_padding()

    def encode(self, items: Sequence[str]) -> NDArray[np.float32]:
        """(m, d) float32 rows of length 1, one for each text; 0 for a text without tokens.

        Texts of like length share a batch, to save padding.
        """
        tokens = [one.ids for one in self._tokenizer.encode_batch(list(items))]
        order = sorted((row for row, ids in enumerate(tokens) if ids), key=lambda row: len(tokens[row]))
        encoded = np.zeros((len(items), self.dim), dtype=np.float32)
        for rows in batches(order, self.batch_size):
            padded = np.zeros((len(rows), len(tokens[rows[-1]])), np.int64)  # the longest is the last
            mask = np.zeros_like(padded)
            for place, row in enumerate(rows):
                padded[place, : len(tokens[row])] = tokens[row]
                mask[place, : len(tokens[row])] = 1
            encoded[list(rows)] = self._run(input_ids=padded, attention_mask=mask)
        return encoded


class ExportedImage(Exported):
    """Embeddings of image files, prepared as `recsim.modalities.image.ImageEncoder` prepares them."""

    kind = "image"

    def encode(self, items: Sequence[str | PathLike[str]]) -> NDArray[np.float32]:
        """(m, d) float32, one row for each image file."""
        rows = [self._run(pixels=pixels(batch)) for batch in batches(items, self.batch_size)]
        return np.concatenate(rows) if rows else np.zeros((0, self.dim), dtype=np.float32)


def pixels(paths: Sequence[str | PathLike[str]]) -> NDArray[np.float32]:
    """(m, 3, 224, 224) float32, image files as EfficientNet-Lite0 takes them."""
    from recsim.modalities.image import CENTRE, SCALE, read_image

    scaled = (np.stack([read_image(path) for path in paths]) - CENTRE) / SCALE
    return np.ascontiguousarray(scaled.transpose(0, 3, 1, 2), dtype=np.float32)


def exported_encoder(path: str | PathLike[str], *, batch_size: int = 64) -> ExportedText | ExportedImage | None:
    """The encoder in a folder that `recsim.modalities.compression.export_encoder` wrote; None if it is no such folder.

    Raises:
        ValueError: if its manifest is of another version or cannot be true.
        FileNotFoundError: if a file of it is missing.
        MissingPackage: if onnxruntime, or for texts tokenizers, is not installed.
    """
    folder = Path(path)
    if not (folder / MANIFEST).is_file():
        return None
    manifest = _checked(folder)
    needed = (MODEL, TOKENIZER) if manifest["kind"] == "text" else (MODEL,)
    for file in needed:
        if not (folder / file).is_file():
            raise FileNotFoundError(f"encoder {folder} has no {file}: it is incomplete; export or copy it again.")
    made = ExportedText if manifest["kind"] == "text" else ExportedImage
    return made(folder, manifest, batch_size)


def _fingerprint(folder: Path) -> str:
    """32 hexadecimal digits of the files' bytes and of the version of this code."""
    return fingerprint((folder / file for file in (MANIFEST, MODEL, TOKENIZER) if (folder / file).is_file()), code=CODE)


def _checked(folder: Path) -> dict[str, Any]:
    place = folder / MANIFEST
    try:
        found = read_json(place)
    except ValueError as error:
        raise ValueError(f"{place} is no JSON: export the encoder again.") from error
    manifest: dict[str, Any] = found if isinstance(found, dict) else {}
    version = manifest.get("schema_version")
    if version != SCHEMA_VERSION:
        raise ValueError(
            f"{place} has schema version {version}, and this recsim reads {SCHEMA_VERSION}: export the encoder again."
        )
    for key, allowed in (("kind", KINDS), ("form", FORMS)):
        if manifest.get(key) not in allowed:
            raise ValueError(f"{place}: {key} is {manifest.get(key)!r}, not {' or '.join(allowed)}; export it again.")
    for key in ("dim", "max_length") if manifest["kind"] == "text" else ("dim",):
        if not isinstance(manifest.get(key), int) or manifest[key] < 1:
            raise ValueError(f"{place}: {key} is {manifest.get(key)!r}, no number above 0; export it again.")
    return manifest


def onnx_module(name: str) -> ModuleType:
    """A module of the extra ``onnx``.

    Raises:
        MissingPackage: if it is not installed.
    """
    return needed_module(
        name,
        f'exported encoders need the package {name}, which is not installed: run  pip install "recsim-slate[onnx]"',
    )
