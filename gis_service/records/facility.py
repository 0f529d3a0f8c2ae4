"""A service point (服务点), 消防站, 微型消防站 or 水源: from where help and services come."""

from typing import Final

from gis_service.records.field import Field, Record
from gis_service.records.shared import ADDRESSES, NAME, PLACE, key, phone

RECORD: Final = Record(
    "facility", "facility", "facilities",
    ("服务点与消防设施", "Service points and fire facilities"),
    about=("点。县域之外、救援能到达的设施也请交来。出动时间以分钟计，空着用标准的数值。",
           ("Points. Facilities beyond the county from which help can come belong here too. "
            "Turnout is in minutes; empty takes the standard's.")),
    fields=(
        Field("kind", "choice", ("类型", "设施类型", "类别", "设施类别", "type"),
              required=True, words={
                  "service_centre": ("便民服务中心", "服务中心", "服务点", "党群服务中心"),
                  "police_room": ("警务室", "派出所"),
                  "clinic": ("卫生室", "诊所", "卫生院", "医院"),
                  "grocery": ("商店", "超市", "便利店"),
                  "bank": ("银行", "银行网点"),
                  "school": ("学校",),
                  "fire_station": ("消防站", "消防救援站"),
                  "mini_fire_station": ("微型消防站", "微型站"),
                  "water_source": ("消防水源", "水源", "消火栓", "消防栓"),
              }),
        Field("name", "text", ("设施名称", "站点名称", "名称", "facility name"),
              asked=True, most=NAME),
        PLACE,
        Field("address", "text", ADDRESSES, most=NAME),
        phone(),
        Field("grade", "text", ("等级", "级别", "站级", "level"), most=NAME),
        Field("turnout_minutes", "number", ("出动时间", "出动分钟", "接警出动时间", "turnout"),
              least=0, most=120),
        key("设施编号", "站点编号", "编号", "facility key", "facility id", "id"),
    ),
    writers=frozenset({"county_office", "planner"}),
    removable=True, detail="address", word="kind",
    import_order=4, form_order=4,
)  # fmt: skip
