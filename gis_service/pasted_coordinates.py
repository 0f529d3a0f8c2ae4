"""A place as people paste it: decimals, degrees and minutes, Chinese words, links of web maps.

One text in, longitude and latitude out, with what had to be decided on the way. What could be read
in two ways is refused with what would be right. Links are only read, never opened.
"""

import re
import unicodedata
from dataclasses import dataclass
from typing import Final, Literal
from urllib.parse import unquote, urlsplit

from gis_service.errors import InputError

Axis = Literal["lon", "lat"]
Bounds = tuple[float, float, float, float]

CHINA: Final[Bounds] = (73.0, 3.0, 136.0, 54.0)
"""West, south, east, north; no pair of numbers fits in both orders."""
_LONGEST: Final = 4000


@dataclass(frozen=True)
class Pasted:
    """
    A place that was read from a text.

    Attributes
    ----------
    lon, lat
        Degrees, in the system that the sender states for the text.
    lat_first
        The text gave latitude before longitude.
    system
        The coordinate system that the link's maker publishes (``gcj02`` for Amap and Tencent);
        None where the text says nothing of it.
    notes
        Message keys of what the reader should see: that latitude came first, that the link has a
        coordinate system of its own.
    """

    lon: float
    lat: float
    lat_first: bool
    system: str | None
    notes: tuple[str, ...]


def read_pasted(text: str, bounds: Bounds | None = None) -> Pasted:
    """
    Read one place from a text.

    Parameters
    ----------
    text
        As pasted: ``112.8897, 28.6775``, ``28°40′39″N 112°53′23″E``, ``北纬28度40分39秒
        东经112度53分23秒``, ``lng=112.8897&lat=28.6775``, a link of a web map; full-width digits
        and Chinese punctuation count as the plain ones.
    bounds
        Where the place is expected (west, south, east, north), asked before China's when the text
        does not name its axes.

    Returns
    -------
    Pasted
        With both degrees in range.

    Raises
    ------
    InputError
        There is no place in it, more than one, or one that can be read in two ways.
    """
    if len(text) > _LONGEST:
        raise InputError("coordinates.pasted_long", limit=_LONGEST)
    normalised = _normalise(text)
    link = _find_link(normalised)
    angles = _find_angles(normalised if link is None else link.pair)
    if len(angles) != 2:
        key = "coordinates.pasted_count" if angles else "coordinates.pasted_nothing"
        raise InputError(key, found=len(angles))
    lon, lat, lat_first = _order_axes(angles[0], angles[1], bounds)
    system = None if link is None else link.system
    has_axes = any(angle.axis for angle in angles)
    notes = [
        *(["coordinates.pasted_lat_first"] if lat_first and not has_axes else []),
        *(["coordinates.pasted_system"] if system else []),
    ]
    return Pasted(lon, lat, lat_first, system, tuple(notes))


# --- the characters ----------------------------------------------------------------------------

_MARKS: Final = str.maketrans(
    dict.fromkeys("º˚度", "°")
    | dict.fromkeys("′’‘´`＇分", "'")
    | dict.fromkeys("″”“＂秒", '"')
    | dict.fromkeys("−–—﹣", "-")
    | dict.fromkeys("、；;|", ",")
)


def _normalise(text: str) -> str:
    """Bring digits, punctuation and marks to one form each."""
    normalised = re.sub(r"(?<=[经纬])度", "", text)  # 经度, 纬度: no unit
    normalised = unicodedata.normalize("NFKC", normalised.translate(_MARKS)).translate(_MARKS)
    normalised = re.sub(r"(?<=\d)。(?=\d)", ".", normalised)
    return normalised.replace("''", '"').strip()


# --- numbers and their axes --------------------------------------------------------------------


@dataclass(frozen=True)
class _Angle:
    degrees: float
    axis: Axis | None = None


_NAMES: Final[dict[str, tuple[Axis, int]]] = {
    **dict.fromkeys(("e", "东经", "东", "经", "x"), ("lon", 1)),
    **dict.fromkeys(("lng", "lon", "long", "longitude", "mlon"), ("lon", 1)),
    **dict.fromkeys(("w", "西经", "西"), ("lon", -1)),
    **dict.fromkeys(("n", "北纬", "北", "lat", "latitude", "mlat", "y", "纬"), ("lat", 1)),
    **dict.fromkeys(("s", "南纬", "南"), ("lat", -1)),
}  # fmt: skip
_NAME: Final = (
    r"(?<![a-z])(?P<name>longitude|latitude|long|lng|lon|lat|mlon|mlat|[ewnsxy])(?![a-z])"
    r"|(?P<word>东经|西经|北纬|南纬|[经纬]|(?<=[\d°'\"])[东西南北]|[东西南北](?=\s*\d))"
)
_NUMBER: Final = r"\d+(?:\.\d+)?"
_TOKEN: Final = re.compile(
    rf"(?P<degrees>[-+]?{_NUMBER})\s*°"
    rf"(?:(?:\s*(?P<minutes>{_NUMBER})\s*'|(?P<bare_minutes>{_NUMBER})(?![\d.°]))"
    rf"(?:\s*(?P<seconds>{_NUMBER})\s*\"|(?P<bare_seconds>{_NUMBER})(?![\d.°]))?)?"
    rf"|(?P<number>(?:(?<![\w.])[-+])?{_NUMBER})"
    rf"|{_NAME}",
    re.IGNORECASE,
)


def _find_angles(text: str) -> list[_Angle]:
    """Find the numbers of a text, with the axis that stands beside each."""
    values: list[float] = []
    names: list[list[tuple[Axis, int]]] = [[]]  # before the first number, after it, …
    marked = False
    for token in _TOKEN.finditer(text):
        name = token["name"] or token["word"]
        if name is not None:
            names[-1].append(_NAMES[name.casefold()])
            continue
        if token["number"] is not None:
            values.append(float(token["number"]))
        else:
            marked = True
            minutes = token["minutes"] or token["bare_minutes"] or "0"
            seconds = token["seconds"] or token["bare_seconds"] or "0"
            values.append(_read_sexagesimal(token["degrees"], minutes, seconds))
        names.append([])
    if not marked and len(values) in (4, 6):
        return _read_groups(re.findall(rf"[-+]?{_NUMBER}", text), names)
    if len(values) != 2:
        return [_Angle(value) for value in values]
    return _assign_axes(values, names)


def _read_sexagesimal(degrees: str, minutes: str, seconds: str) -> float:
    if float(minutes) >= 60 or float(seconds) >= 60:
        raise InputError("coordinates.pasted_minutes")
    size = abs(float(degrees)) + float(minutes) / 60 + float(seconds) / 3600
    return -size if degrees.startswith("-") else size


def _read_groups(numbers: list[str], names: list[list[tuple[Axis, int]]]) -> list[_Angle]:
    """Read four or six plain numbers as degrees, minutes (and seconds) of two angles."""
    half = len(numbers) // 2
    values = []
    for group in (numbers[:half], numbers[half:]):
        has_whole_parts = all("." not in number for number in group[:-1])
        if not has_whole_parts or any(number[0] in "+-" for number in group[1:]):
            raise InputError("coordinates.pasted_count", found=len(numbers))
        values.append(_read_sexagesimal(group[0], group[1], group[2] if half == 3 else "0"))
    if any(names[index] for index in range(1, 2 * half) if index != half):
        raise InputError("coordinates.pasted_count", found=len(numbers))
    return _assign_axes(values, [names[0], names[half], names[-1]])


def _assign_axes(values: list[float], names: list[list[tuple[Axis, int]]]) -> list[_Angle]:
    """Give each of two numbers its axis: the name before it, or after it where none leads."""
    before, between, after = names
    if before:
        sides = [[*before, *between[:-1]], [*between[-1:], *after]]
    else:
        sides = [between[:1], [*between[1:], *after]]
    return [_with_axis(value, side) for value, side in zip(values, sides, strict=True)]


def _with_axis(value: float, names: list[tuple[Axis, int]]) -> _Angle:
    if not names:
        return _Angle(value)
    if len({axis for axis, _ in names}) > 1:
        raise InputError("coordinates.pasted_names")
    sign = min(sign for _, sign in names)
    if sign < 0 and value < 0:
        raise InputError("coordinates.pasted_names")
    return _Angle(sign * value, names[0][0])


# --- which is which ----------------------------------------------------------------------------


def _order_axes(first: _Angle, second: _Angle, bounds: Bounds | None) -> tuple[float, float, bool]:
    """Tell longitude and latitude apart; also whether latitude came first."""
    lon_first = (first.degrees, second.degrees)
    lat_first = (second.degrees, first.degrees)
    if first.axis or second.axis:
        if first.axis == second.axis:
            raise InputError("coordinates.pasted_names")
        is_lat_first = first.axis == "lat" or second.axis == "lon"
        lon, lat = lat_first if is_lat_first else lon_first
        if not _is_on_globe(lon, lat):
            swapped = _is_on_globe(lat, lon) and _is_within(lat, lon, bounds or CHINA)
            key = "coordinates.pasted_swapped" if swapped else "coordinates.pasted_range"
            raise InputError(key, lon=f"{lat:.6f}", lat=f"{lon:.6f}")
        return lon, lat, is_lat_first
    for box in (bounds, CHINA, (-180.0, -90.0, 180.0, 90.0)):
        if box is None:
            continue
        fits = [_is_on_globe(*pair) and _is_within(*pair, box) for pair in (lon_first, lat_first)]
        if all(fits) and lon_first != lat_first:
            raise InputError("coordinates.pasted_ambiguous")
        if any(fits):
            pair = lon_first if fits[0] else lat_first
            return (*pair, not fits[0])
    raise InputError("coordinates.pasted_range", lon=first.degrees, lat=second.degrees)


def _is_on_globe(lon: float, lat: float) -> bool:
    return abs(lon) <= 180 and abs(lat) <= 90


def _is_within(lon: float, lat: float, box: Bounds) -> bool:
    west, south, east, north = box
    return west <= lon <= east and south <= lat <= north


# --- links -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Link:
    pair: str  # the two numbers, with names where the link has some
    system: str | None


_SYSTEM_OF_HOST: Final = {
    "amap.com": "gcj02",
    "gaode.com": "gcj02",
    "qq.com": "gcj02",
    "google.cn": "gcj02",
    "baidu.com": "bd09",
    "openstreetmap.org": "wgs84",
    "osm.org": "wgs84",
    "tianditu.gov.cn": "cgcs2000",
}
_SYSTEM_OF_WORD: Final = {
    "wgs84": "wgs84",
    "wgs84ll": "wgs84",
    "gcj02": "gcj02",
    "gcj02ll": "gcj02",
    "gaode": "gcj02",
    "bd09": "bd09",
    "bd09ll": "bd09",
}
_DECIMAL: Final = r"(?<![\d.])[-+]?\d{1,3}\.\d+(?![\d.])"


def _find_link(text: str) -> _Link | None:
    """Find the place in a link of a web map; None where the text is no link."""
    match = re.search(r"(?:https?://|geo:)\S+", text, re.IGNORECASE)
    if match is None:
        return None
    url = unquote(match[0]).replace("+", " ").lower()
    host = urlsplit(url).hostname or ""
    system_match = re.search(r"[?&](?:coordinate|coord_type|coordtype)=(\w+)", url)
    system = next((name for end, name in _SYSTEM_OF_HOST.items() if _belongs_to(host, end)), None)
    if url.startswith("geo:"):
        system = "wgs84"
    if system_match is not None:
        system = _SYSTEM_OF_WORD.get(system_match[1], system)
    return _Link(_find_pair(url), system)


def _belongs_to(host: str, end: str) -> bool:
    return host == end or host.endswith("." + end)


def _find_pair(url: str) -> str:
    """Cut the two numbers out of a link."""
    lon = re.search(rf"(?:[?&#](?:lng|lon|longitude|mlon|x)=|!4d)({_DECIMAL})", url)
    lat = re.search(rf"(?:[?&#](?:lat|latitude|mlat|y)=|!3d)({_DECIMAL})", url)
    if lon and lat:
        return f"lon={lon[1]} lat={lat[1]}"
    pairs = re.findall(rf"({_DECIMAL})\s*[,/]\s*({_DECIMAL})", url)
    different = list(dict.fromkeys(pairs))
    if url.startswith("geo:") and different:
        return f"lat={different[0][0]} lon={different[0][1]}"
    return " , ".join(f"{first} , {second}" for first, second in different)
