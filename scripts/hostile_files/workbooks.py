"""XLSX: sheets that reach far, entities that grow, cells that lie."""

import io
import re
import zipfile
from collections.abc import Callable
from random import Random

from scripts.hostile_files import valid
from scripts.hostile_files.case import hostile

_SHEET = "xl/worksheets/sheet1.xml"
_SPACE = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
_LAUGHS = (
    '<!DOCTYPE x [<!ENTITY a "ha">'
    + "".join(f'<!ENTITY {chr(98 + i)} "{f"&{chr(97 + i)};" * 20}">' for i in range(9))
    + "]>"
)


def _changed(**parts: Callable[[str], str | bytes] | None) -> bytes:
    """Write the right workbook with some parts changed, or without them."""
    of = {"sheet": _SHEET, "book": "xl/workbook.xml", "texts": "xl/sharedStrings.xml"}
    wanted = {of[name]: change for name, change in parts.items()}
    out = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(valid.workbook())) as source,
        zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as target,
    ):
        for name in source.namelist():
            data: str | bytes = source.read(name)
            if name in wanted:
                change = wanted[name]
                if change is None:
                    continue
                data = change(source.read(name).decode())
            target.writestr(name, data)
    return out.getvalue()


def _sheet(rows: str, before: str = "", doctype: str = "") -> bytes:
    return _changed(
        sheet=lambda _: (
            f'<?xml version="1.0"?>{doctype}<worksheet {_SPACE}>{before}'
            f"<sheetData>{rows}</sheetData></worksheet>"
        )
    )


def _cell(address: str, value: str = "1") -> str:
    return f'<c r="{address}"><v>{value}</v></c>'


_HEAD = (
    '<row r="1"><c r="A1" t="inlineStr"><is><t>lon</t></is></c>'
    '<c r="B1" t="inlineStr"><is><t>lat</t></is></c></row>'
)


def _xlsx(name: str) -> Callable[[Callable[[Random], bytes]], Callable[[Random], bytes]]:
    return hostile(name, "import", "a.xlsx", crs="cgcs2000")


@_xlsx("XLSX with one cell at XFD1048576")
def _far_cell(_: Random) -> bytes:
    return _sheet(_HEAD + f'<row r="1048576">{_cell("XFD1048576")}</row>')


@_xlsx("XLSX whose far cell has its address in apostrophes and small letters")
def _far_cell_written_oddly(_: Random) -> bytes:
    return _sheet(_HEAD + "<row r='1048576'><c r = 'xfd1048576'><v>1</v></c></row>")


@_xlsx("XLSX with 16,384 cells without addresses, and one in the last row")
def _far_cell_without_address(_: Random) -> bytes:
    return _sheet(
        _HEAD + f'<row r="2">{"<c><v>1</v></c>" * 16_384}</row><row r="1048576"><c/></row>'
    )


@_xlsx("XLSX whose declared extent is everything")
def _declared_extent(_: Random) -> bytes:
    return _sheet(_HEAD, '<dimension ref="A1:XFD1048576"/>')


@_xlsx("XLSX with a cell beyond the last column and row")
def _beyond(_: Random) -> bytes:
    return _sheet(_HEAD + f'<row r="9999999">{_cell("ZZZ9999999")}</row>')


@_xlsx("XLSX with a staircase of 2,000 cells")
def _staircase(_: Random) -> bytes:
    letters = [chr(65 + i) for i in range(26)]
    names = [*letters, *(a + b for a in letters for b in letters)]
    rows = "".join(
        f'<row r="{i * 500 + 2}">{_cell(f"{n}{i * 500 + 2}")}</row>' for i, n in enumerate(names)
    )
    return _sheet(_HEAD + rows)


@_xlsx("XLSX with entities that grow in the sheet")
def _laughs_in_sheet(_: Random) -> bytes:
    return _sheet(f'{_HEAD}<row r="2"><c r="A2" t="str"><v>&j;</v></c></row>', doctype=_LAUGHS)


@_xlsx("XLSX with entities that grow in the texts")
def _laughs_in_texts(_: Random) -> bytes:
    return _changed(
        texts=lambda _: f'<?xml version="1.0"?>{_LAUGHS}<sst {_SPACE}><si><t>&j;</t></si></sst>'
    )


@_xlsx("XLSX with an entity of a file of this machine")
def _outside_entity(_: Random) -> bytes:
    return _sheet(
        f'{_HEAD}<row r="2"><c r="A2" t="str"><v>&x;</v></c></row>',
        doctype='<!DOCTYPE x [<!ENTITY x SYSTEM "file:///etc/passwd">]>',
    )


@_xlsx("XLSX whose texts are 150 MB of one letter")
def _big_texts(_: Random) -> bytes:
    return _changed(
        texts=lambda _: f"<sst {_SPACE}><si><t>{'a' * 150 * 1024 * 1024}</t></si></sst>"
    )


@_xlsx("XLSX with two million empty texts")
def _many_texts(_: Random) -> bytes:
    return _changed(texts=lambda _: f"<sst {_SPACE}>{'<si><t/></si>' * 2_000_000}</sst>")


@_xlsx("XLSX that points to a text that is not there")
def _no_text(_: Random) -> bytes:
    return _sheet(f'{_HEAD}<row r="2"><c r="A2" t="s"><v>4294967295</v></c></row>')


@_xlsx("XLSX with a formula that calls a program")
def _formula(_: Random) -> bytes:
    return _sheet(f"""{_HEAD}<row r="2"><c r="A2"><f>cmd|' /C calc'!A0</f><v>1</v></c></row>""")


@_xlsx("XLSX with XML 200,000 deep")
def _deep(_: Random) -> bytes:
    return _sheet(f"{_HEAD}{'<a>' * 200_000}{'</a>' * 200_000}")


@_xlsx("XLSX whose sheet is in UTF-16")
def _utf_16(_: Random) -> bytes:
    return _changed(sheet=lambda text: text.encode("utf-16"))


@_xlsx("XLSX without its sheet")
def _no_sheet(_: Random) -> bytes:
    return _changed(sheet=None)


@_xlsx("XLSX with numbers of 400 digits")
def _long_numbers(_: Random) -> bytes:
    return _sheet(f'{_HEAD}<row r="2">{_cell("A2", "9" * 400)}{_cell("B2", "-" + "9" * 400)}</row>')


@_xlsx("XLSX with days beyond all calendars")
def _no_days(_: Random) -> bytes:
    return _sheet(f'{_HEAD}<row r="2"><c r="A2" t="d"><v>99999-99-99T99:99</v></c></row>')


@_xlsx("XLSX with 20,000 sheets")
def _many_sheets(_: Random) -> bytes:
    return _changed(
        book=lambda text: re.sub(
            r"<sheets>.*</sheets>",
            "<sheets>"
            + "".join(
                f'<sheet name="s{i}" sheetId="{i + 1}" r:id="rId1" xmlns:r='
                '"http://schemas.openxmlformats.org/officeDocument/2006/relationships"/>'
                for i in range(20_000)
            )
            + "</sheets>",
            text,
        )
    )


@_xlsx("XLSX with everything merged")
def _merged(_: Random) -> bytes:
    return _changed(
        sheet=lambda text: text.replace(
            "</sheetData>",
            '</sheetData><mergeCells count="1"><mergeCell ref="A1:XFD1048576"/></mergeCells>',
        )
    )
