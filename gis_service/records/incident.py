"""An incident (事件), which has an endpoint of its own; a file brings what was handled before."""

from typing import Final

from gis_service.records.field import Field, Record
from gis_service.records.shared import PERSON, PHONE, PHONES, PLACE, key

RECORD: Final = Record(
    "incident", "incident", "incidents", ("事件", "Incidents"),
    about=("点。报告人只给有权限的身份看。",
           "Points. Who reported is seen only by those who may."),
    fields=(
        Field("kind", "choice", ("类型", "事件类型", "类别", "事件类别", "type"),
              required=True, open=True, words={
                  "dispute": ("纠纷", "矛盾纠纷"),
                  "rubbish": ("垃圾堆放", "环境卫生"),
                  "noise": ("噪声扰民", "噪音"),
                  "road_damage": ("道路损坏",),
                  "burst_pipe": ("管道爆裂",),
                  "illegal_building": ("违法建设", "违章建筑"),
                  "flood": ("内涝",),
                  "fire": ("火灾", "火情"),
                  "lost_person": ("走失人员", "走失"),
                  "other": ("其他", "其它"),
              }),
        Field("status", "choice", ("状态", "事件状态", "办理状态", "state"),
              required=True, default="reported", words={
                  "reported": ("已上报", "上报", "待受理"),
                  "accepted": ("已受理", "受理"),
                  "dispatched": ("已派单", "已派遣", "派单", "处置中"),
                  "handled": ("已处置", "已处理"),
                  "verified": ("已核实", "已核查"),
                  "closed": ("已办结", "已结案", "办结", "结案", "已关闭"),
                  "returned": ("已退回", "退回"),
              }),
        Field("text", "long", ("内容", "事件描述", "描述", "事件内容", "说明", "description"),
              most=4000, personal=True),
        Field("reported_at", "moment", ("上报时间", "报告时间", "发生时间", "上报日期", "reported",
                                        "reported time"), required=True),
        Field("closed_at", "moment", ("办结时间", "结案时间", "关闭时间", "closed", "closed time")),
        Field("reporter_name", "text", ("报告人", "上报人", "报告人姓名", "上报人姓名", "反映人",
                                        "reporter"),
              most=PERSON, personal=True, mask="name"),
        Field("reporter_phone", "phone", ("报告人电话", "上报人电话", "反映人电话", *PHONES),
              most=PHONE, personal=True, mask="phone"),
        PLACE,
        key("事件编号", "工单编号", "编号", "案件编号", "incident key", "incident id", "id",
            personal=True),
    ),
    placed=True, title=("text",), word="kind",
    ordered=(("reported_at", "closed_at"),), only_when=(("closed_at", "status", "closed"),),
    import_order=6,
)  # fmt: skip
