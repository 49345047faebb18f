"""Models on the Hugging Face hub: the one place where an encoder or a language model may use the network."""

from __future__ import annotations

import re
from pathlib import Path

from recsim.packages import optional_module

HUB_NAME = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")

_WANTED = ["*.json", "*.txt", "*.model", "*.jinja", "*.safetensors"]  # data: no code of a model is fetched
_BELOW = ["[!1]*/*"]  # other formats, such as onnx/, and parts of pipelines; but 1_Pooling says how to pool


def hub_folder(name: str, *, pickled: bool = True) -> Path:
    """The folder in the cache of huggingface_hub with the files of the model ``org/name``, fetched where they lack.

    Weights are fetched as safetensors where there are such, else, if `pickled`, as what torch wrote; Hugging Face's own
    environment variables (HF_HOME, HF_TOKEN, HF_HUB_OFFLINE) hold.

    Raises:
        FileNotFoundError: if the hub cannot be reached or has no such model.
    """
    hub = optional_module("huggingface_hub", "huggingface_hub", alone=False)
    try:
        folder = Path(hub.snapshot_download(name, allow_patterns=_WANTED, ignore_patterns=_BELOW))
        if pickled and not any(folder.glob("*.safetensors")):
            hub.snapshot_download(name, allow_patterns=["*.bin"], ignore_patterns=_BELOW)
    except (OSError, ValueError) as error:
        raise FileNotFoundError(
            f"{name!r} is no folder here, and the Hugging Face hub gave no model of that name "
            f"({type(error).__name__}): check the name and the network, or fetch the model elsewhere and pass the path "
            "of its folder."
        ) from error
    return folder
