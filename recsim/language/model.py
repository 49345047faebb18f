"""Language models that run here: how likely answers are after a prompt, and what a model goes on to write."""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from recsim.language.finding import model_folder
from recsim.language.passes import Network, passes
from recsim.language.tokens import Tokens
from recsim.modalities.digest import fingerprint, model_files
from recsim.modalities.loading import checked_device, checked_dtype, quiet_transformers

_SCORING = "1"  # goes up with every change of the code here that changes a score


class LanguageModel(Protocol):
    """What can say how likely an answer is, and write one.

    Attributes:
        name: what reports call it.
        fingerprint: hexadecimal digits that change with anything that changes a score.
    """

    @property
    def name(self) -> str: ...

    @property
    def fingerprint(self) -> str: ...

    def log_probs(self, prompts: Sequence[str], answers: Sequence[str]) -> NDArray[np.float64]:
        """(n, a) float64 <= 0: sum of the natural log probabilities of each answer's tokens after each prompt.

        What a prompt gets does not depend on what else is asked in the same call.
        """
        ...

    def write(self, prompts: Sequence[str], *, max_tokens: int = 60) -> list[str]:
        """What the model goes on to write after each prompt, always the likeliest token."""
        ...


class CausalLM:
    """A causal language model of the package transformers.

    A prompt is padded on the left to one of few lengths, and every pass has `batch_size` rows, the last ones filled up
    with copies (`recsim.language.passes`). So the shapes of the arithmetic depend on the prompt alone, and its score is
    the same to the last bit whatever stands beside it (on the same device, with the same number of threads). Who asks
    few prompts at a time chooses a small `batch_size`.

    Attributes:
        name: the folder's name, or the name on the hub.
        fingerprint: 32 hexadecimal digits of the model's files, `dtype` and `chat`.
    """

    def __init__(
        self,
        path: str | PathLike[str],
        *,
        device: str = "cpu",
        dtype: str = "float32",
        batch_size: int = 16,
        max_length: int = 512,
        chat: bool = False,
    ) -> None:
        """Loads the model.

        Args:
            path: a folder written by `save_pretrained`, with weights as safetensors; or a name on the Hugging Face hub,
                such as "org/name", which is downloaded. Nothing is fetched otherwise, and no code of a model is run.
            device: a torch device, such as ``cpu`` or ``cuda``.
            dtype: one of `recsim.modalities.loading.DTYPES`.
            batch_size: prompts a pass, at least 1.
            max_length: tokens of a prompt and its answer; longer ones are refused, never cut.
            chat: whether prompts are written as a user's message in the tokenizer's chat template.

        Raises:
            FileNotFoundError: if there is no such model.
            MissingPackage: if transformers is not installed.
            ValueError: if an option cannot be, the device is not there, or `max_length` is above the model's positions.
        """
        self.device, computes_in = checked_device(device), checked_dtype(dtype)
        for option, value in (("batch_size", batch_size), ("max_length", max_length)):
            if value < 1:
                raise ValueError(f"{option} of the language model is {value}: it is at least 1.")
        self._options = {
            "device": device, "dtype": dtype, "batch_size": batch_size, "max_length": max_length, "chat": chat
        }  # fmt: skip
        self._path, self.name = path, str(path) if not Path(path).is_dir() else Path(path).resolve().name
        self.batch_size, self.max_length = batch_size, max_length
        folder = model_folder(path)
        self.fingerprint = fingerprint(model_files(folder), options=f"{_SCORING}/{dtype}/{chat}")
        self._load(folder, computes_in, chat)

    def _load(self, folder: Path, dtype: Any, chat: bool) -> None:
        with quiet_transformers("a language model") as transformers:
            tokenizer = transformers.AutoTokenizer.from_pretrained(folder, local_files_only=True)
            model: Any = transformers.AutoModelForCausalLM.from_pretrained(
                folder, local_files_only=True, use_safetensors=True, dtype=dtype
            )
        positions = getattr(model.config, "max_position_embeddings", self.max_length)
        if self.max_length > positions:
            raise ValueError(f"max_length is {self.max_length}, but the model has {positions} positions: pass fewer.")
        self._tokens = Tokens(tokenizer, chat=chat)
        ends = model.generation_config.eos_token_id
        self._network = Network(
            model.eval(),
            self.device,
            filler=next((t for t in (tokenizer.pad_token_id, tokenizer.eos_token_id) if t is not None), 0),
            ends=[] if ends is None else [ends] if isinstance(ends, int) else list(ends),
        )

    def __reduce__(self) -> tuple[Any, ...]:
        return _reopened, (self._path, self._options)

    def __deepcopy__(self, memo: dict[int, Any]) -> CausalLM:
        return self  # nothing of it ever changes

    def log_probs(self, prompts: Sequence[str], answers: Sequence[str]) -> NDArray[np.float64]:
        """(n, a) float64 <= 0: sum of the natural log probabilities of each answer's tokens after each prompt.

        The answer's tokens are those that it has when prompt and answer are encoded in one piece.

        Raises:
            ValueError: if there are no answers, a prompt is too long, or an answer's tokens merge with the prompt's.
        """
        if not answers:
            raise ValueError("there are no answers to score: pass at least one, such as ' yes'.")
        endings = [self._tokens.answers(prompt, answers) for prompt in prompts]
        beginnings = self._encoded(prompts, [max(map(len, ending)) for ending in endings])
        scores = np.zeros((len(prompts), len(answers)))
        for rows in passes(beginnings, self.batch_size):
            scores[rows] = self._network.scored([beginnings[row] for row in rows], [endings[row] for row in rows])
        return scores

    def write(self, prompts: Sequence[str], *, max_tokens: int = 60) -> list[str]:
        """What the model goes on to write after each prompt: at most `max_tokens`, always the likeliest.

        Raises:
            ValueError: if `max_tokens` is below 1 or a prompt is too long.
        """
        if max_tokens < 1:
            raise ValueError(f"max_tokens is {max_tokens}: the model writes at least 1.")
        beginnings = self._encoded(prompts, [max_tokens] * len(prompts))
        written = [""] * len(prompts)
        for rows in passes(beginnings, self.batch_size):
            tokens = self._network.continued([beginnings[row] for row in rows], max_tokens)
            for row, continuation in zip(rows, tokens, strict=False):
                written[row] = self._tokens.text(continuation)
        return written

    def _encoded(self, prompts: Sequence[str], room: Sequence[int]) -> list[list[int]]:
        """The tokens of each prompt, behind which there is `room` for so many more."""
        encoded = [self._tokens.prompt(prompt) for prompt in prompts]
        for row, (tokens, more) in enumerate(zip(encoded, room, strict=True)):
            if not tokens:
                raise ValueError(f"prompt {row} is empty: there is nothing that an answer could follow.")
            if len(tokens) + more > self.max_length:
                raise ValueError(
                    f"prompt {row} has {len(tokens):,} tokens and needs {more} more, but max_length is "
                    f"{self.max_length:,}: shorten the texts that it quotes, or raise max_length."
                )
        return encoded


def _reopened(path: str | PathLike[str], options: dict[str, Any]) -> CausalLM:
    return CausalLM(path, **options)
