"""Run folders: whole or not there, never another one's, and locked while somebody works on them."""

import json
import os
import time
from pathlib import Path

import pytest

from recsim.catalog import Catalog
from recsim.experiments.config import RunConfig
from recsim.experiments.errors import UserError
from recsim.experiments.run_folder import RunFolder, current_versions


def visible(path: Path) -> set[str]:
    return {str(found.relative_to(path)) for found in path.rglob("*") if found.is_file() and found.name != ".lock"}


def test_a_new_folder_has_config_and_manifest(tmp_path: Path, small: RunConfig) -> None:
    folder = RunFolder.start(tmp_path / "runs" / "a", small)
    assert visible(folder.path) == {"config.yaml", "manifest.json"}
    assert [found.name for found in (tmp_path / "runs").iterdir()] == ["a"]
    assert (folder.config, folder.finished, folder.versions) == (small, [], current_versions())
    manifest = json.loads((folder.path / "manifest.json").read_text())
    assert (manifest["schema"], manifest["name"], manifest["seed"]) == (1, "small", 3)


def test_an_empty_folder_may_be_used(tmp_path: Path, small: RunConfig) -> None:
    (tmp_path / "a").mkdir()
    assert visible(RunFolder.start(tmp_path / "a", small).path) == {"config.yaml", "manifest.json"}
    assert [found.name for found in tmp_path.iterdir()] == ["a"]


def test_a_folder_that_exists_is_refused(tmp_path: Path, small: RunConfig) -> None:
    RunFolder.start(tmp_path / "a", small)
    with pytest.raises(
        UserError, match=r"a exists already: choose another folder, or go on with --resume, or start afresh with"
    ):
        RunFolder.start(tmp_path / "a", small)
    with pytest.raises(UserError, match="--resume keeps what is there and --overwrite does not; choose one of them"):
        RunFolder.start(tmp_path / "a", small, resume=True, overwrite=True)


@pytest.mark.parametrize(
    ("choice", "done"), [({}, "used"), ({"resume": True}, "resumed"), ({"overwrite": True}, "replaced")]
)
def test_what_is_no_run_folder_is_left_alone(
    tmp_path: Path, small: RunConfig, choice: dict[str, bool], done: str
) -> None:
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter.txt").write_text("years of work")
    with pytest.raises(UserError, match=rf"thesis exists and is not a run folder, so it is not {done}; choose another"):
        RunFolder.start(tmp_path / "thesis", small, **choice)
    with pytest.raises(UserError, match=rf"chapter\.txt exists and is not a folder, so it is not {done}"):
        RunFolder.start(tmp_path / "thesis" / "chapter.txt", small, **choice)
    assert (tmp_path / "thesis" / "chapter.txt").read_text() == "years of work"


def test_overwriting_leaves_nothing_of_the_old_run(tmp_path: Path, small: RunConfig) -> None:
    old = RunFolder.start(tmp_path / "a", small)
    (old.path / "report.html").write_text("old")
    RunFolder.start(tmp_path / "a", small.model_copy(update={"seed": 9}), overwrite=True)
    assert visible(tmp_path) == {"a/config.yaml", "a/manifest.json"}
    assert RunFolder(tmp_path / "a").config.seed == 9


def test_a_run_of_another_version_can_be_overwritten_but_not_resumed(tmp_path: Path, small: RunConfig) -> None:
    path = RunFolder.start(tmp_path / "a", small).path
    (path / "config.yaml").write_text("name: a\nof_another_version: 1\n")
    with pytest.raises(UserError, match="unknown key 'of_another_version'"):
        RunFolder.start(path, small, resume=True)
    assert RunFolder.start(path, small, overwrite=True).config == small
    (path / "manifest.json").write_text('{"schema": 0}')
    assert RunFolder.start(path, small, overwrite=True).config == small


def test_resuming_with_another_config_is_refused_with_the_first_difference(tmp_path: Path, small: RunConfig) -> None:
    RunFolder.start(tmp_path / "a", small)
    assert RunFolder.start(tmp_path / "a", small, resume=True).finished == []
    other = small.model_copy(update={"evaluation": small.evaluation.model_copy(update={"n_boot": 21})})
    with pytest.raises(
        UserError, match=r"a was started with evaluation\.n_boot 20, and the config now says 21; restore"
    ):
        RunFolder.start(tmp_path / "a", other, resume=True)


def test_resuming_what_was_never_started_starts_it(tmp_path: Path, small: RunConfig) -> None:
    assert RunFolder.start(tmp_path / "a", small, resume=True).finished == []


def test_a_damaged_or_foreign_manifest_is_told(tmp_path: Path, small: RunConfig) -> None:
    with pytest.raises(UserError, match=r"is not a run folder: it has no manifest\.json\. `recsim run` makes one\.$"):
        RunFolder(tmp_path)
    folder = RunFolder.start(tmp_path / "a", small)
    manifest = folder.path / "manifest.json"
    manifest.write_text('{"schema": 2}')
    with pytest.raises(UserError, match=r"a has run schema 2, this recsim reads 1; start the run afresh\.$"):
        RunFolder(folder.path)
    for damaged in ("{", "[]", "{}"):
        manifest.write_text(damaged)
        with pytest.raises(UserError, match=r"manifest\.json is damaged; start the run afresh in another folder\.$"):
            RunFolder(folder.path)


def test_a_stage_is_recorded_when_its_outputs_have_their_names(tmp_path: Path, small: RunConfig) -> None:
    folder = RunFolder.start(tmp_path / "a", small)
    outputs = ("models/x.bin", "events")
    with folder.scratch() as scratch:
        (scratch / "models").mkdir()
        (scratch / "models" / "x.bin").write_text("new")
        (scratch / "events").mkdir()
        (scratch / "events" / "1").write_text("new")
        assert visible(folder.path) >= {"config.yaml", "manifest.json"}
        assert not (folder.path / "models").exists()
        assert not folder.has("train", outputs)
        folder.commit("train", outputs, scratch)
    assert visible(folder.path) == {"config.yaml", "manifest.json", "models/x.bin", "events/1"}
    assert RunFolder(folder.path).has("train", outputs)
    (folder.path / "models" / "x.bin").unlink()
    assert not folder.has("train", outputs)


def test_interrupted_attempts_count_among_the_seconds_of_a_stage(
    tmp_path: Path, small: RunConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, clock = RunFolder.start(tmp_path / "a", small), iter([10.0, 12.5, 100.0, 101.0])
    monkeypatch.setattr(time, "perf_counter", lambda: next(clock))
    with pytest.raises(KeyboardInterrupt), folder.timed("train"):
        raise KeyboardInterrupt
    with folder.timed("train"):
        pass
    assert json.loads((folder.path / "timings.json").read_text()) == {"train": 3.5}


def test_a_stage_done_again_replaces_folders_whole(tmp_path: Path, small: RunConfig) -> None:
    folder = RunFolder.start(tmp_path / "a", small)
    for name in ("first", "second"):
        with folder.scratch() as scratch:
            (scratch / "events").mkdir()
            (scratch / "events" / name).write_text(name)
            folder.commit("train", ("events",), scratch)
    assert visible(folder.path / "events") == {"second"}
    assert folder.finished == ["train"]
    assert not list(folder.path.rglob("*.tmp"))


def test_a_stage_that_did_not_make_what_it_promised_is_not_recorded(tmp_path: Path, small: RunConfig) -> None:
    folder = RunFolder.start(tmp_path / "a", small)
    with folder.scratch() as scratch, pytest.raises(RuntimeError, match=r"stage 'train' did not make models/x\.bin"):
        folder.commit("train", ("models/x.bin",), scratch)
    assert folder.finished == []


def test_the_scratch_folder_goes_away_with_an_error(tmp_path: Path, small: RunConfig) -> None:
    folder = RunFolder.start(tmp_path / "a", small)
    with pytest.raises(IsADirectoryError), folder.scratch() as scratch:
        scratch.read_text()
    assert visible(folder.path) == {"config.yaml", "manifest.json"}


def test_what_a_killed_process_left_is_removed_by_the_next_one(tmp_path: Path, small: RunConfig) -> None:
    folder = RunFolder.start(tmp_path / "a", small)
    (folder.path / ".stage.0.tmp" / "models").mkdir(parents=True)
    (folder.path / "tensorboard" / ".ppo.0.tmp").mkdir(parents=True)
    (tmp_path / ".a.0.tmp").mkdir()
    (tmp_path / ".ab.0.tmp").mkdir()
    with folder.locked():
        assert not list(folder.path.rglob("*.tmp"))
    RunFolder.start(tmp_path / "a", small, overwrite=True)
    assert sorted(found.name for found in tmp_path.iterdir()) == [".ab.0.tmp", "a"]


def test_two_processes_cannot_work_on_one_folder(tmp_path: Path, small: RunConfig) -> None:
    folder = RunFolder.start(tmp_path / "a", small)
    message = r"another process is working on .*a; wait for it, or choose another folder"
    with folder.locked():
        with pytest.raises(UserError, match=message), RunFolder(folder.path).locked():
            pass
        with pytest.raises(UserError, match=message):
            RunFolder.start(folder.path, small, overwrite=True)
    with RunFolder(folder.path).locked():
        pass


def test_a_link_to_a_run_is_replaced_without_touching_the_run(tmp_path: Path, small: RunConfig) -> None:
    RunFolder.start(tmp_path / "a", small)
    os.symlink(tmp_path / "a", tmp_path / "latest")
    RunFolder.start(tmp_path / "latest", small.model_copy(update={"seed": 9}), overwrite=True)
    assert RunFolder(tmp_path / "a").config.seed == 3
    assert RunFolder(tmp_path / "latest").config.seed == 9


def test_a_run_does_not_go_on_with_other_items(tmp_path: Path, small: RunConfig) -> None:
    folder = RunFolder.start(tmp_path / "a", small)
    folder.check_items(Catalog.synthetic(n_items=20, seed=1))
    again = RunFolder.start(tmp_path / "a", small, resume=True)
    again.check_items(Catalog.synthetic(n_items=20, seed=1))
    with pytest.raises(UserError, match="was started with other items than catalogue 'synthetic' has now"):
        again.check_items(Catalog.synthetic(n_items=20, seed=2))


def test_a_place_where_no_folder_can_be_is_named(tmp_path: Path, small: RunConfig) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=r"file/run cannot be made \(.*\); choose a folder that can be written"):
        RunFolder.start(tmp_path / "file" / "run", small)
