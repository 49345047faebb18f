"""Models of transformers from a folder, and where and in which type they compute."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from recsim.encoding import Source
from recsim.packages import optional_module

DTYPES = ("float32", "float16", "bfloat16")


def load_model(folder: Path, source: Source) -> tuple[Any, bool]:
    """The model in a folder that save_pretrained wrote, ready to encode, and whether it was trained to pool.

    Of an encoder with a decoder, the encoder. Where the weights of the pooling layer are not in the folder,
    transformers draws them at random, and what the layer makes means nothing.

    Raises:
        FileNotFoundError: if there is none.
        ValueError: if it cannot be loaded, or other weights are missing.
    """
    if not (folder / "config.json").is_file():
        raise FileNotFoundError(
            f"{folder} holds no {source} model: there is no config.json of save_pretrained in it; name the folder into "
            "which the model was saved or fetched."
        )
    with quiet_transformers() as transformers, loading(folder, "the model"):
        model, told = transformers.AutoModel.from_pretrained(folder, local_files_only=True, output_loading_info=True)
    drawn = sorted(told["missing_keys"])
    needed = [key for key in drawn if not key.startswith("pooler.")]
    if needed:
        raise ValueError(
            f"the weights in {folder} lack {needed[0]!r} ({len(needed)} such parts), which would be drawn at random: "
            "fetch or save the model again."
        )
    return (model.get_encoder() if model.config.is_encoder_decoder else model).eval(), not drawn


@contextmanager
def loading(folder: Path, what: str) -> Iterator[None]:
    """Whatever goes wrong when transformers reads a folder, as one sentence."""
    from safetensors import SafetensorError

    try:
        yield
    except (OSError, ValueError, RuntimeError, KeyError, TypeError, SafetensorError) as error:
        reason = str(error).strip().split("\n", 1)[0][:200]
        raise ValueError(
            f"{what} in {folder} cannot be loaded ({type(error).__name__}: {reason}): fetch or save it again, or "
            "install the release of transformers that knows it."
        ) from error


@contextmanager
def quiet_transformers(what: str = "this encoder") -> Iterator[Any]:
    """The package transformers, which `what` needs, without its progress bars, which would run into ours.

    Raises:
        MissingPackage: if it is not installed.
    """
    transformers = optional_module("transformers", "transformers", what, alone=False)
    logging = transformers.utils.logging
    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield transformers
    finally:
        if shown:
            logging.enable_progress_bar()


def checked_device(device: str) -> str:
    """The device, if torch has it here."""
    import torch

    try:
        wanted = torch.device(device)
    except RuntimeError as error:
        raise ValueError(f"there is no device {device!r}: name one of torch, such as 'cpu' or 'cuda'.") from error
    there = getattr(getattr(torch, wanted.type, None), "device_count", lambda: 0)()
    if wanted.type != "cpu" and (wanted.index or 0) >= there:
        raise ValueError(f"torch {torch.__version__} finds no device {device!r} here: use 'cpu'.")
    return device


def checked_dtype(dtype: str) -> Any:
    """The type of torch that has this name."""
    import torch

    if dtype not in DTYPES:
        raise ValueError(f"a model cannot compute in {dtype!r}: choose {', '.join(DTYPES)}.")
    return getattr(torch, dtype)


def weight_bytes(model: Any) -> int:
    """What the weights of a model take in memory."""
    return sum(part.numel() * part.element_size() for part in model.parameters())


def named(name: str, dtype: str) -> str:
    """What an encoder is called that computes in this type."""
    return name if dtype == "float32" else f"{name}@{dtype}"
