"""A leave (请假): who is away from when to when."""

from typing import Final

from gis_service.records.field import Field, Record
from gis_service.records.shared import FROM, OFFICERS, TO

RECORD: Final = Record(
    "leave", "leave", "leaves", ("请假", "Leaves"),
    about=("没有坐标。A 岗请假时事件转 B 岗。",
           "No coordinates. While A is away incidents go to B."),
    fields=(
        Field("officer", "officer", OFFICERS, required=True, needed=True, fixed=True),
        Field("first_day", "day", (*FROM, "请假开始", "请假开始日期"), required=True, needed=True),
        Field("last_day", "day", (*TO, "请假结束", "请假结束日期"), asked=True),
    ),
    writers=frozenset({"county_office", "dispatcher"}),
    removable=True,
    apart=(("officer",),),
    import_order=9, form_order=2,
)  # fmt: skip
