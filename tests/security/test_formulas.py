"""Cells that go back to a sender begin no formula; numbers stay numbers, other bytes as sent."""

import csv
import io
from pathlib import Path

import numpy as np
import openpyxl
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gis_service.errors import Place
from gis_service.grids.batch.csv_blocks import find_formula_cells
from gis_service.grids.batch.rows import Reject, RejectList
from gis_service.ingest.importing import write_refusals
from gis_service.ingest.readers.file_table import FileTable
from gis_service.ingest.readers.frames import Refusal
from gis_service.sheet_cells import safe_cell

FORMULAS = ("=1+1", "+1+1", "-1+1", "-", "@SUM(A1)", "\t=1", "\r=1", "=cmd|' /C calc'!A0", "-1-cmd")
PLAIN = ("-12.5", "+86", "1=2", "", "甲", "'=1", " =1", "-1e-7", "-.5", "a@b", "+1.", "a-b")


@pytest.mark.parametrize("text", FORMULAS)
def test_a_formula_becomes_a_text(text: str) -> None:
    assert safe_cell(text) == f"'{text}"


@pytest.mark.parametrize("value", [*PLAIN, -12.5, None, 7, True])
def test_everything_else_stays(value: object) -> None:
    assert safe_cell(value) is value


def harmless(data: bytes, delimiter: str) -> bytes:
    block = np.frombuffer(data, dtype=np.uint8)
    return np.insert(block, find_formula_cells(block, ord(delimiter)), ord("'")).tobytes()


cells = st.lists(
    st.lists(
        st.one_of(st.sampled_from(FORMULAS + PLAIN), st.text(alphabet='=-+@1.e,;"\t a\r\n')),
        min_size=2,
        max_size=4,
    ),
    min_size=1,
    max_size=5,
)


@settings(deadline=None)  # the first one waits for the compiler
@given(cells, st.sampled_from([",", ";"]))
def test_the_rule_for_blocks_is_the_rule_for_cells(rows: list[list[str]], delimiter: str) -> None:
    given_file = io.StringIO(newline="")
    csv.writer(given_file, delimiter=delimiter).writerows(rows)
    made = harmless(given_file.getvalue().encode(), delimiter).decode()
    assert list(csv.reader(io.StringIO(made, newline=""), delimiter=delimiter)) == [
        [safe_cell(cell) for cell in row] for row in rows
    ]


def test_rows_that_were_refused_hold_no_formula(tmp_path: Path) -> None:
    frame = pd.DataFrame({"=name": ["=1+1", "-12.5"], "n": [-3.5, "+1+1"]})
    nothing = np.full(2, np.nan)
    table = FileTable("a.csv", frame, None, np.array([2, 3]), None, None, None, (nothing, nothing))
    refusals = [Refusal.because("ingest.row_empty", Place(row, None, "=name")) for row in (2, 3)]
    write_refusals(tmp_path / "a.csv", table, refusals)
    with (tmp_path / "a.csv").open(encoding="utf-8-sig", newline="") as file:
        head, first, second = csv.reader(file)
    assert head[1] == "'=name"
    assert first[:4] == ["2", "'=1+1", "-3.5", "'=name"]
    assert second[:3] == ["3", "-12.5", "'+1+1"]


def test_rejects_of_a_located_file_hold_no_formula() -> None:
    out = io.BytesIO()
    RejectList(out).add(Reject(1, "=1+1, 2", "why"))
    assert out.getvalue().decode().splitlines()[1] == """1,"'=1+1, 2",why"""


def test_a_workbook_of_ours_holds_no_formula() -> None:
    from gis_service.reports import workbook

    book = openpyxl.Workbook(write_only=True)
    workbook._add_table(book, "t", [("=head", "", 10.0), ("n", "", 10.0)], [["=1+1", -12.5]])
    out = io.BytesIO()
    book.save(out)
    sheet = openpyxl.load_workbook(out)["t"]
    assert [cell.value for row in sheet.iter_rows() for cell in row] == [
        "'=head", "n", "'=1+1", -12.5,
    ]  # fmt: skip
    assert {cell.data_type for row in sheet.iter_rows() for cell in row} == {"s", "n"}
