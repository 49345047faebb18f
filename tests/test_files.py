from pathlib import Path

import pytest

from recsim.files import write_json, write_text


def test_writing_cannot_leave_half_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "page.html"
    write_text(path, "old")

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("os.replace", killed)
    with pytest.raises(KeyboardInterrupt):
        write_text(path, "new")
    assert path.read_bytes() == b"old"
    assert [file.name for file in tmp_path.iterdir()] == ["page.html"]


def test_writing_leaves_nothing_behind(tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    write_text(path, "old")
    write_text(path, "new\n")
    assert path.read_bytes() == b"new\n"
    assert [file.name for file in tmp_path.iterdir()] == ["page.html"]
    with pytest.raises(UnicodeEncodeError):
        write_text(path, "\ud800")
    assert path.read_bytes() == b"new\n"
    assert [file.name for file in tmp_path.iterdir()] == ["page.html"]


def test_json_is_strict_and_the_same_for_the_same_value(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "value.json"
    write_json(path, {"b": 0.1 + 0.2, "a": "é"})
    assert path.read_text(encoding="utf-8") == '{\n "b": 0.30000000000000004,\n "a": "é"\n}\n'
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(path, float("nan"))
