"""Rows of files of every kind, a chunk at a time, and what is told where a file cannot be read."""

import gzip
import json
import re
import tracemalloc
from pathlib import Path

import pandas as pd
import pytest

from recsim.catalogs.importing.findings import Findings
from recsim.catalogs.importing.mapping import ColumnMapping, complete_mapping, mapping_of_flags
from recsim.catalogs.importing.reading import CHUNK, Source, open_source

TABLE = 'id,name,price\n1,Red hat,2.5\n2,"Blue, ""new""",\n3,Großer Hut,1\n'
CELLS = [("1", "Red hat", "2.5"), ("2", 'Blue, "new"', ""), ("3", "Großer Hut", "1")]


def written(path: Path, text: str, encoding: str = "utf-8") -> Path:
    path.write_bytes(text.encode(encoding))
    return path


def cells(source: Source) -> list[tuple[str, ...]]:
    return [row.cells for chunk in source.chunks() for row in chunk]


def test_every_kind_of_file_gives_the_same_cells(tmp_path: Path) -> None:
    written(tmp_path / "comma.csv", TABLE)
    written(tmp_path / "bom.csv", "\ufeff" + TABLE)
    (tmp_path / "packed.csv.gz").write_bytes(gzip.compress(TABLE.encode()))
    rows = pd.read_csv(tmp_path / "comma.csv", dtype={"id": str, "name": str, "price": str}, keep_default_na=False)
    for name, separator in (("semicolon.csv", ";"), ("tab.tsv", "\t"), ("pipe.txt", "|")):
        rows.to_csv(tmp_path / name, sep=separator, index=False)
    rows.to_parquet(tmp_path / "items.parquet")
    lines = "".join(json.dumps(row) + "\n" for row in rows.to_dict("records"))
    written(tmp_path / "items.jsonl", lines + "\n")
    (tmp_path / "items.ndjson.gz").write_bytes(gzip.compress(lines.encode()))
    for path in sorted(tmp_path.iterdir()):
        source = open_source(path)
        assert source.columns == ("id", "name", "price"), path
        assert cells(source) == CELLS, path
        assert [row.number for chunk in source.chunks() for row in chunk] == [1, 2, 3]


def test_cells_of_all_types_become_text(tmp_path: Path) -> None:
    pd.DataFrame(
        {
            "a": [1, 2],
            "b": [1.5, None],
            "c": [["x", "y"], []],
            "d": pd.to_datetime(["2024-05-31", None]),
            "e": [True, False],
        }
    ).to_parquet(tmp_path / "types.parquet")
    assert cells(open_source(tmp_path / "types.parquet")) == [
        ("1", "1.5", "x, y", "2024-05-31 00:00:00", "True"),
        ("2", "", "", "", "False"),
    ]
    written(tmp_path / "types.jsonl", '{"a": 1, "c": ["x", "y"]}\n{"b": {"k": null}, "a": null}\n')
    assert cells(open_source(tmp_path / "types.jsonl")) == [("1", "x, y", ""), ("", "", '{"k": null}')]


def test_rows_of_another_width_are_told(tmp_path: Path) -> None:
    source = open_source(written(tmp_path / "a.csv", "a,b\n1\n\n2,3,4\n5,6\n"))
    (chunk,) = source.chunks()
    assert [(row.cells, row.surplus) for row in chunk] == [(("1", ""), -1), (("2", "3"), 1), (("5", "6"), 0)]


def test_line_breaks_inside_quotes_and_columns_without_a_name(tmp_path: Path) -> None:
    source = open_source(written(tmp_path / "a.csv", ',text\r\n0,"two\r\nlines"\r\n'))
    assert source.columns == ("column_1", "text")
    assert cells(source) == [("0", "two\r\nlines")]


def test_another_encoding(tmp_path: Path) -> None:
    path = written(tmp_path / "old.csv", TABLE, "cp1252")
    assert cells(open_source(path, encoding="cp1252")) == CELLS
    assert cells(open_source(written(tmp_path / "wide.csv", TABLE, "utf-16"), encoding="utf-16")) == CELLS
    with pytest.raises(
        ValueError, match=r"line 1: byte 0 \(0xff\) is no utf-8: say .* such as --encoding utf-16, or save"
    ):
        open_source(tmp_path / "wide.csv")
    offset = TABLE.encode("cp1252").index("ß".encode("cp1252"))
    sentence = (
        f"{path}, line 4: byte {offset} (0xdf) is no utf-8: say which encoding the file has, such as "
        "--encoding cp1252, or save it as UTF-8."
    )
    with pytest.raises(ValueError, match=f"^{re.escape(sentence)}$"):
        cells(open_source(path))


def test_the_place_of_a_wrong_byte_far_inside(tmp_path: Path) -> None:
    start = b"id,name\n" + b"1,\xc3\xa4bc\n" * 400_000
    (tmp_path / "far.csv").write_bytes(start + b"2,\xff\n")
    with pytest.raises(ValueError, match=rf"far.csv, line 400002: byte {len(start) + 2:,} \(0xff\) is no utf-8"):
        cells(open_source(tmp_path / "far.csv"))


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("a.csv", b"", "a.csv is empty: it needs a header and a row for each item"),
        ("a.csv", b"\n\n", "a.csv has no lines: it needs a header"),
        ("a.csv", b",,\n1,2,3\n", "a.csv begins with an empty line"),
        ("a.csv", b"a,b,a\n", "a.csv has the column 'a' 2 times: give each its own name"),
        ("a.csv", b'a,b\n1,2\n3,"open\n4,5\n', "a.csv, line 3: a quote is opened and never closed"),
        ("a.csv", b'a,b\n1,"' + b"x" * 200_000 + b'"\n', "a.csv, line 2: field larger than field limit"),
        ("a.csv.gz", b"no gzip", "a.csv.gz is broken"),
        ("a.csv.gz", gzip.compress(b"a,b\n" * 10_000, mtime=0)[:-30], "a.csv.gz is broken"),
        ("a.xlsx", b"PK", "a.xlsx has a name that ends in '.xlsx': choose from .csv"),
        ("a.parquet.gz", b"PK", "uncompress it first"),
        ("a.parquet", b"PAR1 and no more", "a.parquet cannot be read as Parquet"),
        ("a.jsonl", b'{"a": 1}\n{"a": \n', "a.jsonl, line 2 is no JSON"),
        ("a.jsonl", b"[1, 2]\n", "a.jsonl, line 1 is no JSON object"),
        ("a.jsonl", b"", "a.jsonl is empty: it needs a JSON object for each item, one a line"),
        ("a.parquet", b"", "a.parquet is empty: it needs a row for each item"),
        ("a.jsonl", b"\n\n", "a.jsonl has no rows: it needs a JSON object for each item, one a line"),
        ("a.jsonl", b'{"a": "\xff"}\n', r"a.jsonl, line 1: byte 7 \(0xff\) is no utf-8"),
    ],
)
def test_what_cannot_be_read_is_told_in_a_sentence(tmp_path: Path, name: str, content: bytes, sentence: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=sentence):
        cells(open_source(tmp_path / name))


def test_what_is_not_there_or_cannot_be_meant(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"there is no file .*none.csv: name the CSV"):
        open_source(tmp_path / "none.csv")
    with pytest.raises(FileNotFoundError, match="is a folder: name the CSV"):
        open_source(tmp_path)
    path = written(tmp_path / "a.csv", TABLE)
    with pytest.raises(ValueError, match="--encoding is 'latin-99', which Python does not know"):
        open_source(path, encoding="latin-99")
    with pytest.raises(ValueError, match="--separator is ';;': it must be one character"):
        open_source(path, separator=";;")
    with pytest.raises(ValueError, match="--separator is '': it must be one character"):
        open_source(path, separator="")
    with pytest.raises(
        ValueError,
        match="--separator is ';', which does not stand in the first line of .*a.csv, 'id,name,price': leave",
    ):
        open_source(path, separator=";")
    lines = written(tmp_path / "a.jsonl", '{"id": 1}\n')
    with pytest.raises(ValueError, match=r"--separator is ';', and .*a.jsonl is no CSV, which alone has one: leave"):
        open_source(lines, separator=";")


def test_a_tab_can_be_typed_and_one_column_needs_no_separator(tmp_path: Path) -> None:
    assert open_source(written(tmp_path / "a.csv", "a\tb,c\n"), separator=r"\t").columns == ("a", "b,c")
    assert open_source(written(tmp_path / "b.csv", "a b\n1\n"), separator=";").columns == ("a b",)
    assert open_source(written(tmp_path / "c.csv", '"a,b"\n1\n')).columns == ("a,b",)


def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    text = "x" * 500
    path = written(tmp_path / "large.csv", "id,text\n" + "".join(f"{row},{text}\n" for row in range(12 * CHUNK)))
    source = open_source(path)
    tracemalloc.start()
    try:
        n_rows = sum(len(chunk) for chunk in source.chunks())
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert n_rows == 12 * CHUNK
    assert peak < path.stat().st_size / 3  # two chunks of twelve are alive at once


def test_usual_names_are_guessed_and_told() -> None:
    findings = Findings()
    columns = ["SKU", "Product Name", "description", "tags", "Category", "price", "stock"]
    found = complete_mapping(ColumnMapping(), columns, Path("a.csv"), findings)
    assert found == ColumnMapping(
        item_id="SKU",
        title="Product Name",
        text=("Product Name", "description", "tags"),
        category="Category",
        price="price",
    )
    told = [(one.what, one.found) for one in findings.of_all()]
    assert told == [
        ("guessed column", "item_id is read from the column 'SKU'"),
        ("guessed column", "title is read from the column 'Product Name'"),
        ("guessed column", "category is read from the column 'Category'"),
        ("guessed column", "text is joined from 'Product Name' and 'description' and 'tags'"),
        ("missing column", "there is no column for created"),
        ("missing column", "there is no column for popularity"),
    ]


def test_what_is_said_is_not_guessed() -> None:
    flags = mapping_of_flags(["title=label", "text=label,body"], ColumnMapping(title="other", price="cost"))
    assert flags == ColumnMapping(title="label", text=("label", "body"), price="cost")
    columns = ["id", "title", "label", "body", "cost", "price"]
    found = complete_mapping(flags, columns, Path("a.csv"), Findings())
    assert (found.title, found.text, found.price) == ("label", ("label", "body"), "cost")


@pytest.mark.parametrize(
    ("flag", "sentence"),
    [
        ("title", r"--column is 'title': write ours=theirs, such as --column title=product_name"),
        ("title=", "--column is 'title='"),
        ("titel=name", r"--column titel=name names 'titel', which is no column of a catalogue: did you mean 'title'\?"),
        ("zzz=name", "choose from item_id, title, text, category"),
    ],
)
def test_flags_that_cannot_be_meant(flag: str, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        mapping_of_flags([flag])


def test_an_unknown_column_is_told_with_the_closest() -> None:
    mapping = ColumnMapping(title="product_nam")
    sentence = r"a.csv has no column 'product_nam', from which title is to be read: did you mean 'product_name'\?"
    with pytest.raises(ValueError, match=sentence):
        complete_mapping(mapping, ["id", "product_name"], Path("a.csv"), Findings())
    with pytest.raises(ValueError, match="it has 'x', 'y'"):
        complete_mapping(mapping, ["x", "y"], Path("a.csv"), Findings())
