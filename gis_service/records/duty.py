"""A duty (A/B岗): who holds which post in which grid, from when to when."""

from typing import Final

from gis_service.records.field import Field, Record
from gis_service.records.shared import FROM, OFFICERS, TO

RECORD: Final = Record(
    "duty", "grid_duty", "duties", ("网格员任职（A/B 岗）", "Duties of officers (posts A and B)"),
    about=("没有坐标。一个网格同一角色同一岗同一天只有一人；一人可以任几个网格。工号和网格编码一起确定一行。",
           ("No coordinates. One person a grid, role, post and day; one person may hold "
            "several grids. Officer and grid together name a row.")),
    fields=(
        Field("officer", "officer", OFFICERS, required=True, needed=True, fixed=True),
        Field("grid", "grid", ("网格编码", "网格编号", "网格代码", "网格", "网格名称", "grid",
                               "grid code", "grid id"), required=True, needed=True, fixed=True),
        Field("role", "choice", ("角色", "职务", "岗位类型"), required=True, fixed=True,
              default="officer", words={
                  "officer": ("网格员", "专职网格员", "兼职网格员", "grid officer"),
                  "head": ("网格长", "长"),
              }),
        Field("post", "choice", ("岗", "ab岗", "岗位", "a/b岗"), required=True, fixed=True,
              default="A", words={
                  "A": ("a岗", "a", "主岗", "ab岗a"),
                  "B": ("b岗", "b", "副岗", "ab岗b"),
              }),
        Field("first_day", "day", FROM, required=True),
        Field("last_day", "day", TO),
    ),
    writers=frozenset({"county_office", "planner"}),
    removable=True,
    apart=(("grid", "role", "post"), ("grid", "role", "officer")),
    import_order=8, form_order=3,
)  # fmt: skip
