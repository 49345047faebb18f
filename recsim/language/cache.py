"""Scores of a language model that are computed once: in memory, and, where a file is named, from run to run."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from struct import Struct
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recsim.language.model import LanguageModel
from recsim.modalities import batches
from recsim.store import Store, Table

BLOCK = 256  # prompts after which scores are written, so that a run that is killed goes on from there
SCORES = Table(
    "scores",
    maker="model",
    key="pair",
    value="score",
    holds="a language model's scores",
    elsewhere="name another file",
)
_SCORE = Struct("<d")


class RememberedModel:
    """A language model that scores no pair of prompt and answer twice.

    Scores are kept under the model's fingerprint, and come back to the last bit. Several processes may share a file.

    Attributes:
        model: the model that is asked.
        asked: how many prompts it was asked so far.
    """

    def __init__(self, model: LanguageModel, path: str | PathLike[str] | None = None) -> None:
        """Scores of `model`, kept in memory and in the SQLite file `path`, which is made where it is not there.

        Raises:
            ValueError: if the file is there and holds something else.
            OSError: if it cannot be opened.
        """
        self.model, self.asked = model, 0
        self._path = None if path is None else Path(path)
        self._known: dict[bytes, float] = {}
        if self._path is not None:
            Store(self._path, SCORES).close()

    @property
    def name(self) -> str:
        """The model's name."""
        return self.model.name

    @property
    def fingerprint(self) -> str:
        """The model's fingerprint."""
        return self.model.fingerprint

    def __reduce__(self) -> tuple[Any, ...]:
        return RememberedModel, (self.model, self._path)

    def __deepcopy__(self, memo: dict[int, Any]) -> RememberedModel:
        return self  # what it remembers changes nothing that it says

    def log_probs(self, prompts: Sequence[str], answers: Sequence[str]) -> NDArray[np.float64]:
        """(n, a) float64, the model's `log_probs`; it is asked about what is new only."""
        keys = [[_key(prompt, answer) for answer in answers] for prompt in prompts]
        self._look_up([key for row in keys for key in row if key not in self._known])
        new = {prompt: row for prompt, row in zip(prompts, keys, strict=True) if any(k not in self._known for k in row)}
        for block in batches(list(new), BLOCK):
            scores = self.model.log_probs(block, answers)
            self.asked += len(block)
            self._keep([new[prompt] for prompt in block], scores)
        return np.array([[self._known[key] for key in row] for row in keys]).reshape(len(prompts), len(answers))

    def write(self, prompts: Sequence[str], *, max_tokens: int = 60) -> list[str]:
        """The model's `write`, which is not remembered."""
        return self.model.write(prompts, max_tokens=max_tokens)

    def _keep(self, keys: list[list[bytes]], scores: NDArray[np.float64]) -> None:
        found = dict(zip((key for row in keys for key in row), scores.ravel().tolist(), strict=True))
        self._known |= found
        if self._path is not None:
            with Store(self._path, SCORES) as store:
                store.put(self.fingerprint, {key: _SCORE.pack(score) for key, score in found.items()})

    def _look_up(self, keys: list[bytes]) -> None:
        """Take what the file knows of `keys` into memory."""
        if keys and self._path is not None:
            with Store(self._path, SCORES) as store:
                stored = store.get(self.fingerprint, keys, _SCORE.size)
            self._known |= {key: _SCORE.unpack(score)[0] for key, score in stored.items()}


def _key(prompt: str, answer: str) -> bytes:
    """16 bytes for a pair; the length keeps apart what is prompt and what is answer."""
    return hashlib.blake2b(f"{len(prompt)}:{prompt}{answer}".encode(), digest_size=16).digest()
