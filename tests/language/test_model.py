import copy
import pickle
import shutil
import sys

import numpy as np
import pytest

from recsim.language import finding
from recsim.language.model import CausalLM
from recsim.modalities.loading import quiet_transformers
from recsim.testing import tiny_language_model

PROMPTS = (
    "Would Ann click on a cat? Answer:",
    "Is it:",
    "word " * 20 + "end:",
    "Would Bob click on a dog? Answer:",
    "x:",
)
ANSWERS = (" yes", " no")


@pytest.fixture(scope="module")
def model(tiny):
    return CausalLM(tiny, batch_size=4)


@pytest.fixture(scope="module")
def llama(tmp_path_factory, tiny):
    """The folder of a tiny model of another architecture: rotary positions, grouped heads."""
    transformers = pytest.importorskip("transformers")
    import torch

    folder = tmp_path_factory.mktemp("models") / "llama"
    shutil.copytree(tiny, folder)
    config = transformers.LlamaConfig(
        vocab_size=259, hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, max_position_embeddings=512, initializer_range=0.3, bos_token_id=0, eos_token_id=0,
    )  # fmt: skip
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        with quiet_transformers("a language model"):
            transformers.LlamaForCausalLM(config).save_pretrained(folder)
    return folder


def token_by_token(folder, prompt, answer):
    """The log probability of the answer, one unpadded pass a token, without a cache."""
    import torch
    import transformers

    with quiet_transformers("a language model"):
        network = transformers.AutoModelForCausalLM.from_pretrained(folder).eval()
        tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    seen, total = tokenizer(prompt)["input_ids"], 0.0
    for token in tokenizer(answer)["input_ids"]:
        with torch.inference_mode():
            logits = network(torch.tensor([seen])).logits[0, -1].double()
        total += (logits[token] - logits.logsumexp(0)).item()
        seen = [*seen, token]
    return total


@pytest.mark.parametrize("kind", ["tiny", "llama"])
def test_scores_are_sums_of_log_probabilities_token_by_token(kind, request):
    folder = request.getfixturevalue(kind)
    expected = [[token_by_token(folder, prompt, answer) for answer in ANSWERS] for prompt in PROMPTS]
    scores = CausalLM(folder, batch_size=4).log_probs(PROMPTS, ANSWERS)
    assert scores.shape == (5, 2)
    assert scores.dtype == np.float64
    np.testing.assert_allclose(scores, expected, atol=1e-5)


def test_a_score_is_the_same_to_the_last_bit_in_any_company(model):
    together = model.log_probs(PROMPTS, ANSWERS)
    alone = np.concatenate([model.log_probs([prompt], ANSWERS) for prompt in PROMPTS])
    np.testing.assert_array_equal(together, alone)
    np.testing.assert_array_equal(model.log_probs(PROMPTS[::-1], ANSWERS)[::-1], alone)
    np.testing.assert_array_equal(model.log_probs(PROMPTS * 3, ANSWERS)[5:10], alone)


def test_a_score_does_not_depend_on_the_rows_of_a_pass_beyond_rounding(tiny, model):
    other = CausalLM(tiny, batch_size=1)
    np.testing.assert_allclose(other.log_probs(PROMPTS, ANSWERS), model.log_probs(PROMPTS, ANSWERS), atol=1e-5)


def test_answers_of_one_token_of_several_and_of_different_lengths(tiny, model):
    answers = (" ", " a long answer", " yes")
    expected = [[token_by_token(tiny, PROMPTS[0], answer) for answer in answers]]
    np.testing.assert_allclose(model.log_probs(PROMPTS[:1], answers), expected, atol=1e-5)


def test_probabilities_of_all_single_tokens_sum_to_one(tiny, model):
    single = [chr(code) for code in range(1, 128)]
    total = np.exp(model.log_probs(["once upon a"], single)).sum()
    assert 0.05 < total < 1.0  # the rest are bytes beyond ASCII and special tokens


def test_no_prompts_have_no_scores(model):
    assert model.log_probs([], ANSWERS).shape == (0, 2)
    assert model.write([]) == []


def test_writing_takes_the_likeliest_token_each_time(tiny, model):
    import torch
    import transformers

    with quiet_transformers("a language model"):
        network = transformers.AutoModelForCausalLM.from_pretrained(tiny).eval()
        tokenizer = transformers.AutoTokenizer.from_pretrained(tiny)
    expected = []
    for prompt in PROMPTS:
        given = tokenizer(prompt, return_tensors="pt")
        with torch.inference_mode():
            whole = network.generate(**given, max_new_tokens=12, do_sample=False)[0]
        expected.append(tokenizer.decode(whole[given["input_ids"].shape[1] :], skip_special_tokens=True))
    assert model.write(PROMPTS, max_tokens=12) == expected
    assert [model.write([prompt], max_tokens=12)[0] for prompt in PROMPTS] == expected


def test_copies_and_pickles_score_alike(model):
    assert copy.deepcopy(model) is model
    again = pickle.loads(pickle.dumps(model))
    assert again.fingerprint == model.fingerprint
    np.testing.assert_array_equal(again.log_probs(PROMPTS, ANSWERS), model.log_probs(PROMPTS, ANSWERS))


def test_the_fingerprint_changes_with_what_changes_scores(tiny, model, tmp_path):
    other = tiny_language_model(tmp_path / "other", seed=1)
    moved = shutil.copytree(tiny, tmp_path / "moved")
    assert CausalLM(moved, batch_size=2, max_length=100).fingerprint == model.fingerprint
    prints = [model.fingerprint]
    prints += [CausalLM(other).fingerprint, CausalLM(tiny, dtype="bfloat16").fingerprint]
    prints += [CausalLM(tiny, chat=True).fingerprint]
    template = moved / "chat_template.jinja"
    template.write_text(template.read_text().replace("assistant", "shop"))
    prints += [CausalLM(moved, chat=True).fingerprint]
    assert len(set(prints)) == 5
    assert model.name == "tiny"


def test_the_same_seed_makes_the_same_model(tiny, model, tmp_path):
    assert CausalLM(tiny_language_model(tmp_path / "again")).fingerprint == model.fingerprint


def test_making_and_using_a_model_leaves_global_generators_alone(tiny, tmp_path):
    import torch

    before = torch.get_rng_state()
    tiny_language_model(tmp_path / "again")
    CausalLM(tiny).log_probs(PROMPTS, ANSWERS)
    assert torch.equal(before, torch.get_rng_state())


def test_half_precision_is_close(tiny, model):
    half = CausalLM(tiny, dtype="bfloat16").log_probs(PROMPTS, ANSWERS)
    np.testing.assert_allclose(half, model.log_probs(PROMPTS, ANSWERS), rtol=0.05)


def test_a_corpus_gives_frequent_words_tokens_of_their_own(tmp_path):
    folder = tiny_language_model(tmp_path / "words", corpus=["a red rose", "a red house", "a red rose"])
    model = CausalLM(folder)
    assert len(model._tokens.prompt(" red rose")) == 2


def test_what_cannot_be_is_refused(tiny, model, tmp_path):
    with pytest.raises(ValueError, match=r"prompt 1 has 600 tokens and needs 4 more, but max_length is 512"):
        model.log_probs(["x:", "y" * 600], ANSWERS)
    with pytest.raises(ValueError, match="prompt 0 is empty: there is nothing"):
        model.log_probs([""], ANSWERS)
    with pytest.raises(ValueError, match="there are no answers to score: pass at least one"):
        model.log_probs(["x:"], [])
    with pytest.raises(ValueError, match="max_tokens is 0: the model writes at least 1"):
        model.write(["x:"], max_tokens=0)
    with pytest.raises(ValueError, match="a model cannot compute in 'int8': choose float32, float16, bfloat16"):
        CausalLM(tiny, dtype="int8")
    with pytest.raises(ValueError, match="batch_size of the language model is 0: it is at least 1"):
        CausalLM(tiny, batch_size=0)
    with pytest.raises(ValueError, match="max_length is 4096, but the model has 2048 positions"):
        CausalLM(tiny, max_length=4096)
    with pytest.raises(ValueError, match="there is no device 'nowhere': name one of torch, such as 'cpu'"):
        CausalLM(tiny, device="nowhere")
    with pytest.raises(FileNotFoundError, match=r"holds no language model: pass a folder with the files of save_pret"):
        CausalLM(tmp_path)


def test_only_a_name_of_the_hub_is_looked_for_there(monkeypatch, tiny, tmp_path):
    hub = pytest.importorskip("huggingface_hub")
    asked = []

    def download(name, allow_patterns, ignore_patterns):
        asked.append((name, allow_patterns))
        if name == "some/gone":
            raise OSError("404: no such repository\nmore lines")
        return str(tiny)

    monkeypatch.setattr(hub, "snapshot_download", download)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "models").mkdir()
    assert finding.model_folder("some/model") == tiny
    for local in ("models/missing", "./some/model", "missing", tmp_path / "some" / "model"):
        with pytest.raises(FileNotFoundError, match="holds no language model"):
            finding.model_folder(local)
    with pytest.raises(
        FileNotFoundError, match="is no folder here, and the Hugging Face hub gave no model of that name"
    ):
        finding.model_folder("some/gone")
    assert [name for name, _ in asked] == ["some/model", "some/gone"]
    assert "*.bin" not in asked[0][1]
    assert "*.py" not in asked[0][1]


def test_a_missing_package_is_named(monkeypatch, tiny):
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(
        ModuleNotFoundError, match=r"needs the package transformers.*pip install \"recsim-slate\[text-im"
    ):
        CausalLM(tiny)
