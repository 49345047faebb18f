"""Passes of tokens through a causal network: prompts padded to one of few lengths, and what comes behind them."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

BUCKET = 32  # prompts are padded to multiples of this many tokens


def passes(encoded: Sequence[Sequence[int]], size: int) -> Iterator[list[int]]:
    """Row numbers of each pass, `size` rows with one padded length, filled up with copies of the last."""
    buckets: dict[int, list[int]] = {}
    for row, tokens in enumerate(encoded):
        buckets.setdefault(_width(tokens), []).append(row)
    for _, rows in sorted(buckets.items()):
        for start in range(0, len(rows), size):
            part = rows[start : start + size]
            yield part + [part[-1]] * (size - len(part))


class Network:
    """A causal network of the package transformers, which is given the tokens of one pass at a time."""

    def __init__(self, model: Any, device: str, *, filler: int, ends: Sequence[int]) -> None:
        """The network on a torch device.

        Args:
            model: of transformers.
            device: such as ``cpu`` or ``cuda``.
            filler: the token with which prompts are padded.
            ends: the tokens that end a text.
        """
        self._model, self._device, self._filler, self._ends = model.to(device), device, filler, ends
        known = inspect.signature(model.forward).parameters
        self._takes_positions = "position_ids" in known
        self._last_only = {"logits_to_keep": 1} if "logits_to_keep" in known else {}

    def scored(self, beginnings: list[list[int]], endings: list[list[list[int]]]) -> NDArray[np.float64]:
        """(b, a) scores of one pass. The prompt is computed once; each answer goes on from a copy of what it left."""
        import torch

        ids, mask = self._padded(beginnings)
        with torch.inference_mode():
            given = self._model(**self._input(ids, mask, ids.shape[1]), **self._last_only, use_cache=True)
            first = _log_softmax(given.logits[:, -1])
            columns = [
                self._answered([row[answer] for row in endings], first, mask, given.past_key_values)
                for answer in range(len(endings[0]))
            ]
        return np.stack(columns, axis=1)

    def _answered(self, ending: list[list[int]], first: Any, mask: Any, cache: Any) -> NDArray[np.float64]:
        """(b,) scores of one answer each, `first` (b, vocabulary) being the log probabilities of its first token."""
        import torch

        longest = max(map(len, ending))
        ids = torch.tensor([tokens + [self._filler] * (longest - len(tokens)) for tokens in ending]).to(self._device)
        real = torch.tensor([[place < len(tokens) for place in range(longest)] for tokens in ending]).to(self._device)
        scores = first.gather(1, ids[:, :1])
        if longest > 1:
            seen = torch.cat([mask, real[:, :-1].to(mask.dtype)], dim=1)
            inputs = self._input(ids[:, :-1], seen, longest - 1)
            logits = self._model(**inputs, past_key_values=copy.deepcopy(cache), use_cache=True).logits
            rest = _log_softmax(logits).gather(2, ids[:, 1:, None])[..., 0]
            scores = torch.cat([scores, rest.masked_fill(~real[:, 1:], 0.0)], dim=1)
        return np.asarray(scores.sum(dim=1).cpu().numpy(), np.float64)

    def continued(self, beginnings: list[list[int]], max_tokens: int) -> list[list[int]]:
        """The likeliest tokens behind each prompt, up to the first that ends a text."""
        import torch

        ids, mask = self._padded(beginnings)
        written: list[list[int]] = [[] for _ in beginnings]
        going, cache = [True] * len(beginnings), None
        with torch.inference_mode():
            for _ in range(max_tokens):
                inputs = self._input(ids, mask, ids.shape[1])
                given = self._model(**inputs, **self._last_only, past_key_values=cache, use_cache=True)
                cache, best = given.past_key_values, given.logits[:, -1].argmax(dim=1)
                for row, token in enumerate(best.tolist()):
                    going[row] = going[row] and token not in self._ends
                    if going[row]:
                        written[row].append(token)
                if not any(going):
                    break
                ids, mask = best[:, None], torch.cat([mask, torch.ones_like(mask[:, :1])], dim=1)
        return written

    def _padded(self, encoded: list[list[int]]) -> tuple[Any, Any]:
        """(b, width) tokens and which of them are real, the padding on the left."""
        import torch

        width = _width(encoded[0])
        ids = torch.tensor([[self._filler] * (width - len(tokens)) + tokens for tokens in encoded])
        mask = torch.tensor([[0] * (width - len(tokens)) + [1] * len(tokens) for tokens in encoded])
        return ids.to(self._device), mask.to(self._device)

    def _input(self, ids: Any, mask: Any, new: int) -> dict[str, Any]:
        """What a pass over `new` tokens is given; positions count real tokens only."""
        given = {"input_ids": ids, "attention_mask": mask}
        if self._takes_positions:  # the others count them from the mask
            given["position_ids"] = (mask.cumsum(dim=1) - 1).clamp(min=0)[:, -new:]
        return given


def _width(tokens: Sequence[int]) -> int:
    """The length to which a prompt is padded."""
    return -(-len(tokens) // BUCKET) * BUCKET


def _log_softmax(logits: Any) -> Any:
    """Log probabilities as float64: a sum over a large vocabulary loses nothing that matters."""
    return logits.double().log_softmax(dim=-1)
