"""A language model small enough to be made in a test, without a network."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from recsim.files import whole_folder
from recsim.modalities.loading import quiet_transformers

SPECIAL = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
TEMPLATE = (  # ChatML, as small open models use it
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
WIDTH, LAYERS, HEADS, POSITIONS = 64, 2, 4, 2048
SPREAD = 0.1  # five times GPT-2's: a random model then tells prompts apart


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


def _tokenizer(transformers: Any, corpus: Iterable[str], words: int) -> Any:
    import tokenizers

    raw = tokenizers.Tokenizer(tokenizers.models.BPE())
    raw.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    raw.decoder = tokenizers.decoders.ByteLevel()
    raw.train_from_iterator(
        corpus,
        tokenizers.trainers.BpeTrainer(
            vocab_size=words + len(SPECIAL),
            special_tokens=list(SPECIAL),
            initial_alphabet=sorted(tokenizers.pre_tokenizers.ByteLevel.alphabet()),
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
