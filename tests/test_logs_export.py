import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from recsim.catalog import Catalog
from recsim.logs import Log, collect
from recsim.logs_export import DATASET, to_d3rlpy, to_minari, write_d3rlpy
from recsim.policy import popularity
from recsim.simulator import Simulator
from recsim.users.interest import InterestConfig, InterestUsers

minari = pytest.importorskip("minari")


@pytest.fixture(scope="module")
def log(catalog: Catalog) -> Log:
    """Sessions of which some reach the horizon of four slates."""
    users = InterestUsers(catalog, InterestConfig(click_offset=-1.0))
    found = collect(Simulator(catalog, users, slate_size=4, horizon=4, seed=9), popularity(catalog, 4, 1.0), 12)
    lengths = np.unique(found.user, return_counts=True)[1]
    assert lengths.min() < 4
    assert lengths.max() == 4
    return found


def sessions_of(log: Log) -> list[Log]:
    return [log[log.user == user] for user in np.unique(log.user)]


def test_minari_episodes_are_the_sessions(log: Log, catalog: Catalog, tmp_path: Path) -> None:
    dataset = to_minari(log, catalog, tmp_path)
    assert (dataset.total_episodes, dataset.total_steps) == (12, len(log))
    for episode, session in zip(dataset, sessions_of(log), strict=True):
        np.testing.assert_array_equal(episode.observations[:-1], session.observation)
        np.testing.assert_array_equal(episode.observations[-1], session.observation[-1])
        np.testing.assert_array_equal(episode.actions, session.slate)
        np.testing.assert_array_equal(episode.rewards, session.reward)
        assert dataset.action_space.contains(episode.actions[0])
        full = len(session) == 4
        assert episode.terminations.tolist() == [False] * (len(session) - 1) + [not full]
        assert episode.truncations.tolist() == [False] * (len(session) - 1) + [full]


def test_minari_infos_hold_propensities_and_answers(log: Log, catalog: Catalog, tmp_path: Path) -> None:
    for episode, session in zip(to_minari(log, catalog, tmp_path), sessions_of(log), strict=True):
        infos = episode.infos
        for name in ("step_log_prob", "objectives", "click", "conversion"):
            np.testing.assert_array_equal(infos[name][1:], getattr(session, name), err_msg=name)
        assert np.isnan(infos["step_log_prob"][0]).all()
        assert np.isnan(infos["objectives"][0]).all()
        assert infos["observed"].ravel().tolist() == [1] * len(session) + [0]
        assert (infos["user"] == session.user[0]).all()
        assert (infos["session"] == 0).all()


def test_minari_finds_the_dataset_by_its_name(
    log: Log, catalog: Catalog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    to_minari(log, catalog, tmp_path, dataset="shop/popular-v2", actions="taste", data_format="parquet")
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path))
    dataset = minari.load_dataset("shop/popular-v2")
    assert dataset.spec.dataset_name == "popular"
    assert dataset.storage.metadata["algorithm_name"] == "popularity"
    assert "1 x click + 4 x conversion + 0.5 x novelty" in dataset.storage.metadata["description"]
    assert dataset.storage.metadata["dataset_size"] >= 0.0
    np.testing.assert_allclose(dataset[0].actions[0], catalog.taste[log.slate[0]].mean(axis=0), rtol=1e-5, atol=1e-7)


def test_a_dataset_is_written_whole_or_not_at_all(
    log: Log, catalog: Catalog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from minari.dataset._storages.arrow_storage import ArrowStorage

    def full(*_: object) -> None:
        raise OSError("disk full")

    with monkeypatch.context() as patch:
        patch.setattr(ArrowStorage, "update_episode_metadata", full)
        with pytest.raises(OSError, match="disk full"):
            to_minari(log, catalog, tmp_path)
    assert not list(tmp_path.iterdir())
    to_minari(log, catalog, tmp_path)
    with pytest.raises(FileExistsError, match="recsim-log-v0 exists already: choose another name, or remove it"):
        to_minari(log, catalog, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [DATASET]


def test_d3rlpy_rows_are_slates_and_every_session_ends_once(log: Log, catalog: Catalog) -> None:
    found = to_d3rlpy(log, catalog)
    assert set(found) == {"observations", "actions", "rewards", "terminals", "timeouts"}
    np.testing.assert_array_equal(found["observations"], log.observation)
    np.testing.assert_allclose(found["rewards"], log.reward, rtol=1e-6)
    for name in ("actions", "rewards", "terminals", "timeouts"):
        assert found[name].dtype == np.float32
    for session in sessions_of(log):
        rows = log.user == session.user[0]
        full = float(len(session) == 4)
        assert found["terminals"][rows].tolist() == [0.0] * (len(session) - 1) + [1.0 - full]
        assert found["timeouts"][rows].tolist() == [0.0] * (len(session) - 1) + [full]


def test_a_taste_is_the_mean_of_what_was_shown(log: Log, catalog: Catalog) -> None:
    slate = log.slate.copy()
    slate[0, [1, 3]] = -1
    slate[1] = -1
    found = to_d3rlpy(replace(log, slate=slate), catalog)["actions"]
    np.testing.assert_allclose(found[0], catalog.taste[slate[0, [0, 2]]].mean(axis=0), rtol=1e-5, atol=1e-7)
    assert not found[1].any()
    np.testing.assert_array_equal(to_d3rlpy(log, catalog, actions="slate")["actions"], log.slate)


def test_the_order_of_the_rows_does_not_matter(log: Log, catalog: Catalog) -> None:
    mixed = log[np.random.Generator(np.random.Philox(0)).permutation(len(log))]
    for name, values in to_d3rlpy(mixed, catalog).items():
        np.testing.assert_array_equal(values, to_d3rlpy(log, catalog)[name])


def test_later_sessions_of_a_user_are_episodes_of_their_own(log: Log, catalog: Catalog) -> None:
    one = replace(log, user=np.zeros_like(log.user), session=log.user)
    found = to_d3rlpy(one, catalog)
    assert (found["terminals"] + found["timeouts"]).sum() == 12


def test_arrays_come_back_from_a_file_without_pickle(log: Log, catalog: Catalog, tmp_path: Path) -> None:
    write_d3rlpy(log, catalog, tmp_path / "log.npz")
    with np.load(tmp_path / "log.npz", allow_pickle=False) as file:
        for name, values in to_d3rlpy(log, catalog).items():
            np.testing.assert_array_equal(file[name], values)
    assert [path.name for path in tmp_path.iterdir()] == ["log.npz"]


def test_what_cannot_be_exported_is_refused(
    log: Log, catalog: Catalog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ValueError, match="session 0 of user 0 lacks step 0; an episode is a whole session"):
        to_d3rlpy(log[1:], catalog)
    with pytest.raises(ValueError, match="that is not the"):
        to_d3rlpy(log, Catalog.synthetic(n_items=24, seed=1))
    with pytest.raises(ValueError, match="actions is 'words'; 'slate' or 'taste'"):
        to_d3rlpy(log, catalog, actions="words")  # type: ignore[arg-type]
    slate = log.slate.copy()
    slate[2, 3] = -1
    with pytest.raises(ValueError, match="row 2 of the log has an empty position 3"):
        to_minari(replace(log, slate=slate), catalog, tmp_path)
    with pytest.raises(ValueError, match="Malformed dataset ID"):
        to_minari(log, catalog, tmp_path, dataset="../up")
    assert not list(tmp_path.iterdir())
    monkeypatch.setitem(sys.modules, "minari", None)
    with pytest.raises(ImportError, match="Minari is not installed; `pip install minari`"):
        to_minari(log, catalog, tmp_path)
