import numpy as np

from recsim.modalities.reduce import PrincipalComponents


def rows(m=40, d=8, seed=0):
    draw = np.random.Generator(np.random.Philox(seed))
    return draw.standard_normal((m, d)) * np.arange(d, 0, -1) + 3.0


def reduced(embedding, dim):
    fitted = PrincipalComponents(embedding.shape[1])
    fitted.add(embedding)
    centre, components, _ = fitted.fit()
    return (embedding / np.linalg.norm(embedding, axis=1, keepdims=True) - centre) @ components[:dim].T


def test_two_directions_become_one_signed_column():
    """Unit rows (1, 0), (0, 1), (1, 0) have mean (2, 1) / 3: the component is (1, -1) / sqrt 2, up to its sign."""
    found = reduced(np.array([[5.0, 0.0], [0.0, 2.0], [1.0, 0.0]]), 1)
    expected = np.array([[2 / 3], [-4 / 3], [2 / 3]]) / np.sqrt(2)
    np.testing.assert_allclose(found * np.sign(found[0]), expected, atol=1e-12)


def test_all_columns_keep_the_centred_rows_but_for_a_rotation():
    embedding = rows()
    centred = embedding / np.linalg.norm(embedding, axis=1, keepdims=True)
    centred -= centred.mean(axis=0)
    found = reduced(embedding, 8)
    np.testing.assert_allclose(found @ found.T, centred @ centred.T, atol=1e-12)


def test_signs_do_not_depend_on_the_order_of_rows():
    embedding = rows()
    np.testing.assert_allclose(reduced(embedding[::-1], 4)[::-1], reduced(embedding, 4), atol=1e-9)


def test_scaling_a_row_changes_nothing():
    embedding = rows()
    scale = np.linspace(0.1, 9, len(embedding))[:, None]
    np.testing.assert_allclose(reduced(embedding * scale, 4), reduced(embedding, 4), atol=1e-9)


def test_components_beyond_the_directions_of_the_rows_are_told():
    flat = rows() * (np.arange(8) < 3)
    fitted = PrincipalComponents(8)
    fitted.add(flat)
    assert fitted.fit()[2] == 3
