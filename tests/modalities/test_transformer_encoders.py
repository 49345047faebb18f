"""Encoders over models of transformers, tiny and random, saved and loaded without a network."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

pytestmark = pytest.mark.slow  # importing transformers takes longer than the tests
LETTERS = "abcdefghijklmnopqrstuvwxyz"
WORDS = ["a bee", "", "zebra", "abc def " * 50, "bee", "ox"]


@pytest.fixture(scope="module")
def torch():
    """With threads and the global generator as they were."""
    import torch

    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield torch


@pytest.fixture(scope="module")
def models(torch, tmp_path_factory):
    return tmp_path_factory.mktemp("models")


@pytest.fixture(scope="module")
def bert(models):
    from transformers import BertConfig, BertModel, BertTokenizer

    folder = models / "bert"
    folder.mkdir()
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *LETTERS, *(f"##{letter}" for letter in LETTERS)]
    (folder / "vocab.txt").write_text("\n".join(vocabulary))
    BertTokenizer(str(folder / "vocab.txt")).save_pretrained(folder)
    config = BertConfig(**_small(vocab_size=len(vocabulary), max_position_embeddings=40))
    BertModel(config).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def vit(models):
    from transformers import ViTConfig, ViTModel

    ViTModel(ViTConfig(image_size=30, patch_size=6, **_small())).save_pretrained(models / "vit")
    _save_processor("vit", "ViTImageProcessorPil", models / "vit", size={"height": 30, "width": 30})
    return models / "vit"


@pytest.fixture(scope="module")
def convnext(models):
    from transformers import ConvNextConfig, ConvNextModel

    config = ConvNextConfig(hidden_sizes=[8, 12], depths=[1, 1], num_stages=2)
    ConvNextModel(config).save_pretrained(models / "convnext")
    _save_processor("convnext", "ConvNextImageProcessorPil", models / "convnext", size={"shortest_edge": 32})
    return models / "convnext"


@pytest.fixture(scope="module")
def clip(models):
    from transformers import CLIPConfig, CLIPModel

    config = CLIPConfig(
        text_config=_small(vocab_size=60, max_position_embeddings=20, bos_token_id=0, eos_token_id=1),
        vision_config=_small(image_size=32, patch_size=8),
        projection_dim=24,
    )
    CLIPModel(config).save_pretrained(models / "clip")
    size, crop = {"shortest_edge": 32}, {"height": 32, "width": 32}
    _save_processor("clip", "CLIPImageProcessorPil", models / "clip", size=size, crop_size=crop)
    return models / "clip"


@pytest.fixture(scope="module")
def pictures(models):
    """Four images of different size and colour."""
    draw = np.random.Generator(np.random.Philox(0))
    paths = []
    for number, (width, height) in enumerate([(40, 30), (20, 50), (64, 64), (33, 31)]):
        pixels = draw.integers(0, 256, (height, width, 3), dtype=np.uint8)
        paths.append(models / f"{number}.png")
        Image.fromarray(pixels).save(paths[-1])
    return paths


def _small(**more):
    return {
        "hidden_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "intermediate_size": 37,
        **more,
    }


def _save_processor(model, name, folder, **settings):
    from importlib import import_module

    module = import_module(f"transformers.models.{model}.image_processing_pil_{model}")
    getattr(module, name)(**settings).save_pretrained(folder)


def text(*arguments, **options):
    from recsim.modalities.text import TextEncoder

    return TextEncoder(*arguments, **options)


def vision(*arguments, **options):
    from recsim.modalities.vision import VisionEncoder

    return VisionEncoder(*arguments, **options)


def changed(folder, target, change=None, without=()):
    """A copy of a model's folder, without some files and with another config."""
    shutil.copytree(folder, target)
    for name in without:
        (target / name).unlink()
    if change is not None:
        config = json.loads((target / "config.json").read_text())
        (target / "config.json").write_text(json.dumps({**config, **change}))
    return target


def rewritten(folder, target, keep):
    """A copy of a model's folder with only the weights that are to be kept."""
    from safetensors.torch import load_file, save_file

    shutil.copytree(folder, target)
    weights = load_file(target / "model.safetensors")
    save_file(
        {name: array for name, array in weights.items() if keep(name)},
        target / "model.safetensors",
        metadata={"format": "pt"},
    )
    return target


def closeness(one, other):
    return (one * other).sum(axis=1) / (np.linalg.norm(one, axis=1) * np.linalg.norm(other, axis=1))


# Text


def test_a_text_is_the_mean_of_its_tokens(bert, torch):
    """Against the model and tokenizer themselves, one text at a time and without padding."""
    from transformers import AutoModel, AutoTokenizer

    tokenizer, model = AutoTokenizer.from_pretrained(bert), AutoModel.from_pretrained(bert).eval()
    encoder = text(bert, batch_size=3)
    assert (encoder.dim, encoder.name, encoder.max_length) == (32, str(bert), 40)
    encoded = encoder.encode(WORDS)
    for row, words in zip(encoded, WORDS, strict=True):
        tokens = tokenizer(words, truncation=True, max_length=40, return_tensors="pt")
        with torch.no_grad():
            mean = model(**tokens).last_hidden_state[0].mean(dim=0).numpy()
        np.testing.assert_allclose(row, mean / np.linalg.norm(mean), atol=1e-6)


def test_the_order_of_texts_is_kept(bert):
    encoder = text(bert, batch_size=2)
    np.testing.assert_allclose(encoder.encode(WORDS[::-1])[::-1], encoder.encode(WORDS), atol=1e-6)


def test_a_folder_may_ask_for_the_first_token(bert, torch, tmp_path):
    from transformers import AutoModel, AutoTokenizer

    folder = changed(bert, tmp_path / "first")
    (folder / "1_Pooling").mkdir()
    asked = {"word_embedding_dimension": 32, "pooling_mode_cls_token": True, "pooling_mode_mean_tokens": False}
    (folder / "1_Pooling" / "config.json").write_text(json.dumps(asked))
    tokens = AutoTokenizer.from_pretrained(bert)(["a bee"], return_tensors="pt")
    with torch.no_grad():
        first = AutoModel.from_pretrained(bert).eval()(**tokens).last_hidden_state[0, 0].numpy()
    encoder = text(folder)
    np.testing.assert_allclose(encoder.encode(["a bee"])[0], first / np.linalg.norm(first), atol=1e-6)
    assert encoder.fingerprint != text(bert).fingerprint
    asked |= {"pooling_mode_cls_token": False, "pooling_mode_lasttoken": True}
    (folder / "1_Pooling" / "config.json").write_text(json.dumps(asked))
    with pytest.raises(ValueError, match="asks for pooling_mode_lasttoken, and this encoder takes the mean"):
        text(folder)


def test_layers_after_pooling_are_refused_rather_than_left_out(bert, tmp_path):
    folder = changed(bert, tmp_path / "dense")
    modules = [{"type": f"sentence_transformers.models.{kind}"} for kind in ("Transformer", "Pooling", "Normalize")]
    (folder / "modules.json").write_text(json.dumps(modules))
    assert text(folder).dim == 32
    (folder / "modules.json").write_text(json.dumps([*modules, {"type": "sentence_transformers.models.Dense"}]))
    with pytest.raises(
        ValueError, match=r"modules\.json puts Dense after the transformer, which this encoder does not do"
    ):
        text(folder)


def test_a_model_without_padding_or_special_tokens_encodes_as_well(models, torch):
    """GPT-2 has no token to fill up with, and an empty text has no tokens at all."""
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.pre_tokenizers import Whitespace
    from transformers import GPT2Config, GPT2Model, PreTrainedTokenizerFast

    words = Tokenizer(WordLevel({"<end>": 0, "a": 1, "bee": 2, "ox": 3}, unk_token="<end>"))
    words.pre_tokenizer = Whitespace()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=words, eos_token="<end>", model_max_length=16)
    tokenizer.save_pretrained(models / "gpt2")
    config = GPT2Config(n_embd=32, n_layer=1, n_head=2, n_positions=16, vocab_size=4, bos_token_id=0, eos_token_id=0)
    GPT2Model(config).save_pretrained(models / "gpt2")
    encoder = text(models / "gpt2", batch_size=2)
    encoded = encoder.encode(["a bee a bee", "", "", "ox"])
    assert (~encoded.any(axis=1)).tolist() == [False, True, True, False]
    np.testing.assert_allclose(encoded[3], encoder.encode(["ox"])[0], atol=1e-6)


def test_of_an_encoder_with_a_decoder_the_encoder_is_used(models, bert):
    from transformers import AutoTokenizer, T5Config, T5Model

    config = T5Config(vocab_size=60, d_model=16, d_kv=8, d_ff=20, num_layers=1, num_heads=2, decoder_start_token_id=0)
    T5Model(config).save_pretrained(models / "t5")
    AutoTokenizer.from_pretrained(bert).save_pretrained(models / "t5")
    encoder = text(models / "t5")
    assert encoder.encode(["a bee", "ox"]).shape == (2, 16)


@pytest.mark.parametrize(("dtype", "near"), [("float16", 0.9999), ("bfloat16", 0.999)])
def test_a_model_may_compute_in_a_smaller_type(bert, vit, pictures, dtype, near):
    for make, folder, items in ((text, bert, WORDS), (vision, vit, pictures)):
        whole, small = make(folder), make(folder, dtype=dtype)
        encoded = small.encode(items)
        assert encoded.dtype == np.float32
        assert small.name == f"{folder}@{dtype}"
        assert small.fingerprint != whole.fingerprint
        close = closeness(encoded, whole.encode(items))
        assert near < close.min() < 1


def test_what_a_model_was_saved_in_does_not_matter(bert, tmp_path):
    """A model that was saved in float16 computes in float32."""
    from transformers import AutoModel, AutoTokenizer

    AutoModel.from_pretrained(bert).half().save_pretrained(tmp_path / "half")
    AutoTokenizer.from_pretrained(bert).save_pretrained(tmp_path / "half")
    assert closeness(text(tmp_path / "half").encode(WORDS), text(bert).encode(WORDS)).min() > 0.99999


# Images


def test_a_vit_gives_what_it_pools(vit, pictures, torch):
    from transformers import AutoImageProcessor, AutoModel

    processor = AutoImageProcessor.from_pretrained(vit, backend="pil")
    model = AutoModel.from_pretrained(vit).eval()
    encoder = vision(vit, batch_size=3)
    encoded = encoder.encode(pictures)
    assert encoded.shape == (4, encoder.dim) == (4, 32)
    for row, path in zip(encoded, pictures, strict=True):
        with torch.no_grad():
            made = model(**processor(images=Image.open(path), return_tensors="pt"))
        np.testing.assert_allclose(row, made.pooler_output[0].numpy(), atol=1e-5)
    assert encoder.encode([]).shape == (0, 32)


def test_a_pooling_layer_that_would_be_drawn_is_not_used(vit, pictures, torch, tmp_path):
    from transformers import AutoImageProcessor, AutoModel

    folder = rewritten(vit, tmp_path / "no_pooler", lambda name: not name.startswith("pooler."))
    tensors = AutoImageProcessor.from_pretrained(vit, backend="pil")(
        images=[Image.open(path) for path in pictures], return_tensors="pt"
    )
    with torch.no_grad():
        mean = AutoModel.from_pretrained(vit).eval()(**tensors).last_hidden_state.mean(dim=1).numpy()
    np.testing.assert_allclose(vision(folder).encode(pictures), mean, atol=1e-5)


@pytest.mark.parametrize("kind", ["text", "image"])
def test_weights_that_would_be_drawn_are_refused(bert, vit, tmp_path, kind):
    folder = rewritten({"text": bert, "image": vit}[kind], tmp_path / "lacks", lambda name: ".1." not in name)
    with pytest.raises(ValueError, match=r"lack '.*\.1\..*would be drawn at random: fetch or save the model again"):
        (text if kind == "text" else vision)(folder)


def test_convnext_and_clip(convnext, clip, pictures, torch):
    from transformers import AutoImageProcessor, CLIPModel

    assert vision(convnext).encode(pictures).shape == (4, 12)
    encoded = vision(clip).encode(pictures)
    tensors = AutoImageProcessor.from_pretrained(clip, backend="pil")(
        images=[Image.open(path) for path in pictures], return_tensors="pt"
    )
    model = CLIPModel.from_pretrained(clip).eval()
    with torch.no_grad():
        projected = model.visual_projection(model.vision_model(**tensors).pooler_output).numpy()
    np.testing.assert_allclose(encoded, projected, atol=1e-5)


def test_images_that_keep_their_shape_need_not_be_alike(convnext, pictures, tmp_path):
    """Where the processor neither resizes nor crops, a batch holds images of different size."""
    folder = changed(convnext, tmp_path / "as_they_are")
    settings = json.loads((folder / "preprocessor_config.json").read_text())
    (folder / "preprocessor_config.json").write_text(json.dumps({**settings, "do_resize": False}))
    encoder = vision(folder)
    together = encoder.encode(pictures)
    np.testing.assert_allclose(together, np.concatenate([encoder.encode([path]) for path in pictures]), atol=1e-6)
    assert not np.allclose(together, vision(convnext).encode(pictures))


def test_the_text_side_of_clip_lies_in_the_space_of_its_images(clip, bert, tmp_path):
    from transformers import AutoTokenizer

    folder = changed(clip, tmp_path / "both")
    AutoTokenizer.from_pretrained(bert).save_pretrained(folder)
    encoder = text(folder)
    assert (encoder.dim, encoder.max_length) == (vision(folder).dim, 20) == (24, 20)
    np.testing.assert_allclose(np.linalg.norm(encoder.encode(WORDS), axis=1), 1, rtol=1e-5)


# Names, fingerprints and what is refused


def test_a_folder_is_a_name(bert, vit, monkeypatch):
    from recsim.modalities.names import image_encoder, text_encoder

    monkeypatch.chdir(bert.parent)
    encoder = text_encoder("bert", batch_size=7)
    assert (encoder.name, encoder.batch_size) == (str(bert), 7)
    again = text_encoder(f"{bert}@float16")
    assert again.name == f"{bert}@float16"
    assert again.fingerprint == text_encoder("bert", dtype="float16").fingerprint
    assert image_encoder(str(vit)).name == str(vit)


def test_a_fingerprint_is_of_the_content(bert, vit, tmp_path):
    copy = changed(bert, tmp_path / "copy")
    encoder = text(bert)
    assert text(copy, batch_size=1).fingerprint == encoder.fingerprint
    assert text(copy, max_length=8).fingerprint != encoder.fingerprint
    (copy / "vocab.txt").write_text("[PAD]")
    assert text(copy).fingerprint != encoder.fingerprint
    bigger = changed(vit, tmp_path / "vit")
    settings = json.loads((bigger / "preprocessor_config.json").read_text())
    settings["image_mean"] = [0.4, 0.4, 0.4]
    (bigger / "preprocessor_config.json").write_text(json.dumps(settings))
    assert vision(bigger).fingerprint != vision(vit).fingerprint


def test_a_folder_in_which_something_is_missing_is_refused(bert, vit, tmp_path):
    lone = changed(bert, tmp_path / "1", without=["vocab.txt", "tokenizer.json", "tokenizer_config.json"])
    with pytest.raises(ValueError, match="holds a model without a tokenizer: save or fetch it into the same folder"):
        text(lone)
    with pytest.raises(ValueError, match=r"the image processor \(preprocessor_config\.json\) in .* cannot be loaded"):
        vision(changed(vit, tmp_path / "2", without=["preprocessor_config.json"]))
    with pytest.raises(ValueError, match=r"the model in .* cannot be loaded \(OSError.*: fetch or save it again"):
        text(changed(bert, tmp_path / "3", without=["model.safetensors"]))
    with pytest.raises(ValueError, match="cannot be loaded .*the release of transformers that knows it"):
        text(changed(bert, tmp_path / "4", {"model_type": "of-next-year"}))
    (lone / "model.safetensors").write_bytes(b"abc")
    with pytest.raises(ValueError, match="cannot be loaded .SafetensorError"):
        text(lone)
    with pytest.raises(FileNotFoundError, match="holds no image model: there is no config.json"):
        vision(tmp_path)


def test_devices_and_types_that_there_are_not(bert, torch, monkeypatch):
    with pytest.raises(ValueError, match="there is no device 'abacus': name one of torch"):
        text(bert, device="abacus")
    with pytest.raises(ValueError, match=r"torch \d.* finds no device 'xpu' here: use 'cpu'"):
        text(bert, device="xpu")
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    with pytest.raises(ValueError, match="finds no device 'cuda:2' here"):
        text(bert, device="cuda:2")
    with pytest.raises(ValueError, match="cannot compute in 'int3': choose float32, float16, bfloat16"):
        text(bert, dtype="int3")


def test_transformers_says_nothing(bert, capfd):
    text(bert).encode(["a"])
    assert "Loading weights" not in "".join(capfd.readouterr())


# The hub


def test_a_name_of_the_hub_is_fetched_once(bert, monkeypatch, tmp_path):
    """The hub's own client stands between; here it copies, as if fetched."""
    import huggingface_hub

    from recsim.modalities.names import text_encoder

    asked = []

    def fetch(name, **options):
        asked.append((name, options))
        shutil.copytree(bert, tmp_path / "snapshot", dirs_exist_ok=True)
        return str(tmp_path / "snapshot")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", fetch)
    encoder = text_encoder("some-org/tiny-bert", dtype="bfloat16")
    assert encoder.name == "some-org/tiny-bert@bfloat16"
    assert [name for name, _ in asked] == ["some-org/tiny-bert"]
    assert encoder.fingerprint == text(bert, dtype="bfloat16").fingerprint


def test_weights_of_torch_are_fetched_where_there_are_no_safetensors(monkeypatch, tmp_path):
    import huggingface_hub

    from recsim.modalities.hub import hub_folder

    asked = []
    monkeypatch.setattr(
        huggingface_hub, "snapshot_download", lambda name, **options: asked.append(options) or str(tmp_path)
    )
    assert hub_folder("org/old") == Path(tmp_path)
    assert [options["allow_patterns"][-1] for options in asked] == ["*.safetensors", "*.bin"]


def test_a_hub_that_cannot_be_reached_ends_in_a_sentence(monkeypatch):
    from huggingface_hub import constants

    from recsim.modalities.names import image_encoder

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(
        FileNotFoundError,
        match=r"'no-such-org/model' is no folder here, and the Hugging Face hub gave no model of that name .*path",
    ):
        image_encoder("no-such-org/model")
