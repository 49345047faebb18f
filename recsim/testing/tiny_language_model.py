"""Language models small enough to be made in a test, without a network: a random one, and one that was taught."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from recsim.files import whole_folder
from recsim.modalities.loading import quiet_transformers
from recsim.torch_threads import one_torch_thread

SPECIAL = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
TEMPLATE = (  # ChatML, as small open models use it
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
WIDTH, LAYERS, HEADS, POSITIONS = 64, 2, 4, 2048
SPREAD = 0.1  # five times GPT-2's: a random model then tells prompts apart, and one that is taught learns sooner
STEPS, BATCH, RATE = 1000, 32, 3e-3  # of teaching
_WHOLE = r'"[^"]*"|\n|Answer:|category:'  # what is no part of any other piece, so that an answer merges with nothing


def tiny_language_model(folder: Path, seed: int = 0, *, corpus: Iterable[str] = (), words: int = 512) -> Path:
    """The folder of a tiny GPT-2 with random weights and a byte-level tokenizer, which is made there.

    It knows nothing: what it says proves that the path from a prompt to a number works, and no more.

    Args:
        folder: what was there is replaced.
        seed: of the weights.
        corpus: texts whose frequent words get tokens of their own; without, every byte is a token.
        words: most tokens beside the special ones, where there is a corpus; at least the 256 bytes.
    """
    with quiet_transformers("a language model") as transformers, whole_folder(folder) as scratch:
        tokenizer = _tokenizer(transformers, corpus, words)
        tokenizer.save_pretrained(scratch)
        _random_model(transformers, tokenizer, seed).save_pretrained(scratch)
    return folder


def taught_language_model(folder: Path, prompts: Sequence[str], answers: Sequence[str], *, seed: int = 0) -> Path:
    """The folder of a tiny GPT-2 that was taught to go on with an answer after each prompt, which is made there.

    Frequent pieces between quotations and line breaks are tokens, so that a prompt has a few dozens. Loss is the cross
    entropy of the answers alone, by AdamW (Loshchilov and Hutter 2019), on one thread: the same seed, the same weights.

    Args:
        folder: what was there is replaced.
        prompts: which end in "Answer:" or "category:".
        answers: one for each, of one token, such as " yes".
        seed: of the weights and of the order.
    """
    with quiet_transformers("a language model") as transformers, whole_folder(folder) as scratch, one_torch_thread():
        tokenizer = _tokenizer(transformers, [*prompts, *(f"Answer:{answer}" for answer in answers)], 2048, _WHOLE)
        model = _random_model(transformers, tokenizer, seed)
        asked = [tokenizer(prompt)["input_ids"] for prompt in prompts]
        _teach(model, asked, [tokenizer(answer)["input_ids"] for answer in answers], tokenizer.pad_token_id, seed)
        tokenizer.save_pretrained(scratch)
        model.save_pretrained(scratch)
    return folder


def _teach(model: Any, asked: list[list[int]], answers: list[list[int]], filler: int, seed: int) -> None:
    import torch

    luck = np.random.Generator(np.random.Philox(seed))
    optimizer = torch.optim.AdamW(model.parameters(), lr=RATE)
    model.eval()  # no dropout, whose luck is global
    for _ in range(STEPS):
        rows = luck.integers(0, len(asked), BATCH).tolist()
        width = max(len(asked[row]) for row in rows)
        gap = [width - len(asked[row]) for row in rows]  # on the left, as where answers are scored
        ids = torch.tensor([[filler] * more + asked[row] for more, row in zip(gap, rows, strict=True)])
        real = torch.tensor([[0] * more + [1] * (width - more) for more in gap])
        place = (real.cumsum(dim=1) - 1).clamp(min=0)
        said = model(input_ids=ids, attention_mask=real, position_ids=place, logits_to_keep=1).logits[:, -1]
        loss = torch.nn.functional.cross_entropy(said, torch.tensor([answers[row][0] for row in rows]))
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()


def _random_model(transformers: Any, tokenizer: Any, seed: int) -> Any:
    import torch

    config = transformers.GPT2Config(
        vocab_size=len(tokenizer), n_positions=POSITIONS, n_embd=WIDTH, n_layer=LAYERS, n_head=HEADS,
        initializer_range=SPREAD, bos_token_id=tokenizer.eos_token_id, eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )  # fmt: skip
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return transformers.GPT2LMHeadModel(config)


def _tokenizer(transformers: Any, corpus: Iterable[str], words: int, whole: str | None = None) -> Any:
    import tokenizers

    raw = tokenizers.Tokenizer(tokenizers.models.BPE())
    pieces = tokenizers.pre_tokenizers
    raw.pre_tokenizer = pieces.ByteLevel(add_prefix_space=False)
    if whole is not None:
        split = pieces.Split(tokenizers.Regex(whole), "isolated")
        raw.pre_tokenizer = pieces.Sequence([split, pieces.ByteLevel(add_prefix_space=False, use_regex=False)])
    raw.decoder = tokenizers.decoders.ByteLevel()
    raw.train_from_iterator(
        corpus,
        tokenizers.trainers.BpeTrainer(
            vocab_size=words + len(SPECIAL),
            special_tokens=list(SPECIAL),
            initial_alphabet=sorted(pieces.ByteLevel.alphabet()),
            show_progress=False,
        ),
    )
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=raw,
        eos_token=SPECIAL[0],
        pad_token=SPECIAL[0],
        additional_special_tokens=list(SPECIAL[1:]),
        chat_template=TEMPLATE,
    )
