import numpy as np
import pytest

from recsim.modalities.reduce import reduce_embedding


def rows(m=40, d=8, seed=0):
    draw = np.random.Generator(np.random.Philox(seed))
    return draw.standard_normal((m, d)) * np.arange(d, 0, -1) + 3.0


def test_two_directions_become_one_signed_column():
    """Unit rows (1, 0), (0, 1), (1, 0): the component is (1, -1) / sqrt 2, up to its sign."""
    reduced = reduce_embedding(np.array([[5.0, 0.0], [0.0, 2.0], [1.0, 0.0]]), 1)
    assert reduced.tolist() in ([[1.0], [-1.0], [1.0]], [[-1.0], [1.0], [-1.0]])
    assert reduced.dtype == np.float32


def test_all_columns_keep_the_centred_similarities():
    embedding = rows()
    centred = embedding / np.linalg.norm(embedding, axis=1, keepdims=True)
    centred -= centred.mean(axis=0)
    centred /= np.linalg.norm(centred, axis=1, keepdims=True)
    reduced = reduce_embedding(embedding, 8)
    np.testing.assert_allclose(reduced @ reduced.T, centred @ centred.T, atol=1e-5)


def test_signs_do_not_depend_on_the_order_of_rows():
    embedding = rows()
    np.testing.assert_allclose(reduce_embedding(embedding[::-1], 4)[::-1], reduce_embedding(embedding, 4), atol=1e-6)


def test_scaling_a_row_changes_nothing():
    embedding = rows()
    scale = np.linspace(0.1, 9, len(embedding))[:, None]
    np.testing.assert_allclose(reduce_embedding(embedding * scale, 4), reduce_embedding(embedding, 4), atol=1e-6)


def test_absent_rows_are_zero_and_have_no_influence():
    embedding = rows()
    present = np.arange(40) % 3 > 0
    embedding[~present] = np.nan
    reduced = reduce_embedding(embedding, 4, present)
    assert (reduced[~present] == 0).all()
    np.testing.assert_array_equal(reduced[present], reduce_embedding(embedding[present], 4))


def test_too_many_columns_are_refused():
    with pytest.raises(ValueError, match="cannot reduce 3 present rows of 8 columns to 4 columns: ask for 1 to 3"):
        reduce_embedding(rows(3), 4)
    with pytest.raises(ValueError, match="to 0 columns"):
        reduce_embedding(rows(3), 0)


def test_a_row_without_a_direction_is_refused():
    embedding = rows()
    embedding[5] = 0
    with pytest.raises(ValueError, match="row 5 of the embedding is all zeros"):
        reduce_embedding(embedding, 2)
    assert reduce_embedding(embedding, 2, np.arange(40) != 5)[5].tolist() == [0.0, 0.0]
