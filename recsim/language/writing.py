"""Text that a language model writes, with words of ours wherever it writes none."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from recsim.language.model import LanguageModel
from recsim.modalities import batches

_AT_ONCE = 64  # prompts between two moves of a progress bar
_SENTENCE = re.compile(r".*?[.!?](?=\s|$)")
_LEAST = 3  # letters or digits, below which a text says nothing


def written(
    prompts: Sequence[str],
    model: LanguageModel,
    *,
    max_tokens: int = 60,
    progress: Callable[[int], None] | None = None,
) -> list[str]:
    """What a model goes on to write after each prompt, tidied; empty where that says nothing.

    Only the first line counts, without quotation marks around it, and only its whole sentences where it has any: what
    was cut off in the middle is left out.

    Args:
        prompts: the questions.
        model: who writes.
        max_tokens: the most that it writes.
        progress: called with the number of texts written so far.
    """
    texts: list[str] = []
    for part in batches(prompts, _AT_ONCE):
        texts += map(tidied, model.write(part, max_tokens=max_tokens))
        if progress:
            progress(len(texts))
    return texts


def tidied(text: str) -> str:
    r"""The first line of a text, of its sentences those that end; empty where it says nothing.

    >>> tidied('\n "A red   rose. It is in bl')
    'A red rose.'
    >>> tidied("a red rose\nItem: another")
    'a red rose'
    >>> tidied('"..."')
    ''
    """
    lines = [line for line in text.splitlines() if line.strip()]
    line = " ".join(lines[0].split()).strip("\"'“”„» «") if lines else ""
    whole = "".join(_SENTENCE.findall(line)).strip()
    said = whole or line
    return said if sum(sign.isalnum() for sign in said) >= _LEAST else ""


def polished(personas: Sequence[str], model: LanguageModel | None = None, *, max_tokens: int = 100) -> list[str]:
    """Personas in words as a language model would say them; as they are without one, and where it writes nothing.

    Args:
        personas: plain sentences about a person (`recsim.language.personas`).
        model: who says them anew, or None.
        max_tokens: the most that it writes about each.
    """
    if model is None:
        return list(personas)
    prompts = [f"{persona}\nThe same said in one or two fluent sentences, with nothing added:" for persona in personas]
    texts = written(prompts, model, max_tokens=max_tokens)
    return [text or persona for text, persona in zip(texts, personas, strict=True)]
