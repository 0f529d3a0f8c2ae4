"""An officer (网格长, 网格员); the place is the duty post, whereabouts are not kept."""

from typing import Final

from gis_service.records.field import Field, Record
from gis_service.records.shared import FROM, TO, key, phone

RECORD: Final = Record(
    "officer", "officer", "officers", ("网格员", "Officers"),
    about=("坐标是值守点，可以没有；不记录行踪。",
           "The coordinates are the duty post and may be missing; whereabouts are not kept."),
    fields=(
        Field("name", "text", ("姓名", "网格员姓名", "人员姓名", "网格员", "officer name",
                               "officer"), required=True, most=60, personal=True),
        phone(asked=True, personal=True),
        Field("full_time", "flag", ("是否专职", "专职", "专兼职", "专职兼职", "fulltime"),
              default=True),
        Field("point", "point", column="duty_post"),
        Field("first_day", "day", FROM, required=True),
        Field("last_day", "day", TO),
        key("工号", "人员编号", "网格员编号", "编号", "officer key", "officer id", "id",
            personal=True),
    ),
    writers=frozenset({"county_office"}),
    detail="phone",
    import_order=7, form_order=1,
)  # fmt: skip
