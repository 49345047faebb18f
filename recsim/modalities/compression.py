"""Encoders as ONNX files, for machines without torch, and with weights of 8 bits, a quarter as large."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recsim.files import whole_folder, write_json
from recsim.modalities.exported import (
    MANIFEST,
    MODEL,
    SCHEMA_VERSION,
    TOKENIZER,
    onnx_module,
)
from recsim.paths import taken

NAMES = {"minilm": "text", "efficientnet-lite0": "image"}
LEAST = 4096  # numbers of a weight below which 8 bits would save nothing


def export_encoder(
    name: str | PathLike[str], out: str | PathLike[str], *, int8: bool = False, overwrite: bool = False
) -> Path:
    """Writes an encoder as a folder for `exported_encoder`, whole or not at all.

    Args:
        name: ``minilm``, ``efficientnet-lite0``, or the folder of a text model as transformers saves it.
        out: the folder to write.
        int8: whether weights are stored in 8 bits; they are multiplied out when the encoder is opened.
        overwrite: whether an exported encoder that is there is replaced; no other folder ever is.

    Returns:
        The folder.

    Raises:
        ValueError: if the name is unknown, or something is in the way.
        MissingPackage: if a package of the extra ``onnx`` or of ``text-image`` is not installed.
    """
    out = Path(out).absolute()
    kind = _checked(name, out, overwrite)
    onnx = onnx_module("onnx")
    onnx_module("onnxscript")
    with whole_folder(out) as folder:
        about = _write_text(name, folder) if kind == "text" else _write_image(folder)
        if int8:
            model = onnx.load(folder / MODEL)
            _store_in_8_bits(model)
            onnx.save(model, folder / MODEL)
        form = "int8" if int8 else "float32"
        about |= {"schema_version": SCHEMA_VERSION, "kind": kind, "name": str(name), "form": form}
        write_json(folder / MANIFEST, about)
    return out


def _checked(name: str | PathLike[str], out: Path, overwrite: bool) -> str:
    """``text`` or ``image``, if the request can be met."""
    kind = NAMES.get(str(name)) or ("text" if (Path(name) / "config.json").is_file() else None)
    if kind is None:
        raise ValueError(
            f"{str(name)!r} cannot be exported: pass {', '.join(NAMES)}, or the folder of a text model "
            "with a config.json."
        )
    ours = (out / MANIFEST).is_file()
    if out.exists() and not overwrite:
        raise ValueError(taken(out, "ask for overwrite"))
    if out.exists() and not ours:
        raise ValueError(f"{out} is no exported encoder, so it is not replaced: choose another folder.")
    return kind


def _write_text(name: str | PathLike[str], folder: Path) -> dict[str, Any]:
    """Tokens to what `recsim.modalities.text.TextEncoder` makes of them."""
    import torch

    from recsim.modalities.text import TextEncoder

    encoder = TextEncoder(None if str(name) in NAMES else name)

    class Pooled(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.transformer = encoder._model

        def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
            vectors = encoder._vectors({"input_ids": input_ids, "attention_mask": attention_mask})
            return torch.nn.functional.normalize(vectors, dim=1)

    tokens = encoder._tokenizer(["a red apple", "a bee"], padding=True, return_tensors="pt")
    batch, length = torch.export.Dim("batch"), torch.export.Dim("length", max=encoder.max_length)
    inputs = {key: tokens[key] for key in ("input_ids", "attention_mask")}
    _trace(Pooled(), inputs, {key: {0: batch, 1: length} for key in inputs}, folder / MODEL)
    encoder._tokenizer.backend_tokenizer.save(str(folder / TOKENIZER))
    return {"dim": encoder.dim, "max_length": encoder.max_length}


def _write_image(folder: Path) -> dict[str, Any]:
    """Pixels to means over space of the last features, as `recsim.modalities.image.ImageEncoder`."""
    import torch

    from recsim.modalities.image import SIZE, ImageEncoder

    encoder = ImageEncoder()

    class Features(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = encoder._model

        def forward(self, pixels: torch.Tensor) -> torch.Tensor:
            features: torch.Tensor = self.network.extract_features(pixels)
            return features.mean(dim=(2, 3))

    inputs = {"pixels": torch.zeros(2, 3, SIZE, SIZE)}
    _trace(Features(), inputs, {"pixels": {0: torch.export.Dim("batch")}}, folder / MODEL)
    return {"dim": encoder.dim}


def _trace(module: Any, inputs: dict[str, Any], shapes: dict[str, Any], path: Path) -> None:
    """Writes what `module` makes of `inputs` as one file, for any sizes of the axes named in `shapes`."""
    import torch

    with _quiet():
        torch.onnx.export(
            module.eval(),
            (),
            path,
            kwargs=inputs,
            input_names=list(inputs),
            output_names=["encoded"],
            dynamic_shapes=shapes,
            dynamo=True,
            external_data=False,
            verbose=False,
        )


def _store_in_8_bits(model: Any) -> None:
    """Replaces weights in float32 by whole numbers from -127 to 127 and a scale for each row or column.

    A scale belongs to what a single output is computed from: a column of a matrix, a filter of a convolution, a row of
    an embedding; it is max |w| / 127. When the model is opened, they are multiplied out again.
    """
    onnx = onnx_module("onnx")
    axes = {"MatMul": 1, "Conv": 0, "Gather": 0}
    place = {"MatMul": 1, "Conv": 1, "Gather": 0}
    axis_of = {node.input[place[node.op_type]]: axes[node.op_type] for node in model.graph.node if node.op_type in axes}
    made = []
    for weight in list(model.graph.initializer):
        array = onnx.numpy_helper.to_array(weight)
        if weight.name in axis_of and array.dtype == np.float32 and array.ndim > 1 and array.size >= LEAST:
            whole, scale = _rounded(array, axis_of[weight.name])
            parts = {f"{weight.name}_int8": whole, f"{weight.name}_scale": scale}
            model.graph.initializer.remove(weight)
            model.graph.initializer.extend(onnx.numpy_helper.from_array(part, key) for key, part in parts.items())
            axis = axis_of[weight.name]
            made.append(onnx.helper.make_node("DequantizeLinear", list(parts), [weight.name], axis=axis))
    nodes = [*made, *model.graph.node]
    del model.graph.node[:]
    model.graph.node.extend(nodes)


def _rounded(array: NDArray[np.float32], axis: int) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """Whole numbers and the scale along `axis`."""
    others = tuple(one for one in range(array.ndim) if one != axis)
    largest = np.abs(array).max(axis=others, keepdims=True)
    scale = np.where(largest > 0, largest, 1.0) / 127
    return np.rint(array / scale).astype(np.int8), scale.ravel().astype(np.float32)


@contextmanager
def _quiet() -> Iterator[None]:
    """Without what exporters say of themselves: their own deprecations, and packages that are not needed here."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
