"""Write the part of the data guide that tells of records, from their specification.

    .venv/bin/python -m scripts.data_guide

What stands between the marks of both guides is made anew; the rest of them is written by hand.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Final

from gis_service.messages import Language
from gis_service.records import RECORDS, Field, Record
from gis_service.records.wording import find_column_name, find_field_name

DOCS: Final = Path(__file__).resolve().parents[1] / "docs"
GUIDES: Final[dict[Language, Path]] = {
    "zh-CN": DOCS / "data-guide.zh-CN.md",
    "en": DOCS / "data-guide.md",
}
BEGIN: Final = "<!-- records: written by scripts/data_guide.py from gis_service/records -->"
END: Final = "<!-- end of records -->"

_CONTENT: Final = {
    "text": ("文字", "text"),
    "long": ("文字", "text"),
    "phone": ("文字", "text"),
    "whole": ("整数", "whole number"),
    "number": ("数", "number"),
    "flag": ("是/否", "yes or no"),
    "day": ("日期，如 2026-03-05", "day, as 2026-03-05"),
    "moment": ("时间，如 2026-03-05 09:20（北京时间）", "moment, as 2026-03-05 09:20, China time"),
    "choice": ("词：", "word: "),
    "choices": ("词，用顿号、逗号或分号分开：", "words, parted by commas or semicolons: "),
}
_REFERENCE: Final = ("文字", "text")
_MORE: Final = {
    "most": ("，最多 {} 个字", ", at most {} characters"),
    "bounds": ("，{}–{}", ", {}–{}"),
    "open": ("，也可以是别的词", ", or any other word"),
    "last": ("，当天不再算在内", ", which is no longer counted in"),
    "personal": ("；个人信息", "; personal"),
    "masked": ("；个人信息，平时隐藏", "; personal, hidden"),
}
_HEADER: Final = (
    "| 字段 | 含义 | 认得的列名 | 内容 |",
    "| field | meaning | columns it is known by | content |",
)
_NEEDED: Final = ("（必需）", " (needed)")
_EXAMPLE: Final = (
    "示例文件：[`{0}`](examples/{0})（运行中的页面：`/api/examples/{0}`）。",
    "Example: [`{0}`](examples/{0}); on a running service `/api/examples/{0}`.",
)


def section(record: Record, language: Language) -> str:
    """Tell what a file of one kind of record holds."""
    at = language == "en"
    title, about = record.called[at], record.about[at]
    rows = [_row(record, one, language) for one in record.file_fields]
    examples = [
        _EXAMPLE[at].format(file.name) for file in (DOCS / "examples").glob(f"{record.plural}.*")
    ]
    table = "\n".join((_HEADER[at], "|---|---|---|---|", *rows))
    return "\n\n".join((f"## {title} `{record.plural}`", about, *examples, table))


def _row(record: Record, one: Field, language: Language) -> str:
    at = language == "en"
    needed = _NEEDED[at] if one.needed else ""
    meaning = find_field_name(record, one, language)
    if one.heading != one.name:
        meaning = find_column_name(one.heading, one.names, language)
    names = ("、", ", ")[at].join(sorted(one.names, key=str.isascii))
    return f"| `{one.heading}`{needed} | {meaning} | {names} | {_content(one, at=at)} |"


def _content(one: Field, *, at: bool) -> str:
    text = _CONTENT.get(one.type, _REFERENCE)[at]
    if one.words:
        text += ("、", ", ")[at].join(_words(one, at=at))
        text += _MORE["open"][at] if one.open else ""
    elif one.least is not None:
        text += _MORE["bounds"][at].format(one.least, one.most)
    elif one.most is not None:
        text += _MORE["most"][at].format(one.most)
    if one.name == "last_day":
        text += _MORE["last"][at]
    kept = "masked" if one.mask else "personal" if one.personal else ""
    return text + (_MORE[kept][at] if kept else "")


def _words(one: Field, *, at: bool) -> Iterable[str]:
    return (f"`{word}`" if at or not names else names[0] for word, names in one.words.items())


def guide(text: str, language: Language) -> str:
    """Put the sections of all records between the marks of a guide."""
    before, rest = text.split(BEGIN)
    _, after = rest.split(END)
    sections = "\n\n".join(section(record, language) for record in RECORDS.values())
    return f"{before}{BEGIN}\n\n{sections}\n\n{END}{after}"


if __name__ == "__main__":
    for language, file in GUIDES.items():
        file.write_text(guide(file.read_text("utf-8"), language), "utf-8")
