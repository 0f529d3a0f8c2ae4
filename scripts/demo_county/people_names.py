"""Made-up names of people, telephone numbers and keys of the demo county.

Every function takes a number of rows, mostly with a source of chance, and gives an array. The
telephone numbers are 138 0000 and four digits, which belong to nobody.
"""

from typing import Final

import numpy as np
import numpy.typing as npt

Texts = npt.NDArray[np.object_]

_SURNAMES: Final = (
    "王李张刘陈杨黄赵吴周徐孙马朱胡郭何高林罗郑梁谢宋唐许邓冯韩曹曾彭萧蔡潘田董袁于余叶蒋杜苏"
    "魏程吕丁沈任姚卢傅钟姜崔谭廖范汪陆金石戴贾韦夏邱方侯邹熊孟秦白江阎薛尹段雷黎史龙陶贺顾毛"
    "郝龚邵万钱严赖覃洪武莫孔"
)
_GIVEN: Final = (
    "伟芳娜敏静秀丽强磊军洋勇艳杰娟涛明超兰霞平刚桂英华玉萍红建文斌辉波宁贵福生龙元全国胜学祥才"
    "发成康星光天达安岩中茂进林有坚和彪博诚先敬震振壮会思群豪心邦承乐绍功松善厚庆民友裕河哲江亮"
    "政谦亨奇固之轮翰朗伯宏言若鸣朋梁栋维启克伦翔旭鹏泽晨辰士以家致树炎德行时泰盛雄琛钧冠策腾云"
    "珍贞莉凤洁梅琳素莲真环雪荣爱妹香月莺媛瑞凡佳嘉琼勤桃"
)


def people_names(count: int, rng: np.random.Generator) -> Texts:
    """
    Make up names of people.

    Parameters
    ----------
    count
        How many.
    rng
        Where chance comes from.

    Returns
    -------
    numpy.ndarray
        Texts of two or three characters.
    """
    surnames = np.array(list(_SURNAMES), dtype=object)
    given = np.array(list(_GIVEN), dtype=object)
    weight = 1.0 / (np.arange(len(surnames)) + 6.0)
    first = surnames[rng.choice(len(surnames), count, p=weight / weight.sum())]
    second = given[rng.integers(0, len(given), count)]
    third = given[rng.integers(0, len(given), count)]
    third[rng.random(count) < 0.24] = ""
    return np.asarray(first + second + third, dtype=object)


def phones(count: int, rng: np.random.Generator) -> Texts:
    """
    Make up telephone numbers that are assigned to nobody.

    Parameters
    ----------
    count
        How many.
    rng
        Where chance comes from.

    Returns
    -------
    numpy.ndarray
        Texts of 11 digits.
    """
    every = np.array([f"1380000{number:04d}" for number in range(10_000)], dtype=object)
    return np.asarray(every[rng.integers(0, 10_000, count)], dtype=object)


def numbered(prefix: str, count: int, width: int = 5) -> Texts:
    """
    Make keys.

    Parameters
    ----------
    prefix
        Before the number.
    count
        How many, numbered from 1.
    width
        Digits at least.

    Returns
    -------
    numpy.ndarray
        Texts.
    """
    return np.array([f"{prefix}{number:0{width}d}" for number in range(1, count + 1)], dtype=object)


def pick(words: tuple[str, ...], count: int, rng: np.random.Generator) -> Texts:
    """
    Draw words, all equally often.

    Parameters
    ----------
    words
        To draw from.
    count
        How many.
    rng
        Where chance comes from.

    Returns
    -------
    numpy.ndarray
        Texts.
    """
    return np.asarray(np.array(words, dtype=object)[rng.integers(0, len(words), count)])
