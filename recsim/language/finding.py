"""Where a language model lies: in a folder, or, where a user names one, on the Hugging Face hub."""

from __future__ import annotations

from os import PathLike
from pathlib import Path

from recsim.modalities.hub import HUB_NAME, hub_folder


def model_folder(path: str | PathLike[str]) -> Path:
    """The folder with a model's files; a name on the hub ("org/name", where no such folder is) is downloaded first.

    Raises:
        FileNotFoundError: if there is no such folder, no model in it, or it cannot be downloaded.
    """
    folder = Path(path)
    if not folder.exists() and isinstance(path, str) and HUB_NAME.fullmatch(path) and not folder.parent.exists():
        folder = hub_folder(path, pickled=False)
    if not (folder / "config.json").is_file():
        raise FileNotFoundError(
            f"{str(path)!r} holds no language model: pass a folder with the files of save_pretrained (config.json, "
            "tokenizer, weights as safetensors), or a name on the Hugging Face hub such as 'org/name'."
        )
    return folder
