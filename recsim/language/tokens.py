"""From prompts to tokens: what a prompt quotes can never become a token that structures the conversation."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

_CONTENT = "\u2402content\u2403"  # stands for the prompt while a chat template is written out


class Tokens:
    """A tokenizer, used so that prompts are text and nothing but text.

    Special tokens that are spelt out in a prompt (`<|im_end|>`, `</s>`) are encoded as the characters that they are
    made of. The special tokens of a chat template are put around the prompt afterwards.
    """

    def __init__(self, tokenizer: Any, *, chat: bool) -> None:
        """Tokens of a transformers tokenizer; with `chat`, prompts become messages in its chat template.

        Raises:
            ValueError: if `chat` is asked of a tokenizer without a template, or of one that changes the messages.
        """
        self._tokenizer, self._chat = tokenizer, chat
        if chat:
            self._check_template()

    def prompt(self, prompt: str) -> list[int]:
        """The tokens after which an answer begins."""
        if not self._chat:
            return self._plain(prompt, special=True)
        before, after = self._frame
        return [*self._framing(before), *self._plain(prompt), *self._framing(after)]

    def answers(self, prompt: str, answers: Sequence[str]) -> list[list[int]]:
        """The tokens of each answer as they stand behind the prompt, where both are encoded in one piece.

        Raises:
            ValueError: if an answer has no tokens, or the last token of the prompt changes with the answer behind it.
        """
        encode, end = (self._framing, self._frame[1]) if self._chat else (self._plain, prompt)
        alone = encode(end)
        pieces = [encode(end + answer) for answer in answers]
        for answer, piece in zip(answers, pieces, strict=True):
            if piece[: len(alone)] != alone or len(piece) == len(alone):
                raise ValueError(
                    f"answer {answer!r} has no tokens of its own behind a prompt that ends in {end[-20:]!r}: "
                    "end prompts with a word or a colon and begin answers with a space, as in ' yes'."
                )
        return [piece[len(alone) :] for piece in pieces]

    def text(self, tokens: Sequence[int]) -> str:
        """What tokens say, without special ones."""
        return str(self._tokenizer.decode(tokens, skip_special_tokens=True))

    def _plain(self, text: str, *, special: bool = False) -> list[int]:
        """Tokens of a text none of which is special, but, with `special`, for what begins every sequence."""
        return list(self._tokenizer(text, add_special_tokens=special, split_special_tokens=True)["input_ids"])

    def _framing(self, text: str) -> list[int]:
        """Tokens of a part of the template, special ones included."""
        return list(self._tokenizer(text, add_special_tokens=False, split_special_tokens=False)["input_ids"])

    @cached_property
    def _frame(self) -> tuple[str, str]:
        message = [{"role": "user", "content": _CONTENT}]
        written = self._tokenizer.apply_chat_template(message, tokenize=False, add_generation_prompt=True)
        before, _, after = str(written).partition(_CONTENT)
        return before, after

    def _check_template(self) -> None:
        if not getattr(self._tokenizer, "chat_template", None):
            raise ValueError("chat is true, but the model's tokenizer has no chat template: leave chat out.")
        if not self._frame[1] or _CONTENT in self._frame[1]:
            raise ValueError(
                "the chat template of the model's tokenizer does not show a message as it is and then ask for an "
                "answer: leave chat out."
            )
