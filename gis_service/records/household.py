"""A household (户), which follows its building into a grid. Sensitive as a whole."""

from typing import Final

from gis_service.records.field import Field, Record
from gis_service.records.shared import NAME, PERSON, key, phone
from gis_service.roles import LOCAL_ROLES

RECORD: Final = Record(
    "household", "household", "households", ("户", "Households"),
    about=("点；有楼栋编号的户随楼栋归属网格。敏感数据：只有有权限的身份能看，绝不进入瓦片、公开文件和日志。",
           ("Points; a household that names its building follows it into a grid. Sensitive: "
            "seen only by those who may, never in tiles, public files or logs.")),
    fields=(
        Field("building", "building", ("楼栋编号", "楼栋编码", "建筑编号", "房屋编号", "房屋编码",
                                       "所在楼栋", "楼栋", "building", "building id", "building no",
                                       "building code"), personal=True),
        Field("point", "point", required=True, personal=True),
        Field("street", "text", ("街道", "街路巷", "道路", "路名", "街巷", "小区", "road",
                                 "street name"), most=NAME, personal=True),
        Field("house_number", "text", ("门牌号", "门牌", "楼牌号", "number", "house no"),
              most=NAME, personal=True),
        Field("group_number", "whole", ("组", "组号", "村民小组", "小组", "group", "group no"),
              least=0, most=32767, personal=True),
        Field("room", "text", ("室", "室号", "房号", "房间号", "房间", "room no", "unit"),
              most=NAME, personal=True),
        Field("people", "whole", ("人数", "人口", "人口数", "家庭人口", "家庭人数", "常住人口",
                                  "户内人数", "persons", "population", "members"),
              required=True, least=0, most=99, default=0, form_default=1),
        Field("head_name", "text", ("户主", "户主姓名", "姓名", "户主名", "head",
                                    "head of household", "name"),
              most=PERSON, personal=True, mask="name"),
        phone(personal=True, mask="phone"),
        Field("care_tags", "choices", ("重点人群", "特殊人群", "关爱对象", "关爱标签", "标签",
                                       "人群类别", "care", "tags"),
              open=True, personal=True, mask="whole", words={
                  "lives_alone": ("独居", "独居老人", "空巢", "空巢老人"),
                  "disabled": ("残疾", "残疾人"),
                  "left_behind_child": ("留守儿童",),
                  "elderly": ("高龄", "高龄老人", "老人", "老年人"),
                  "high_mountain": ("高山", "高山户"),
                  "low_income": ("低保", "低保户", "困难", "特困"),
              }),
        key("户编号", "户编码", "户号", "家庭编号", "住户编号", "户籍编号", "编号",
            "household key", "household id", "household no", "id", personal=True),
    ),
    writers=frozenset({"county_office", *LOCAL_ROLES}),
    placed=True, follows="building", removable=True,
    import_order=2, form_order=6,
)  # fmt: skip
