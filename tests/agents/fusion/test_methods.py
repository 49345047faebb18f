from pathlib import Path

import numpy as np
import pytest

from recsim.agents.bandits.linucb import LinUCB
from recsim.agents.fusion import METHODS, fit_fusion, load_fusion
from recsim.logs import Log
from recsim.simulator import Simulator


def test_methods_are_named_by_strings_that_import_nothing() -> None:
    assert set(METHODS) >= {"average", "concat", "weighted_concat", "shared_bottom", "mmoe", "gated", "attention"}
    assert METHODS["mmoe"].options == {"fusion": "concat", "heads": "mmoe"}
    assert METHODS["average"].kind == "StaticFusion"


@pytest.mark.parametrize("method", [name for name, method in METHODS.items() if method.reads_recent])
def test_methods_that_read_recent_clicks_need_a_world_that_tells_them(world: Simulator, log: Log, method: str) -> None:
    with pytest.raises(ValueError, match="recent"):
        fit_fusion(method, log, world.catalog, world.layout)


@pytest.mark.parametrize(("method", "options"), [("average", {}), ("gated", {"epochs": 1, "size": 4})])
def test_what_was_fitted_by_name_is_loaded_from_its_file_alone(
    world: Simulator, log: Log, method: str, options: dict[str, int], tmp_path: Path
) -> None:
    fitted = fit_fusion(method, log, world.catalog, world.layout, seed=1, **options)
    fitted.save(tmp_path / "fusion.safetensors")
    loaded = load_fusion(tmp_path / "fusion.safetensors", world.catalog, world.layout)
    assert type(loaded) is METHODS[method].load()
    np.testing.assert_array_equal(loaded.scores(log.observation[:9]), fitted.scores(log.observation[:9]))


def test_names_and_files_of_something_else_are_refused(world: Simulator, log: Log, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no fusion method 'sum'; the methods are average"):
        fit_fusion("sum", log, world.catalog, world.layout)
    LinUCB(world.catalog, world.layout).save(tmp_path / "bandit.safetensors")
    with pytest.raises(ValueError, match="holds a LinUCB, which is no static fusion"):
        load_fusion(tmp_path / "bandit.safetensors", world.catalog, world.layout)
    with pytest.raises(FileNotFoundError, match="there is no agent .*: save one first"):
        load_fusion(tmp_path / "nothing.safetensors", world.catalog, world.layout)
