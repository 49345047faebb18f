"""Models of transformers from a folder, and where and in which type they compute."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from recsim.encoding import Source
from recsim.modalities import optional_module

DTYPES = ("float32", "float16", "bfloat16")


def load_model(folder: Path, source: Source) -> tuple[Any, bool]:
    """The model in a folder that save_pretrained wrote, ready to encode, and whether it was trained to pool.

    Of an encoder with a decoder, the encoder. Where the weights of the pooling layer are not in the folder,
    transformers draws them at random, and what the layer makes means nothing.

    Raises:
        FileNotFoundError: if there is none.
        ValueError: if weights other than those of a pooling layer are missing: transformers would draw them.
    """
    transformers = optional_module("transformers", "transformers")
    if not (folder / "config.json").is_file():
        raise FileNotFoundError(
            f"{folder} holds no {source} model: there is no config.json of save_pretrained in it; name the folder into "
            "which the model was saved or fetched."
        )
    model, told = transformers.AutoModel.from_pretrained(folder, local_files_only=True, output_loading_info=True)
    drawn = sorted(told["missing_keys"])
    if any(not key.startswith("pooler.") for key in drawn):
        raise ValueError(
            f"the weights in {folder} lack {drawn[0]!r} ({len(drawn)} such parts), which would be drawn at random: "
            "fetch or save the model again."
        )
    return (model.get_encoder() if model.config.is_encoder_decoder else model).eval(), not drawn


def checked_device(device: str) -> str:
    """The device, if torch has it here."""
    import torch

    try:
        kind = torch.device(device).type
    except RuntimeError as error:
        raise ValueError(f"there is no device {device!r}: name one of torch, such as 'cpu' or 'cuda'.") from error
    available = getattr(getattr(torch, kind, None), "is_available", lambda: False)
    if kind != "cpu" and not available():
        raise ValueError(f"torch {torch.__version__} finds no device {device!r} here: use 'cpu'.")
    return device


def checked_dtype(dtype: str) -> Any:
    """The type of torch that has this name."""
    import torch

    if dtype not in DTYPES:
        raise ValueError(f"a model cannot compute in {dtype!r}: choose {', '.join(DTYPES)}.")
    return getattr(torch, dtype)


def named(name: str, dtype: str) -> str:
    """What an encoder is called that computes in this type."""
    return name if dtype == "float32" else f"{name}@{dtype}"
