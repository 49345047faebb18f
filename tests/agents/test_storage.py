from pathlib import Path

import numpy as np
import pytest

from recsim.agents.storage import load_arrays, save_arrays
from recsim.catalog import Catalog


def test_what_was_saved_is_loaded(catalog: Catalog, tmp_path: Path) -> None:
    path = tmp_path / "deep" / "thing.safetensors"
    save_arrays(path, "Thing", {"a": np.arange(3.0), "b": np.eye(2)[:, ::-1]}, catalog)
    arrays = load_arrays(path, "Thing", catalog)
    assert arrays["a"].tolist() == [0.0, 1.0, 2.0]
    assert arrays["b"].tolist() == [[0.0, 1.0], [1.0, 0.0]]
    assert [file.name for file in path.parent.iterdir()] == ["thing.safetensors"]


def test_the_wrong_file_is_refused(catalog: Catalog, tmp_path: Path) -> None:
    path = tmp_path / "thing.safetensors"
    with pytest.raises(FileNotFoundError, match="there is no Thing .*: save one first"):
        load_arrays(path, "Thing", catalog)
    save_arrays(path, "Thing", {"a": np.zeros(1)}, catalog)
    with pytest.raises(ValueError, match="holds a Thing, but a Other is needed"):
        load_arrays(path, "Other", catalog)
    path.write_bytes(b"PK not a safetensors file")
    with pytest.raises(ValueError, match="is not a safetensors file"):
        load_arrays(path, "Thing", catalog)


def test_an_agent_does_not_rank_other_items_of_the_same_name(tmp_path: Path) -> None:
    path = tmp_path / "thing.safetensors"
    save_arrays(path, "Thing", {"a": np.zeros(1)}, Catalog.synthetic(n_items=20, seed=1))
    load_arrays(path, "Thing", Catalog.synthetic(n_items=20, seed=1))
    with pytest.raises(ValueError, match="ranks other items than catalogue 'synthetic' has now"):
        load_arrays(path, "Thing", Catalog.synthetic(n_items=20, seed=2))
    other = Catalog.synthetic(n_items=20, seed=1)
    other.name = "market"
    with pytest.raises(ValueError, match="ranks catalogue 'synthetic', but 'market' is needed"):
        load_arrays(path, "Thing", other)
