"""Where a language model lies: in a folder, or, where a user names one, on the Hugging Face hub."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from os import PathLike
from pathlib import Path
from typing import Any

HUB_NAME = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+")
FILES = ("*.json", "*.safetensors", "*.txt", "*.model", "*.jinja")  # data only: no pickled weights, no code


def transformers_module() -> Any:
    """The package transformers.

    Raises:
        ModuleNotFoundError: if it is not installed; the message says how to.
    """
    try:
        return import_module("transformers")
    except ModuleNotFoundError as error:
        if error.name != "transformers":
            raise
        raise ModuleNotFoundError(
            "a language model needs the package transformers, which is not installed: "
            "run  pip install 'recsim-slate[text-image]'  or  pip install transformers",
            name="transformers",
        ) from error


@contextmanager
def quiet_transformers() -> Iterator[Any]:
    """The package transformers, which shows no progress bars inside the block.

    Raises:
        ModuleNotFoundError: if it is not installed.
    """
    transformers = transformers_module()
    logging = transformers.utils.logging
    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield transformers
    finally:
        if shown:
            logging.enable_progress_bar()


def model_folder(path: str | PathLike[str]) -> Path:
    """The folder with a model's files; a name on the hub ("org/name", where no such folder is) is downloaded first.

    Raises:
        FileNotFoundError: if there is no such folder, no model in it, or it cannot be downloaded.
    """
    folder = Path(path)
    if not folder.exists() and isinstance(path, str) and HUB_NAME.fullmatch(path) and not folder.parent.exists():
        folder = _downloaded(path)
    if not (folder / "config.json").is_file():
        raise FileNotFoundError(
            f"{str(path)!r} holds no language model: pass a folder with the files of save_pretrained (config.json, "
            "tokenizer, weights as safetensors), or a name on the Hugging Face hub such as 'org/name'."
        )
    return folder


def folder_fingerprint(folder: Path, options: str) -> str:
    """32 hexadecimal digits that change with any file of a model, and with `options`."""
    digest = hashlib.blake2b(options.encode(), digest_size=16)
    files = sorted({path for pattern in FILES for path in folder.rglob(pattern) if path.is_file()})
    for path in files:
        digest.update(f"/{path.relative_to(folder).as_posix()}/{path.stat().st_size}/".encode())
        with path.open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()


def _downloaded(name: str) -> Path:
    transformers_module()
    hub = import_module("huggingface_hub")  # transformers needs it, so it is there
    try:
        return Path(hub.snapshot_download(name, allow_patterns=list(FILES)))
    except (OSError, ValueError) as error:
        reason = str(error).partition("\n")[0]
        raise FileNotFoundError(
            f"language model {name!r} is no folder here and cannot be fetched from the Hugging Face hub ({reason}): "
            "pass the folder in which it lies."
        ) from error
