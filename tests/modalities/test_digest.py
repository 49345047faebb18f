"""Fingerprints change with whatever changes embeddings, and with nothing else."""

from pathlib import Path

from recsim.modalities.digest import fingerprint, model_files


def written(folder: Path, **files: str) -> list[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name).write_text(text)
    return [folder / name for name in files]


def test_a_fingerprint_is_of_names_contents_and_options(tmp_path: Path) -> None:
    files = written(tmp_path / "1", a="one", b="two")
    found = fingerprint(files, kind="text", size=3)
    assert len(bytes.fromhex(found)) == 16
    assert fingerprint(files[::-1], size=3, kind="text") == found  # in any order
    assert fingerprint(written(tmp_path / "elsewhere", a="one", b="two"), kind="text", size=3) == found
    others = [
        fingerprint(files, kind="text", size=4),
        fingerprint(files, kind="text"),
        fingerprint(files[:1], kind="text", size=3),
        fingerprint(written(tmp_path / "2", a="one", b="too"), kind="text", size=3),
        fingerprint(written(tmp_path / "3", a="one", c="two"), kind="text", size=3),
        fingerprint(written(tmp_path / "4", a="onetwo", b=""), kind="text", size=3),
    ]
    assert len({found, *others}) == 7


def test_what_a_model_is_made_of(tmp_path: Path) -> None:
    names = ("config.json", "tokenizer.json", "vocab.txt", "spiece.model", "chat_template.jinja")
    kept = {tmp_path / name for name in names} | {tmp_path / "1_Pooling" / "config.json"}
    (tmp_path / "1_Pooling").mkdir()
    for path in kept:
        path.write_text("")
    for name in ("README.md", "pytorch_model.bin", "training_args.pt"):
        (tmp_path / name).write_text("")
    assert set(model_files(tmp_path)) == {*kept, tmp_path / "pytorch_model.bin"}
    (tmp_path / "model.safetensors").write_text("")  # which transformers prefers
    assert set(model_files(tmp_path)) == {*kept, tmp_path / "model.safetensors"}
