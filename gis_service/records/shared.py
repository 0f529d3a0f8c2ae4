"""What several kinds of record have in common."""

from typing import Any, Final

from gis_service.records.field import Field

PHONES: Final = ("电话", "联系电话", "手机", "手机号", "手机号码", "联系方式", "电话号码",
                 "mobile", "tel", "telephone", "phone number")  # fmt: skip
ADDRESSES: Final = ("地址", "详细地址", "门牌地址", "所在地址", "位置", "addr")
FROM: Final = ("开始日期", "起始日期", "生效日期", "开始", "起", "自", "上岗日期", "任职日期",
               "入职日期", "from", "start", "start date", "since")  # fmt: skip
TO: Final = ("结束日期", "终止日期", "截止日期", "失效日期", "结束", "止", "至", "离岗日期",
             "离职日期", "to", "end", "end date", "until")  # fmt: skip
OFFICERS: Final = ("工号", "人员编号", "网格员编号", "网格员", "网格员姓名", "姓名", "officer",
                   "officer id")  # fmt: skip

PERSON: Final = 120
"""Characters of a person's name: some tables put a whole family into the cell."""
NAME: Final = 255
"""Characters of any other name and of an address: the longest value of OpenStreetMap."""
PHONE: Final = 120
"""Characters of a telephone in a file, where one cell holds several; a typed one is checked."""

PLACE: Final = Field("point", "point", required=True)


def key(*names: str, personal: bool = False) -> Field:
    """
    Make the field that names a record.

    Parameters
    ----------
    *names
        What counties call it.
    personal
        Whether it may name a person.

    Returns
    -------
    Field
        The field.
    """
    return Field("key", "text", names, needed=True, most=NAME, fixed=True, personal=personal)


def phone(*names: str, **other: Any) -> Field:
    """
    Make a field for a telephone number.

    Parameters
    ----------
    *names
        What else counties call it.
    **other
        Of the field.

    Returns
    -------
    Field
        The field.
    """
    return Field("phone", "phone", (*PHONES, *names), most=PHONE, **other)
