"""Premises under supervision (监管对象): shops, factories, key fire units, nine-small places."""

from typing import Final

from gis_service.records.field import Field, Record
from gis_service.records.shared import NAME, PERSON, PLACE, key, phone
from gis_service.roles import LOCAL_ROLES

RECORD: Final = Record(
    "premises", "premises", "premises", ("监管对象", "Supervised premises"),
    about=("点；没有坐标时取所在楼栋的位置。",
           "Points; without coordinates they stand in their building."),
    fields=(
        Field("kind", "choice", ("类型", "场所类型", "类别", "场所类别", "单位类型", "type"),
              required=True, open=True, words={
                  "shop": ("商铺", "商店", "门店"),
                  "restaurant": ("餐饮", "饭店"),
                  "nine_small": ("九小场所", "九小"),
                  "factory": ("工厂", "厂房", "企业"),
                  "warehouse": ("仓库",),
                  "school": ("学校",),
                  "gas_station": ("加油站",),
                  "key_fire_unit": ("重点单位", "重点消防单位", "消防安全重点单位"),
              }),
        Field("name", "text", ("场所名称", "单位名称", "名称", "企业名称", "店名", "premises name"),
              required=True, most=NAME),
        Field("grade", "choice", ("等级", "分级", "风险等级", "安全等级", "级别", "level", "risk"),
              required=True, form_default="C", words={
                  "A": ("a级", "a", "一级", "红"),
                  "B": ("b级", "b", "二级", "橙"),
                  "C": ("c级", "c", "三级", "黄"),
                  "D": ("d级", "d", "四级", "蓝"),
              }),
        PLACE,
        Field("building", "building", ("楼栋编号", "楼栋编码", "建筑编号", "房屋编号", "所在楼栋",
                                       "building", "building id")),
        Field("responsible_name", "text", ("责任人", "负责人", "负责人姓名", "责任人姓名", "法人",
                                           "法定代表人", "responsible", "contact", "manager"),
              most=PERSON, personal=True),
        phone("负责人电话", "责任人电话", personal=True),
        key("场所编号", "单位编号", "编号", "统一社会信用代码", "premises key",
            "premises id", "id"),
    ),
    writers=frozenset({"county_office", "planner", *LOCAL_ROLES}),
    placed=True, removable=True, word="kind",
    import_order=3, form_order=7,
)  # fmt: skip
