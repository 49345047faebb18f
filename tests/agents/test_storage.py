from pathlib import Path

import numpy as np
import pytest

from recsim.agents.storage import load_arrays, save_arrays


def test_what_was_saved_is_loaded(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "thing.safetensors"
    save_arrays(path, "Thing", {"a": np.arange(3.0), "b": np.eye(2)[:, ::-1]}, {"catalog": "shop"})
    arrays, about = load_arrays(path, "Thing", {"catalog": "shop"})
    assert arrays["a"].tolist() == [0.0, 1.0, 2.0]
    assert arrays["b"].tolist() == [[0.0, 1.0], [1.0, 0.0]]
    assert about == {"kind": "Thing", "catalog": "shop"}
    assert [file.name for file in path.parent.iterdir()] == ["thing.safetensors"]


def test_the_wrong_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "thing.safetensors"
    with pytest.raises(FileNotFoundError, match="there is no Thing at"):
        load_arrays(path, "Thing", {})
    save_arrays(path, "Thing", {"a": np.zeros(1)}, {"catalog": "shop"})
    with pytest.raises(ValueError, match="has kind 'Thing', but 'Other' is needed"):
        load_arrays(path, "Other", {})
    with pytest.raises(ValueError, match="has catalog 'shop', but 'market' is needed"):
        load_arrays(path, "Thing", {"catalog": "market"})
    path.write_bytes(b"PK not a safetensors file")
    with pytest.raises(ValueError, match="is not a safetensors file"):
        load_arrays(path, "Thing", {})
