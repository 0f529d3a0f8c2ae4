"""A building (房), placed by a point on its surface."""

from typing import Final

from gis_service.records.field import Field, Record
from gis_service.records.shared import ADDRESSES, NAME, PLACE, key
from gis_service.roles import LOCAL_ROLES

RECORD: Final = Record(
    "building", "building", "buildings", ("房屋", "Buildings"),
    about=("面（轮廓）或点。",
           "Polygons (footprints) or points."),
    fields=(
        PLACE,
        Field("kind", "choice", ("类型", "建筑类型", "房屋类型", "用途", "房屋用途",
                                 "building type", "type"),
              required=True, open=True, default="residential", words={
                  "residential": ("住宅", "民房", "农房", "自建房", "居住", "house"),
                  "apartment": ("公寓", "楼房", "住宅楼", "apartments"),
                  "shop": ("商铺", "商业"),
                  "shed": ("棚屋", "杂屋", "附属房"),
                  "school": ("学校",),
                  "factory": ("工厂", "厂房", "工业"),
                  "office": ("办公", "办公楼"),
              }),
        Field("name", "text", ("楼栋名称", "建筑名称", "房屋名称", "楼名", "名称", "building name"),
              most=NAME),
        Field("address", "text", ADDRESSES, most=NAME),
        Field("storeys", "whole", ("层数", "楼层", "楼层数", "地上层数", "总层数", "floors",
                                   "levels", "storey", "building levels"),
              required=True, least=1, most=200, default=1),
        key("楼栋编号", "楼栋编码", "建筑编号", "房屋编号", "房屋编码", "楼编号", "编号",
            "building key", "building id", "building no", "building code", "id"),
        Field("footprint", "area"),
    ),
    writers=frozenset({"county_office", "planner", *LOCAL_ROLES}),
    placed=True, removable=True,
    title=("name", "address", "key"), detail="address", word="kind",
    import_order=1, form_order=5,
)  # fmt: skip
