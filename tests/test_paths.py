"""What is said of paths that cannot be used, and that it is said before the work."""

import os
from pathlib import Path

import pytest

from recsim.experiments.errors import UserError, input_errors
from recsim.files import temporary_name, write_json
from recsim.paths import check_place, unusable


def test_a_place_where_something_can_be_made_is_fine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    check_place(tmp_path / "new" / "deep" / "file.json")
    monkeypatch.chdir(tmp_path)
    check_place(Path("file.json"))
    assert list(tmp_path.iterdir()) == []


def test_a_file_in_the_way_is_named(tmp_path: Path) -> None:
    (tmp_path / "a").touch()
    with pytest.raises(NotADirectoryError, match=r"a/new/b cannot be made, as .*/a is no folder: choose another place"):
        check_place(tmp_path / "a" / "new" / "b")


def test_a_folder_that_may_not_be_written_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != tmp_path)  # root may write everywhere
    with pytest.raises(
        PermissionError, match=rf"new/b cannot be made, as nothing may be written in {tmp_path}: choose"
    ):
        check_place(tmp_path / "new" / "b")
    (tmp_path / "own").mkdir()
    check_place(tmp_path / "own" / "b")


def test_what_the_system_says_becomes_a_sentence_about_the_file_that_was_meant(tmp_path: Path) -> None:
    (tmp_path / "a").touch()
    sentence = r"^/.*/a cannot be used \(file exists\): check the path, and what may be read and written there\.$"
    with pytest.raises(UserError, match=sentence), input_errors():
        write_json(tmp_path / "a" / "found.json", {})
    hidden = temporary_name(tmp_path / "found.json")
    told = unusable(OSError(28, "No space left on device", str(hidden)))
    assert told.startswith(f"{tmp_path / 'found.json'} cannot be used (no space left on device): ")


def test_errors_of_ours_stay_as_they_are() -> None:
    with pytest.raises(UserError, match="^there is no log a: `recsim collect` writes one.$"), input_errors():
        raise FileNotFoundError("there is no log a: `recsim collect` writes one.")
