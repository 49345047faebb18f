import copy
import pickle
import sqlite3
from contextlib import closing

import numpy as np
import pytest

from recsim.language.cache import BLOCK, RememberedModel
from recsim.modalities.cache import EmbeddingCache

ANSWERS = (" yes", " no")


class Counting:
    """A language model that scores by length and notes what it was asked."""

    name = "counting"

    def __init__(self, fingerprint="aa"):
        self.fingerprint, self.calls = fingerprint, []

    def log_probs(self, prompts, answers):
        self.calls.append(list(prompts))
        return -np.array([[len(prompt) + len(answer) / 3 for answer in answers] for prompt in prompts])

    def write(self, prompts, *, max_tokens=60):
        return [prompt[:max_tokens] for prompt in prompts]


@pytest.fixture(params=[False, True], ids=["in memory", "in a file"])
def path(request, tmp_path):
    return tmp_path / "made" / "scores.sqlite" if request.param else None


def test_nothing_is_asked_twice(path):
    model = Counting()
    remembered = RememberedModel(model, path)
    expected = -np.array([[1 + 4 / 3, 1 + 3 / 3], [2 + 4 / 3, 2 + 3 / 3], [1 + 4 / 3, 1 + 3 / 3]])
    np.testing.assert_array_equal(remembered.log_probs(["a", "bb", "a"], ANSWERS), expected)
    np.testing.assert_array_equal(remembered.log_probs(["a", "ccc"], ANSWERS)[0], expected[0])
    assert model.calls == [["a", "bb"], ["ccc"]]
    assert remembered.asked == 3
    assert (remembered.name, remembered.fingerprint) == ("counting", "aa")
    assert remembered.write(["abc"], max_tokens=2) == ["ab"]
    assert remembered.log_probs([], ANSWERS).shape == (0, 2)


def test_another_answer_is_asked_about(path):
    model = Counting()
    remembered = RememberedModel(model, path)
    remembered.log_probs(["a"], [" yes"])
    remembered.log_probs(["a"], [" yes", " maybe"])
    assert model.calls == [["a"], ["a"]]
    remembered.log_probs(["a y"], ["es"])  # other halves of the same text
    assert model.calls[-1] == ["a y"]


def test_a_file_serves_later_runs_and_models_are_kept_apart(tmp_path):
    path, prompts = tmp_path / "scores.sqlite", [f"prompt {number}" for number in range(1200)]
    first = RememberedModel(Counting(), path).log_probs(prompts, ANSWERS)
    model = Counting()
    np.testing.assert_array_equal(RememberedModel(model, path).log_probs(prompts, ANSWERS), first)
    assert model.calls == []
    other = Counting("bb")
    RememberedModel(other, path).log_probs(prompts[:2], ANSWERS)
    assert other.calls == [prompts[:2]]


def test_a_killed_run_goes_on_where_it_was(tmp_path):
    path, prompts = tmp_path / "scores.sqlite", [f"prompt {number}" for number in range(2 * BLOCK)]

    class Killed(Counting):
        def log_probs(self, prompts, answers):
            if self.calls:
                raise KeyboardInterrupt
            return super().log_probs(prompts, answers)

    with pytest.raises(KeyboardInterrupt):
        RememberedModel(Killed(), path).log_probs(prompts, ANSWERS)
    model = Counting()
    RememberedModel(model, path).log_probs(prompts, ANSWERS)
    assert model.calls == [prompts[BLOCK:]]


def test_copies_ask_the_same_model(path):
    remembered = RememberedModel(Counting(), path)
    before = remembered.log_probs(["a"], ANSWERS)
    assert copy.deepcopy(remembered) is remembered
    again = pickle.loads(pickle.dumps(remembered))
    np.testing.assert_array_equal(again.log_probs(["a"], ANSWERS), before)


def test_a_file_of_something_else_is_refused_and_left_alone(tmp_path):
    (tmp_path / "notes.txt").write_text("no database " * 100)
    refused = r"is no usable cache of a language model's scores \({}\): name another file, or delete this file"
    with pytest.raises(ValueError, match=r"notes.txt " + refused.format("file is not a database")):
        RememberedModel(Counting(), tmp_path / "notes.txt")
    with EmbeddingCache(tmp_path / "embeddings.sqlite"), closing(sqlite3.connect(tmp_path / "other.sqlite")) as other:
        other.execute("CREATE TABLE letters (name TEXT)")
    for name in ("embeddings.sqlite", "other.sqlite"):
        before = (tmp_path / name).read_bytes()
        with pytest.raises(ValueError, match=f"{name} " + refused.format("it was written by another program .*")):
            RememberedModel(Counting(), tmp_path / name)
        assert (tmp_path / name).read_bytes() == before
    with pytest.raises(OSError, match=r"scores .* cannot be used \(unable to open.*: free it, or name another file"):
        RememberedModel(Counting(), tmp_path)


def test_scores_come_back_to_the_last_bit(tmp_path):
    class Odd(Counting):
        def log_probs(self, prompts, answers):
            return np.full((len(prompts), len(answers)), -1 / 3)

    path = tmp_path / "scores.sqlite"
    first = RememberedModel(Odd(), path).log_probs(["a"], [" yes"])
    model = Counting()
    assert RememberedModel(model, path).log_probs(["a"], [" yes"]) == first == [[-1 / 3]]
    assert model.calls == []
