"""Made-up names of villages, communities, grids and streets."""

from typing import Final

_VILLAGES = """
河口:Hekou 东塘:Dongtang 西塘:Xitang 柳林:Liulin 石桥:Shiqiao 新桥:Xinqiao 白沙:Baisha
长冲:Changchong 黄泥:Huangni 枫树:Fengshu 樟树:Zhangshu 桐子:Tongzi 莲花:Lianhua 荷叶:Heye
双井:Shuangjing 龙潭:Longtan 金鸡:Jinji 凤形:Fengxing 狮山:Shishan 牛角:Niujiao 马头:Matou
竹山:Zhushan 茶园:Chayuan 桃源:Taoyuan 李家:Lijia 周家:Zhoujia 陈家:Chenjia 罗家:Luojia
彭家:Pengjia 曾家:Zengjia 谭家:Tanjia 易家:Yijia 青山:Qingshan 清水:Qingshui 高峰:Gaofeng
大湾:Dawan 小湾:Xiaowan 上屋:Shangwu 下屋:Xiawu 团结:Tuanjie 新华:Xinhua 红星:Hongxing
先锋:Xianfeng 和平:Heping 光明:Guangming 永丰:Yongfeng 太平:Taiping 福田:Futian 麻石:Mashi
铁炉:Tielu 油铺:Youpu 古塘:Gutang 官渡:Guandu 三渡:Sandu 月形:Yuexing 云盘:Yunpan 栗山:Lishan
梅溪:Meixi 兰田:Lantian 芭蕉:Bajiao 杨梅:Yangmei 松柏:Songbai 鹅洲:Ezhou 鸭嘴:Yazui 沙坪:Shaping
坪上:Pingshang 岭背:Lingbei 石塘:Shitang 水口:Shuikou 横江:Hengjiang 丰乐:Fengle 仙人:Xianren
"""
VILLAGES: Final = tuple(pair.split(":") for pair in _VILLAGES.split())
_COMMUNITIES = """
东街:Dongjie 西街:Xijie 南门:Nanmen 北门:Beimen 河街:Hejie 中心:Zhongxin 新城:Xincheng
建设:Jianshe 人民路:Renminlu 解放路:Jiefanglu 朝阳:Chaoyang 文昌:Wenchang 码头:Matou 滨河:Binhe
迎宾:Yingbin 育才:Yucai 城东:Chengdong 城西:Chengxi 城南:Chengnan 城北:Chengbei 学府:Xuefu
花园:Huayuan 广场:Guangchang 桥头:Qiaotou 工农:Gongnong 兴隆:Xinglong 金桥:Jinqiao 翠竹:Cuizhu
湖滨:Hubin 站前:Zhanqian
"""
COMMUNITIES: Final = tuple(pair.split(":") for pair in _COMMUNITIES.split())
STREETS: Final = (
    "人民路", "建设路", "解放路", "中山路", "文化路", "新华路", "朝阳路", "胜利路", "和平路",
    "东风路", "幸福路", "迎宾路", "滨河路", "学府路", "工农路", "团结路", "光明路", "桥头路",
    "兴隆街", "老街", "河街", "南门街", "北门街", "书院路", "文昌路", "金桥路", "翠竹路",
)  # fmt: skip
LAKES: Final = (
    "莲塘",
    "月湖",
    "鸭塘",
    "长塘",
    "清水塘",
    "荷塘",
    "龙潭水库",
    "青山水库",
    "杨梅水库",
    "石塘",
)
HILLS: Final = (
    "青峰山",
    "狮子山",
    "云台山",
    "凤形山",
    "樟树岭",
    "白云岭",
    "茶山",
    "竹山",
    "望湖岭",
    "牛角山",
)
_DIGITS: Final = "零一二三四五六七八九"


def numeral(n: int) -> str:
    """
    Write a number below 100 in Chinese.

    Parameters
    ----------
    n
        From 1.

    Returns
    -------
    str
        For example ``十二``.
    """
    tens, ones = divmod(n, 10)
    head = "" if not tens else "十" if tens == 1 else _DIGITS[tens] + "十"
    return head + (_DIGITS[ones] if ones else "")
