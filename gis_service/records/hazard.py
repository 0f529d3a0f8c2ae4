"""A hazard (隐患): found, due, rectified, handed over, closed."""

from typing import Final

from gis_service.records.field import Field, Record
from gis_service.records.shared import PLACE, key
from gis_service.roles import LOCAL_ROLES

RECORD: Final = Record(
    "hazard", "hazard", "hazards", ("隐患", "Hazards"),
    about=("点。",
           "Points."),
    fields=(
        Field("kind", "choice", ("类型", "隐患类型", "类别", "隐患类别", "type"),
              required=True, open=True, words={
                  "blocked_exit": ("疏散通道堵塞", "堵塞通道", "安全出口"),
                  "wiring": ("电气线路", "线路", "用电"),
                  "extinguisher": ("消防器材", "灭火器"),
                  "gas": ("燃气",),
                  "charging": ("违规充电", "充电"),
                  "structure": ("房屋结构", "结构"),
                  "storage": ("违规储存", "储存"),
                  "other": ("其他", "其它"),
              }),
        Field("grade", "choice", ("等级", "隐患等级", "级别", "隐患级别", "level"),
              required=True, default="ordinary", words={
                  "ordinary": ("一般", "一般隐患", "普通"),
                  "major": ("重大", "重大隐患", "较大"),
              }),
        Field("status", "choice", ("状态", "整改状态", "隐患状态", "state"),
              required=True, default="found", words={
                  "found": ("发现", "已发现", "待整改", "未整改"),
                  "rectifying": ("整改中", "正在整改"),
                  "rectified": ("已整改", "整改完成"),
                  "handed_over": ("已移交", "移交"),
                  "closed": ("已关闭", "已销号", "销号", "已办结", "关闭"),
              }),
        PLACE,
        Field("premises", "premises", ("场所编号", "单位编号", "所属场所", "所属单位", "premises",
                                       "premises id")),
        Field("note", "long", ("说明", "描述", "隐患描述", "隐患内容", "内容", "备注",
                               "description"), most=1000, personal=True),
        Field("found_on", "day", ("发现日期", "检查日期", "发现时间", "检查时间", "found"),
              required=True, fixed=True),
        Field("due_on", "day", ("整改期限", "限期", "整改截止日期", "截止日期", "到期日期", "due",
                                "deadline"), required=True),
        Field("rectified_on", "day", ("整改日期", "整改完成日期", "整改时间", "rectified")),
        Field("closed_on", "day", ("关闭日期", "销号日期", "办结日期", "closed")),
        key("隐患编号", "编号", "hazard key", "hazard id", "id"),
    ),
    writers=frozenset({"county_office", "dispatcher", *LOCAL_ROLES}),
    placed=True, title=("note",), detail="status", word="kind",
    ordered=(("found_on", "due_on"), ("found_on", "rectified_on"), ("found_on", "closed_on")),
    only_when=(("closed_on", "status", "closed"),),
    import_order=5, form_order=8,
)  # fmt: skip
