"""The rows of a file of grids, in one form and noded; nothing here knows the store.

Apart from what publishes them, so that a file is checked without reading all of the program.
"""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import pandas as pd

from gis_service.boundaries.linework.noding import NodingReport, check_polygons
from gis_service.errors import InputError, Place
from gis_service.ingest.kinds.kind import FileForm, MatchedTable
from gis_service.ingest.readers.columns import FileField
from gis_service.ingest.readers.frames import Note
from gis_service.ingest.readers.geojson_text import find_code, parse_nested
from gis_service.ingest.readers.values import read_values
from gis_service.settings import number_settings

FIELDS: Final = (
    FileField(
        "key",
        ("code", "grid_code", "网格编码", "网格编号", "网格代码", "编码", "代码", "编号", "adcode",
         "区域编码", "wgbm"),
        needed=True,
    ),
    FileField("name", ("网格名称", "名称", "mc", "wgmc", "xzqmc", "grid_name")),
    FileField("level", ("rank", "层级", "级别", "网格层级", "网格级别", "等级", "wgcj")),
    FileField(
        "parent",
        ("parent_code", "上级", "上级网格", "上级编码", "上级网格编码", "上级代码", "父级编码",
         "所属网格编码", "pid"),
    ),
    FileField("parent_name", ("上级名称", "上级网格名称", "所属网格", "父级名称")),
    FileField(
        "kind", ("网格类型", "类型", "类别", "grid_kind"), form="word",
        words={"专属": "dedicated", "专属网格": "dedicated", "普通": "ordinary",
               "一般": "ordinary", "一般网格": "ordinary", "普通网格": "ordinary",
               "基础网格": "ordinary", "综合网格": "ordinary"},
    ),
    FileField("urban_rural_class", ("城乡分类", "城乡分类代码", "城乡代码", "cxfldm")),
    FileField("admin_code", ("行政区划代码", "行政区划", "区划代码", "xzqdm")),
)  # fmt: skip
FORM: Final = FileForm("grids", FIELDS, geometry="required")
_CODES: Final = ("key", "parent", "admin_code")


def read_rows(table: MatchedTable) -> pd.DataFrame:
    """
    Bring the rows of a file into one form.

    Parameters
    ----------
    table
        The file with our fields.

    Returns
    -------
    pandas.DataFrame
        ``key``, ``name``, ``level``, ``parent``, ``parent_name``, ``kind``,
        ``urban_rural_class``, ``admin_code`` as texts or None, ``geometry`` and ``row``.

    Raises
    ------
    InputError
        A row has no code, or one that stands twice: a grid left out would be a gap.
    """
    if table.file.refusals:
        first = table.file.refusals[0]
        raise InputError(
            "grids_file.rows_unread", place=Place(first.row, first.feature, first.field),
            n=len(table.file.refusals), reason=first.message(),
        )  # fmt: skip
    rows = read_fields(FIELDS, table)
    no_values = np.full(len(rows), None, dtype=object)
    rows["geometry"] = no_values if table.geometry is None else table.geometry
    rows["row"] = table.rows
    for is_bad, message in (
        (rows["key"].isna(), "grids_file.no_code"),
        (rows["key"].duplicated() & rows["key"].notna(), "grids_file.code_twice"),
        (~rows["kind"].isin(["ordinary", "dedicated"]) & rows["kind"].notna(),
         "grids_file.bad_kind"),
    ):  # fmt: skip
        if is_bad.any():
            index = int(np.flatnonzero(is_bad.to_numpy())[0])
            field = "kind" if message.endswith("kind") else "key"
            place = Place(
                int(rows["row"].iloc[index]), rows["key"].iloc[index], table.name_in_file(field)
            )
            raise InputError(message, place=place, n=int(is_bad.sum()))
    return rows.reset_index(drop=True)


def node_rows(rows: pd.DataFrame, tolerance_m: float, *, allow_holes: bool = False) -> NodingReport:
    """Node the polygons of one level."""
    return check_polygons(
        rows["key"].tolist(),
        rows["geometry"].to_numpy(),
        tolerance_m,
        cut_out=(rows["kind"] == "dedicated").to_numpy(),
        allow_holes=allow_holes,
        most_crossings=number_settings().boundary_most_crossings,
    )


def read_fields(fields: Sequence[FileField], table: MatchedTable) -> pd.DataFrame:
    """Read every field of a file, also those without a column."""
    no_values = np.full(len(table.rows), None, dtype=object)
    columns = {
        field.name: read_values(field, _unnest_values(field.name, table))
        if field.name in table.frame
        else no_values
        for field in fields
    }
    return pd.DataFrame(columns, dtype=object)


def _unnest_values(field: str, table: MatchedTable) -> Any:
    values = table.frame[field].to_numpy(dtype=object).copy()
    documents = {
        index: document
        for index, value in enumerate(values)
        if (document := parse_nested(value)) is not None
    }
    codes = {
        index: find_code(document) if field in _CODES else None
        for index, document in documents.items()
    }
    for index, code in codes.items():
        values[index] = code
    codes_read = [code for code in codes.values() if code is not None]
    sender_field = {"field": table.name_in_file(field)}
    if codes_read:
        note = Note(
            "ingest.nested_read", {**sender_field, "n": len(codes_read), "code": codes_read[0]}
        )
        table.file.notes.append(note)
    if len(codes_read) < len(codes):
        table.file.notes.append(
            Note("ingest.nested_ignored", {**sender_field, "n": len(codes) - len(codes_read)})
        )
    return values
