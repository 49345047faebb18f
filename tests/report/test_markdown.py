"""Markdown tables: as wide as a terminal, in parts where they are wider, without what could be markup."""

from recsim.report.markdown import as_markdown, escaped
from recsim.report.table import Cell, Column, Table


def table(*titles: str, groups: tuple[tuple[str, int], ...] = ()) -> Table:
    columns = tuple(Column(title, numeric=place > 0) for place, title in enumerate(titles))
    row = tuple(Cell(f"cell {place}") for place in range(len(titles)))
    return Table("A caption.", columns, ((row, False),), groups)


def test_wide_tables_are_cut_between_columns() -> None:
    parts = as_markdown(table("Policy", *(f"A rather long title {place}" for place in range(5)))).split("\n\n")
    assert len(parts) == 3
    assert all(part.startswith("| Policy ") for part in parts)
    assert max(len(line) for part in parts for line in part.splitlines()) <= 80
    assert [f"cell {place}" in parts[0] for place in range(1, 6)] == [True, True, False, False, False]


def test_cells_that_are_too_wide_for_any_table_become_a_list() -> None:
    columns = (Column("Policy", numeric=False), Column("Estimate"))
    rows = tuple(((Cell(name), Cell("1 " * 29 + "end")), False) for name in ("x" * 20, "short"))
    assert as_markdown(Table("A caption.", columns, rows)).splitlines() == [
        f"- {'x' * 20}: Estimate {'1 ' * 23}1",
        f"  {'1 ' * 5}end",
        f"- short: Estimate {'1 ' * 29}end",
    ]


def test_groups_stand_over_their_own_part() -> None:
    text = as_markdown(table("Policy", "A", "B", "C", groups=(("", 1), ("One slate", 1), ("A whole session", 2))))
    assert text.count("| Policy ") == 2
    assert text.index("One slate:") < text.index("A |") < text.index("A whole session:") < text.index("B |")


def test_sentences_are_left_out_of_tables() -> None:
    columns = (Column("Policy", numeric=False), Column("In words", numeric=False), Column("Value"))
    row = (Cell("new"), Cell("A whole sentence.", mark="prose"), Cell("1"))
    assert as_markdown(Table("A caption.", columns, ((row, False),))).splitlines()[-1] == "| new    |     1 |"


def test_wide_characters_take_two_columns() -> None:
    columns = (Column("Policy", numeric=False), Column("Value"))
    rows = tuple(((Cell(name), Cell("1")), False) for name in ("商品推荐", "abcdefgh"))
    lines = as_markdown(Table("A caption.", columns, rows)).splitlines()
    assert lines[2] == "| 商品推荐 |     1 |"
    assert lines[3] == "| abcdefgh |     1 |"


def test_a_table_of_names_alone() -> None:
    assert as_markdown(table("Policy")).splitlines() == ["| Policy |", "|:-------|", "| cell 0 |"]


def test_control_characters_cannot_reach_the_terminal() -> None:
    assert escaped("a\x1b[31mred\nb\u202ec") == r"a \[31mred b c"
