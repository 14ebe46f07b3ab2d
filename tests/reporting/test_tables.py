"""Tables as CSV: raw values, nothing converted, nothing that a spreadsheet would run."""

import csv

import pytest

from frostline.reporting.tables import Column, Table, shown, write_csv

NAN = float("nan")
COLUMNS = [Column("name"), Column("low", "percent"), Column("low", "points"), Column("n", "count")]
ROWS = [["=1+1", 0.1 + 0.2, None, 3], ["@x", NAN, NAN, None], ["-1", 1.0, None, 12345678901234567]]


def test_csv_keeps_full_precision_whole_numbers_and_gaps(tmp_path):
    path = write_csv(Table("t", "title", COLUMNS, ROWS), tmp_path)
    assert path.read_bytes().startswith(b"name,low,low,n\r\n")
    assert list(csv.reader(path.open(newline="")))[1:] == [
        ["'=1+1", "0.30000000000000004", "", "3"],
        ["'@x", "", "", ""],
        ["-1", "1.0", "", "12345678901234567"],
    ]


def test_a_table_without_rows_is_a_header(tmp_path):
    assert write_csv(Table("t", "title", COLUMNS, []), tmp_path).read_text() == "name,low,low,n\n"


def test_columns_without_any_value_are_left_out():
    table = Table("t", "title", COLUMNS, ROWS, marked=frozenset({1}), folded=True)
    left = table.without_empty_columns()
    assert left.columns == [COLUMNS[0], COLUMNS[1], COLUMNS[3]]
    assert left.rows[2] == ["-1", 1.0, 12345678901234567]
    assert (left.marked, left.folded) == (table.marked, table.folded)


@pytest.mark.parametrize(
    ("value", "kind", "text"),
    [
        (None, "count", "–"),
        (NAN, "percent", "–"),
        (0.9125, "percent", "91.2"),
        (-0.012, "points", "−1.2"),
        (0.012, "points", "+1.2"),
        (5400.0, "seconds", "90 min"),
        (1234567, "count", "1,234,567"),
        (0.0004, "p", "< 0.001"),
        (0.0654, "p", "0.065"),
        (0.123456, "number", "0.1235"),
        ("all", "percent", "all"),
    ],
)
def test_values_as_a_person_reads_them(value, kind, text):
    assert shown(value, kind) == text
