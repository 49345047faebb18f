"""Fingerprints of encoders and language models."""

from __future__ import annotations

import json
from collections.abc import Iterable
from hashlib import blake2b, file_digest
from pathlib import Path

# Config, tokenizer, preprocessing, template of a chat, pooling.
_DESCRIBING = ("*.json", "*.txt", "*.model", "*.jinja", "1_Pooling/config.json")


def fingerprint(files: Iterable[Path] = (), **options: str | int | float | None) -> str:
    """32 hexadecimal digits that change with what is in the files, with their names, and with the options."""
    digest = blake2b(json.dumps(options, sort_keys=True).encode(), digest_size=16)
    for path in sorted(files):
        with path.open("rb") as file:
            digest.update(f"{path.name}:{file_digest(file, blake2b).hexdigest()}".encode())
    return digest.hexdigest()


def model_files(folder: Path) -> list[Path]:
    """The files in a folder of transformers that decide what the model makes of an item or a prompt."""
    weights = [*folder.glob("*.safetensors")] or [*folder.glob("*.bin")]  # the first are preferred by transformers
    return [*weights, *(path for pattern in _DESCRIBING for path in folder.glob(pattern))]
