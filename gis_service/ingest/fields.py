"""What each kind of file may hold: our fields, and what counties call them.

The names were gathered from how such tables are headed; a name that is not here can be stated.
Words in cells are brought to ours; a word that is not here is refused with the known ones.
"""

from typing import Final

from gis_service.ingest.columns import Field

_PHONES: Final = ("电话", "联系电话", "手机", "手机号", "手机号码", "联系方式", "电话号码",
                  "mobile", "tel", "telephone", "phone number")  # fmt: skip
_ADDRESSES: Final = ("地址", "详细地址", "门牌地址", "所在地址", "位置", "addr")
_FROM: Final = ("开始日期", "起始日期", "生效日期", "开始", "起", "自", "上岗日期", "任职日期",
                "入职日期", "from", "start", "start date", "since")  # fmt: skip
_TO: Final = ("结束日期", "终止日期", "截止日期", "失效日期", "结束", "止", "至", "离岗日期",
              "离职日期", "to", "end", "end date", "until")  # fmt: skip

BUILDING_WORDS: Final = {
    "住宅": "residential", "民房": "residential", "农房": "residential", "自建房": "residential",
    "居住": "residential", "公寓": "apartment", "楼房": "apartment", "住宅楼": "apartment",
    "商铺": "shop", "商业": "shop", "棚屋": "shed", "杂屋": "shed", "附属房": "shed",
    "学校": "school", "工厂": "factory", "厂房": "factory", "工业": "factory", "办公": "office",
    "办公楼": "office", "house": "residential", "apartments": "apartment",
}  # fmt: skip
CARE_WORDS: Final = {
    "独居": "lives_alone", "独居老人": "lives_alone", "空巢": "lives_alone",
    "空巢老人": "lives_alone", "残疾": "disabled", "残疾人": "disabled",
    "留守儿童": "left_behind_child", "高龄": "elderly", "高龄老人": "elderly", "老人": "elderly",
    "老年人": "elderly", "高山": "high_mountain", "高山户": "high_mountain",
    "低保": "low_income", "低保户": "low_income", "困难": "low_income", "特困": "low_income",
}  # fmt: skip
PREMISES_WORDS: Final = {
    "商铺": "shop", "商店": "shop", "门店": "shop", "餐饮": "restaurant", "饭店": "restaurant",
    "九小场所": "nine_small", "九小": "nine_small", "工厂": "factory", "厂房": "factory",
    "企业": "factory", "仓库": "warehouse", "学校": "school", "加油站": "gas_station",
    "重点单位": "key_fire_unit", "重点消防单位": "key_fire_unit",
    "消防安全重点单位": "key_fire_unit",
}  # fmt: skip
FACILITY_WORDS: Final = {
    "便民服务中心": "service_centre", "服务中心": "service_centre", "服务点": "service_centre",
    "党群服务中心": "service_centre", "警务室": "police_room", "派出所": "police_room",
    "卫生室": "clinic", "诊所": "clinic", "卫生院": "clinic", "医院": "clinic",
    "商店": "grocery", "超市": "grocery", "便利店": "grocery", "银行": "bank",
    "银行网点": "bank", "学校": "school", "消防站": "fire_station", "消防救援站": "fire_station",
    "微型消防站": "mini_fire_station", "微型站": "mini_fire_station",
    "消防水源": "water_source", "水源": "water_source", "消火栓": "water_source",
    "消防栓": "water_source",
}  # fmt: skip
GRADE_WORDS: Final = {
    "a级": "A", "b级": "B", "c级": "C", "d级": "D", "a": "A", "b": "B", "c": "C", "d": "D",
    "一级": "A", "二级": "B", "三级": "C", "四级": "D", "红": "A", "橙": "B", "黄": "C", "蓝": "D",
}  # fmt: skip
HAZARD_WORDS: Final = {
    "疏散通道堵塞": "blocked_exit", "堵塞通道": "blocked_exit", "安全出口": "blocked_exit",
    "电气线路": "wiring", "线路": "wiring", "用电": "wiring", "消防器材": "extinguisher",
    "灭火器": "extinguisher", "燃气": "gas", "违规充电": "charging", "充电": "charging",
    "房屋结构": "structure", "结构": "structure", "违规储存": "storage", "储存": "storage",
    "其他": "other", "其它": "other",
}  # fmt: skip
HAZARD_GRADES: Final = {
    "一般": "ordinary", "一般隐患": "ordinary", "普通": "ordinary", "重大": "major",
    "重大隐患": "major", "较大": "major",
}  # fmt: skip
HAZARD_STATES: Final = {
    "发现": "found", "已发现": "found", "待整改": "found", "未整改": "found",
    "整改中": "rectifying", "正在整改": "rectifying", "已整改": "rectified",
    "整改完成": "rectified", "已移交": "handed_over", "移交": "handed_over", "已关闭": "closed",
    "已销号": "closed", "销号": "closed", "已办结": "closed", "关闭": "closed",
}  # fmt: skip
INCIDENT_WORDS: Final = {
    "纠纷": "dispute", "矛盾纠纷": "dispute", "垃圾堆放": "rubbish", "环境卫生": "rubbish",
    "噪声扰民": "noise", "噪音": "noise", "道路损坏": "road_damage", "管道爆裂": "burst_pipe",
    "违法建设": "illegal_building", "违章建筑": "illegal_building", "内涝": "flood",
    "火灾": "fire", "火情": "fire", "走失人员": "lost_person", "走失": "lost_person",
    "其他": "other", "其它": "other",
}  # fmt: skip
INCIDENT_STATES: Final = {
    "已上报": "reported", "上报": "reported", "待受理": "reported", "已受理": "accepted",
    "受理": "accepted", "已派单": "dispatched", "已派遣": "dispatched", "派单": "dispatched",
    "处置中": "dispatched", "已处置": "handled", "已处理": "handled", "已核实": "verified",
    "已核查": "verified", "已办结": "closed", "已结案": "closed", "办结": "closed",
    "结案": "closed", "已关闭": "closed", "已退回": "returned", "退回": "returned",
}  # fmt: skip
ROLE_WORDS: Final = {"网格长": "head", "长": "head", "网格员": "officer", "专职网格员": "officer",
                     "兼职网格员": "officer", "grid officer": "officer"}  # fmt: skip
POST_WORDS: Final = {"a岗": "A", "b岗": "B", "a": "A", "b": "B", "主岗": "A", "副岗": "B",
                     "ab岗a": "A", "ab岗b": "B"}  # fmt: skip

BUILDINGS: Final = (
    Field("key", ("楼栋编号", "楼栋编码", "建筑编号", "房屋编号", "房屋编码", "楼编号", "编号",
                  "building key", "building id", "building no", "building code", "id"),
          needed=True),
    Field("name", ("楼栋名称", "建筑名称", "房屋名称", "楼名", "名称", "building name"),
          default=""),
    Field("address", _ADDRESSES, default=""),
    Field("kind", ("类型", "建筑类型", "房屋类型", "用途", "房屋用途", "building type", "type"),
          "word", default="residential", words=BUILDING_WORDS),
    Field("storeys", ("层数", "楼层", "楼层数", "地上层数", "总层数", "floors", "levels", "storey",
                      "building levels"), "whole", default=1),
)  # fmt: skip

HOUSEHOLDS: Final = (
    Field("key", ("户编号", "户编码", "户号", "家庭编号", "住户编号", "户籍编号", "编号",
                  "household key", "household id", "household no", "id"), needed=True),
    Field("building_key", ("楼栋编号", "楼栋编码", "建筑编号", "房屋编号", "房屋编码", "所在楼栋",
                           "楼栋", "building", "building id", "building no", "building code")),
    Field("street", ("街道", "街路巷", "道路", "路名", "街巷", "小区", "road", "street name"),
          default=""),
    Field("house_number", ("门牌号", "门牌", "楼牌号", "number", "house no"), default=""),
    Field("group_number", ("组", "组号", "村民小组", "小组", "group", "group no"), "whole"),
    Field("room", ("室", "室号", "房号", "房间号", "房间", "room no", "unit"), default=""),
    Field("head_name", ("户主", "户主姓名", "姓名", "户主名", "head", "head of household", "name"),
          default=""),
    Field("phone", _PHONES, default=""),
    Field("people", ("人数", "人口", "人口数", "家庭人口", "家庭人数", "常住人口", "户内人数",
                     "persons", "population", "members"), "whole", default=0),
    Field("care_tags", ("重点人群", "特殊人群", "关爱对象", "关爱标签", "标签", "人群类别", "care",
                        "tags"), "tags", words=CARE_WORDS),
)  # fmt: skip

PREMISES: Final = (
    Field("key", ("场所编号", "单位编号", "编号", "统一社会信用代码", "premises key",
                  "premises id", "id"), needed=True),
    Field("name", ("场所名称", "单位名称", "名称", "企业名称", "店名", "premises name")),
    Field("kind", ("类型", "场所类型", "类别", "场所类别", "单位类型", "type"), "word",
          words=PREMISES_WORDS),
    Field("grade", ("等级", "分级", "风险等级", "安全等级", "级别", "level", "risk"), "word",
          words=GRADE_WORDS),
    Field("responsible_name", ("责任人", "负责人", "负责人姓名", "责任人姓名", "法人", "法定代表人",
                               "responsible", "contact", "manager"), default=""),
    Field("phone", (*_PHONES, "负责人电话", "责任人电话"), default=""),
    Field("building_key", ("楼栋编号", "楼栋编码", "建筑编号", "房屋编号", "所在楼栋", "building",
                           "building id")),
)  # fmt: skip

FACILITIES: Final = (
    Field("key", ("设施编号", "站点编号", "编号", "facility key", "facility id", "id"),
          needed=True),
    Field("kind", ("类型", "设施类型", "类别", "设施类别", "type"), "word", words=FACILITY_WORDS),
    Field("name", ("设施名称", "站点名称", "名称", "facility name"), default=""),
    Field("address", _ADDRESSES, default=""),
    Field("phone", _PHONES, default=""),
    Field("grade", ("等级", "级别", "站级", "level"), default=""),
    Field("turnout_minutes", ("出动时间", "出动分钟", "接警出动时间", "turnout"), "number"),
)  # fmt: skip

HAZARDS: Final = (
    Field("key", ("隐患编号", "编号", "hazard key", "hazard id", "id"), needed=True),
    Field("kind", ("类型", "隐患类型", "类别", "隐患类别", "type"), "word", words=HAZARD_WORDS),
    Field("grade", ("等级", "隐患等级", "级别", "隐患级别", "level"), "word", default="ordinary",
          words=HAZARD_GRADES),
    Field("status", ("状态", "整改状态", "隐患状态", "state"), "word", default="found",
          words=HAZARD_STATES),
    Field("note", ("说明", "描述", "隐患描述", "隐患内容", "内容", "备注", "description"),
          default=""),
    Field("premises_key", ("场所编号", "单位编号", "所属场所", "所属单位", "premises",
                           "premises id")),
    Field("found_on", ("发现日期", "检查日期", "发现时间", "检查时间", "found"), "day"),
    Field("due_on", ("整改期限", "限期", "整改截止日期", "截止日期", "到期日期", "due", "deadline"),
          "day"),
    Field("rectified_on", ("整改日期", "整改完成日期", "整改时间", "rectified"), "day"),
    Field("closed_on", ("关闭日期", "销号日期", "办结日期", "closed"), "day"),
)  # fmt: skip

INCIDENTS: Final = (
    Field("key", ("事件编号", "工单编号", "编号", "案件编号", "incident key", "incident id", "id"),
          needed=True),
    Field("kind", ("类型", "事件类型", "类别", "事件类别", "type"), "word", words=INCIDENT_WORDS),
    Field("status", ("状态", "事件状态", "办理状态", "state"), "word", default="reported",
          words=INCIDENT_STATES),
    Field("text", ("内容", "事件描述", "描述", "事件内容", "说明", "description"), default=""),
    Field("reported_at", ("上报时间", "报告时间", "发生时间", "上报日期", "reported",
                          "reported time"), "moment"),
    Field("closed_at", ("办结时间", "结案时间", "关闭时间", "closed", "closed time"), "moment"),
    Field("reporter_name", ("报告人", "上报人", "报告人姓名", "上报人姓名", "反映人", "reporter"),
          default=""),
    Field("reporter_phone", ("报告人电话", "上报人电话", "反映人电话", *_PHONES), default=""),
)  # fmt: skip

OFFICERS: Final = (
    Field("key", ("工号", "人员编号", "网格员编号", "编号", "officer key", "officer id", "id"),
          needed=True),
    Field("name", ("姓名", "网格员姓名", "人员姓名", "网格员", "officer name", "officer")),
    Field("phone", _PHONES, default=""),
    Field("full_time", ("是否专职", "专职", "专兼职", "专职兼职", "fulltime"), "flag",
          default=True),
    Field("valid_from", _FROM, "day"),
    Field("valid_to", _TO, "day"),
)  # fmt: skip

DUTIES: Final = (
    Field("officer_key", ("工号", "人员编号", "网格员编号", "网格员", "网格员姓名", "姓名",
                          "officer", "officer id"), needed=True),
    Field("grid_key", ("网格编码", "网格编号", "网格代码", "网格", "网格名称", "grid", "grid code",
                       "grid id"), needed=True),
    Field("role", ("角色", "职务", "岗位类型"), "word", default="officer", words=ROLE_WORDS),
    Field("post", ("岗", "ab岗", "岗位", "a/b岗"), "word", default="A", words=POST_WORDS),
    Field("valid_from", _FROM, "day"),
    Field("valid_to", _TO, "day"),
)  # fmt: skip

LEAVES: Final = (
    Field("officer_key", ("工号", "人员编号", "网格员编号", "网格员", "网格员姓名", "姓名",
                          "officer", "officer id"), needed=True),
    Field("valid_from", (*_FROM, "请假开始", "请假开始日期"), "day", needed=True),
    Field("valid_to", (*_TO, "请假结束", "请假结束日期"), "day"),
)  # fmt: skip
