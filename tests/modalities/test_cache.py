"""The cache of embeddings."""

import os
import signal
import sqlite3
import subprocess
import sys
import time

import numpy as np
import pytest

from recsim.modalities import cache as cache_module
from recsim.modalities.cache import EmbeddingCache, content_of, default_path


class Counting:
    """Letters and words of a text, or bytes and 1 of a file; remembers what it was asked."""

    name, fingerprint, dim = "counting", "ab12", 2

    def __init__(self):
        self.asked = []

    def encode(self, items):
        self.asked += items
        return np.array([self.describe(item) for item in items], np.float32).reshape(-1, 2)

    def describe(self, item):
        return (len(item), len(item.split())) if isinstance(item, str) else (item.stat().st_size, 1)


class Broken(Counting):
    """Says what it is told."""

    def __init__(self, rows):
        super().__init__()
        self.rows = rows

    def encode(self, items):
        return np.array(self.rows, np.float32)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "folder" / "cache.sqlite"


TEXTS = ["a b", "abc", "", "a b", "x y z"]
ROWS = [[3, 2], [3, 1], [0, 0], [3, 2], [5, 3]]


def test_nothing_is_encoded_twice(path):
    encoder = Counting()
    with EmbeddingCache(path) as cache:
        first = cache.encode(encoder, TEXTS)
        assert (first.tolist(), first.dtype) == (ROWS, np.float32)
        assert encoder.asked == ["a b", "abc", "", "x y z"]
        np.testing.assert_array_equal(cache.encode(encoder, [*TEXTS, "new"])[:5], first)
    assert encoder.asked[4:] == ["new"]
    with EmbeddingCache(path) as cache:
        assert cache.encode(encoder, TEXTS[::-1]).tolist() == ROWS[::-1]
        assert cache.encode(encoder, []).shape == (0, 2)
    assert len(encoder.asked) == 5


def test_every_bit_is_kept(path):
    rows = np.array([[np.pi, 1e-40], [-0.0, 3.4e38]], np.float32)
    with EmbeddingCache(path) as cache:
        cache.encode(Broken(rows), ["a", "b"])
        kept = cache.encode(Broken([]), ["a", "b"])
    assert kept.tobytes() == rows.tobytes()


def test_another_encoder_has_rows_of_its_own(path):
    other = Counting()
    other.fingerprint = "cd34"
    with EmbeddingCache(path) as cache:
        cache.encode(Counting(), TEXTS)
        cache.encode(other, ["abc"])
    assert other.asked == ["abc"]


def test_a_file_is_known_by_its_content(path, tmp_path):
    encoder, one, other = Counting(), tmp_path / "1", tmp_path / "2"
    one.write_bytes(b"abc")
    other.write_bytes(b"abc")
    with EmbeddingCache(path) as cache:
        assert cache.encode(encoder, [one, other]).tolist() == [[3, 1], [3, 1]]
        assert len(encoder.asked) == 1
        one.write_bytes(b"abcd")
        assert cache.encode(encoder, [one, other]).tolist() == [[4, 1], [3, 1]]
    assert content_of("abc") == content_of(other) != content_of("1")
    assert len(content_of("\ud800")) == 16  # half a pair of surrogates, as bad exports hold


def test_blocks_are_the_rows_in_order(path, monkeypatch):
    monkeypatch.setattr(cache_module, "COMMIT_EVERY", 2)
    monkeypatch.setattr("recsim.store._ASK_FOR", 2)
    texts, told = [f"{'x' * number} y" for number in range(11)], []
    with EmbeddingCache(path) as cache:
        blocks = list(cache.blocks(Counting(), texts, size=4, progress=told.append))
        assert [len(block) for block in blocks] == [4, 4, 3]
        np.testing.assert_array_equal(np.concatenate(blocks), Counting().encode(texts))
        assert told == [2, 4, 4, 6, 8, 8, 10, 11, 11]
        again = list(cache.blocks(Counting(), texts, size=4, progress=told.append))
    np.testing.assert_array_equal(np.concatenate(again), np.concatenate(blocks))
    assert told[9:] == [4, 8, 11]


def test_what_an_encoder_made_wrong_is_not_kept(path):
    with EmbeddingCache(path) as cache:
        with pytest.raises(
            ValueError, match=r"'counting' made an array of shape \(1, 3\) of 1 items: .* the 2 columns"
        ):
            cache.encode(Broken([[1, 2, 3]]), ["a"])
        with pytest.raises(ValueError, match="'counting' made NaN or infinity of 'b': compute in float32 or bfloat16"):
            cache.encode(Broken([[1, 2], [np.inf, 0]]), ["a", "b"])
        encoder = Counting()
        cache.encode(encoder, ["a", "b"])
    assert encoder.asked == ["a", "b"]


# Where it is


def test_the_default_place(monkeypatch, tmp_path):
    monkeypatch.delenv("RECSIM_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert default_path() == tmp_path / "recsim" / "embeddings.sqlite"
    monkeypatch.setenv("RECSIM_CACHE", str(tmp_path / "own"))
    with EmbeddingCache() as cache:
        assert cache.path == tmp_path / "own" / "embeddings.sqlite"
        assert cache.path.is_file()


def test_a_damaged_file_is_named(path, tmp_path):
    path.parent.mkdir()
    path.write_text("no database " * 100)
    with pytest.raises(ValueError, match=r"cache\.sqlite is no usable cache of embeddings .*, or delete this file"):
        EmbeddingCache(path)
    cut = tmp_path / "cut.sqlite"
    texts = [str(number) for number in range(3000)]
    with EmbeddingCache(cut) as cache:
        cache.encode(Counting(), texts)
    content = bytearray(cut.read_bytes())
    content[4096 : len(content) // 2] = os.urandom(len(content) // 2 - 4096)
    cut.write_bytes(content)
    with (
        pytest.raises(ValueError, match=r"cut\.sqlite is no usable cache .*delete this file"),
        EmbeddingCache(cut) as c,
    ):
        c.encode(Counting(), texts)


def test_rows_of_another_length_are_damage(path):
    longer = Counting()
    longer.dim = 3
    with EmbeddingCache(path) as cache:
        cache.encode(Counting(), ["a"])
        with pytest.raises(ValueError, match=r"no usable cache .*a value of 8 bytes in place of 12.*delete this file"):
            cache.encode(longer, ["a"])


def test_a_database_of_something_else_is_left_alone(path):
    path.parent.mkdir()
    other = sqlite3.connect(path)
    other.execute("CREATE TABLE letters (name TEXT)")
    other.close()
    with pytest.raises(ValueError, match="written by another program or another release of recsim"):
        EmbeddingCache(path)
    other = sqlite3.connect(path)
    assert other.execute("SELECT name FROM sqlite_master").fetchall() == [("letters",)]
    other.close()


def test_a_file_that_cannot_be_opened(tmp_path):
    with pytest.raises(OSError, match="cannot be used .unable to open.*RECSIM_CACHE"):
        EmbeddingCache(tmp_path)


# Several processes, and the end of one

RUN = """
import sys, time
import numpy as np
from recsim.modalities import cache as module
module.COMMIT_EVERY = 20

class Slow:
    name, fingerprint, dim = "slow", "ee", 300
    def encode(self, items):
        print("encoding", flush=True)
        time.sleep(float(sys.argv[2]))
        return np.array([[len(item)] * 300 for item in items], np.float32)

with module.EmbeddingCache(sys.argv[1]) as cache:
    rows = cache.encode(Slow(), ["x" * number for number in range(1000)])
assert (rows[:, 7] == np.arange(1000)).all()
"""


def started(path, seconds):
    command = [sys.executable, "-c", RUN, str(path), str(seconds)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def rows_in(path):
    with EmbeddingCache(path) as cache:
        return cache._connection.execute("SELECT count(*) FROM embeddings").fetchone()[0]


@pytest.mark.slow
def test_two_processes_at_once(path):
    both = [started(path, 0.001) for _ in range(2)]
    for process in both:
        _, errors = process.communicate(timeout=100)
        assert process.returncode == 0, errors
    assert rows_in(path) == 1000


@pytest.mark.slow
@pytest.mark.parametrize("after", [1, 3, 12])
def test_a_killed_run_goes_on(path, after):
    process = started(path, 0.02)
    for _ in range(after):
        process.stdout.readline()
    time.sleep(0.02)  # somewhere between the end of an encoding and the next, where rows are written
    process.send_signal(signal.SIGKILL)
    process.communicate()
    kept = rows_in(path)
    assert kept % 20 == 0
    assert 20 * (after - 1) <= kept < 1000
    again = started(path, 0)
    printed, errors = again.communicate(timeout=100)
    assert again.returncode == 0, errors
    assert printed.count("encoding") == (1000 - kept) / 20
