import numpy as np
import pytest

from recsim.encoding import Encoding


def made(centre, components):
    return Encoding("text", "minilm", "ab12", np.array(centre, np.float32), np.array(components, np.float32))


def test_a_row_is_scaled_centred_projected_and_scaled():
    """(3, 4) is (0.6, 0.8); less (0.6, 0) that is (0, 0.8), of which the second column is 1 in length."""
    encoding = made([0.6, 0.0], [[1.0, 0.0], [0.0, 1.0]])
    np.testing.assert_allclose(encoding.project(np.array([[3.0, 4.0]])), [[0.0, 1.0]], atol=1e-7)


def test_nothing_stays_nothing():
    assert made([0.5, 0.5], np.eye(2)).project(np.zeros((2, 2))).tolist() == [[0.0, 0.0], [0.0, 0.0]]


def test_parts_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match=r"centre of shape \(2,\) and components of shape \(1, 3\)"):
        made([0.0, 0.0], [[1.0, 0.0, 0.0]])
    with pytest.raises(ValueError, match=r"projects rows of 2 columns, and these have shape \(1, 3\)"):
        made([0.0, 0.0], np.eye(2)).project(np.zeros((1, 3)))
