"""A place as people paste it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gis_service.errors import InputError
from gis_service.pasted_coordinates import Bounds, read_pasted

COUNTY: Bounds = (112.5, 28.4, 113.1, 29.0)
HERE = (112.8897, 28.6775)


@pytest.mark.parametrize(
    "text",
    [
        "112.8897, 28.6775",
        "112.8897,28.6775",
        "112.8897 28.6775",
        "112.8897，28.6775",
        "（112.8897，28.6775）",
        "112.8897、28.6775",
        "112.8897；28.6775",
        "１１２．８８９７，２８．６７７５",
        "112。8897，28。6775",
        "位置：112.8897, 28.6775。",
        "经度：112.8897 纬度：28.6775",
        "经度112.8897度，纬度28.6775度",
        "东经112.8897 北纬28.6775",
        "东经112.8897°E 北纬28.6775°N",
        "E112.8897 N28.6775",
        "112.8897E 28.6775N",
        "112.8897°E, 28.6775°N",
        "112.8897东, 28.6775北",
        "lng=112.8897&lat=28.6775",
        "lng:112.8897, lat:28.6775",
        '{"lng": "112.8897", "lat": "28.6775"}',
        '{"type":"Point","coordinates":[112.8897,28.6775]}',
        "POINT(112.8897 28.6775)",
        "POINT (112.8897 28.6775)",
        "X=112.8897 Y=28.6775",
        "+112.8897, +28.6775",
        "112.8897\n28.6775",
        "112.8897\t28.6775",
    ],
)
def test_longitude_first(text: str) -> None:
    place = read_pasted(text, COUNTY)
    assert (place.lon, place.lat) == HERE
    assert not place.lat_first
    assert place.notes == ()


@pytest.mark.parametrize(
    "text", ["28.6775,112.8897", "28.6775° 112.8897°", "２８．６７７５　１１２．８８９７"]
)
@pytest.mark.parametrize("bounds", [COUNTY, None])
def test_latitude_first_is_recognised_and_said(text: str, bounds: Bounds | None) -> None:
    place = read_pasted(text, bounds)
    assert (place.lon, place.lat) == HERE
    assert place.lat_first
    assert place.notes == ("coordinates.pasted_lat_first",)


@pytest.mark.parametrize(
    "text",
    [
        "N28.6775 E112.8897",
        "28.6775N 112.8897E",
        "北纬28.6775，东经112.8897",
        "lat=28.6775&lng=112.8897",
        "latitude: 28.6775, longitude: 112.8897",
        "纬度28.6775 经度112.8897",
    ],
)
def test_named_axes_need_no_note(text: str) -> None:
    place = read_pasted(text)
    assert (place.lon, place.lat, place.lat_first, place.notes) == (*HERE, True, ())


@pytest.mark.parametrize(
    "text",
    [
        "N28°40′39″ E112°53′23″",
        "28°40′39″N 112°53′23″E",
        "28°40'39\"N, 112°53'23\"E",
        "28°40’39”N，112°53’23”E",
        "28º 40' 39'' N 112º 53' 23'' E",
        "北纬28度40分39秒 东经112度53分23秒",
        "东经112度53分23秒，北纬28度40分39秒",
        "北纬２８°４０′３９″，东经１１２°５３′２３″",
        "E112°53′23″,N28°40′39″",
        "112°53′23″E 28°40′39″N",
        "28°40′39″ 112°53′23″",
        "28 40 39 N 112 53 23 E",
        "28:40:39 112:53:23",
        "28°40′39 112°53′23",
        "28°40.65′N 112°53.38333333′E",
        "28度40.65分 112度53.38333333分",
        "28°40.65 112°53.38333333",
        "28 40.65, 112 53.38333333",
    ],
)
def test_degrees_minutes_seconds(text: str) -> None:
    place = read_pasted(text, COUNTY)
    assert place.lon == pytest.approx(112 + 53 / 60 + 23 / 3600, abs=1e-9)
    assert place.lat == pytest.approx(28 + 40 / 60 + 39 / 3600, abs=1e-9)


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("S33°52′ W70°40′", (-70 - 40 / 60, -33 - 52 / 60)),
        ("南纬33.5 西经70.5", (-70.5, -33.5)),
        ("-70.5 lon, -33.5 lat", (-70.5, -33.5)),
        ("lon=-70.5 lat=-33.5", (-70.5, -33.5)),
        ("151.2, -33.8", (151.2, -33.8)),
        ("-33°52′10″ 151°12′30″", (151 + 12 / 60 + 30 / 3600, -33 - 52 / 60 - 10 / 3600)),
    ],
)
def test_south_and_west_are_negative(text: str, place: tuple[float, float]) -> None:
    found = read_pasted(text)
    assert (found.lon, found.lat) == pytest.approx(place, abs=1e-12)


@pytest.mark.parametrize(
    ("text", "system"),
    [
        ("https://uri.amap.com/marker?position=112.8897,28.6775&name=park", "gcj02"),
        ("https://uri.amap.com/marker?position=112.8897,28.6775&coordinate=wgs84", "wgs84"),
        ("https://www.amap.com/?q=28.6775,112.8897,%E6%B9%98%E9%98%B4", "gcj02"),
        (
            "看这里 https://apis.map.qq.com/uri/v1/marker?marker=coord:28.6775,112.8897;title:x",
            "gcj02",
        ),
        ("http://api.map.baidu.com/marker?location=28.6775,112.8897&output=html", "bd09"),
        (
            "http://api.map.baidu.com/marker?location=28.6775,112.8897&coord_type=gcj02",
            "gcj02",
        ),
        ("https://www.openstreetmap.org/#map=17/28.6775/112.8897", "wgs84"),
        ("https://www.openstreetmap.org/?mlat=28.6775&mlon=112.8897#map=5/28.1/112.1", "wgs84"),
        ("https://www.google.com/maps/@28.6775,112.8897,17z", None),
        ("https://www.google.com/maps/place/x/@28.1,112.1,17z/data=!3d28.6775!4d112.8897", None),
        ("https://maps.example/?lng=112.8897&lat=28.6775", None),
        ("https://maps.example/?ll=112.8897%2C28.6775", None),
        ("geo:28.6775,112.8897;u=35", "wgs84"),
    ],
)
def test_links_of_web_maps(text: str, system: str | None) -> None:
    place = read_pasted(text, COUNTY)
    assert (place.lon, place.lat) == HERE
    assert place.system == system
    assert ("coordinates.pasted_system" in place.notes) == (system is not None)


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("", "coordinates.pasted_nothing"),
        ("   ", "coordinates.pasted_nothing"),
        ("湘阴县文星镇", "coordinates.pasted_nothing"),
        ("https://map.baidu.com/@12569943.52,3334441.33,17z", "coordinates.pasted_nothing"),
        ("112.8897", "coordinates.pasted_count"),
        ("112.8897, 28.6775, 45.2", "coordinates.pasted_count"),
        ("112.8, 28.6; 112.9, 28.7", "coordinates.pasted_count"),
        ("112,8897 28,6775", "coordinates.pasted_minutes"),
        ("28°70′ 112°53′", "coordinates.pasted_minutes"),
        ("28°40′60″ 112°53′23″", "coordinates.pasted_minutes"),
        ("E112.8897 E28.6775", "coordinates.pasted_names"),
        ("lng=112.8897 lng=28.6775", "coordinates.pasted_names"),
        ("-70.5W 33.5S", "coordinates.pasted_names"),
        ("8.5, 47.3", "coordinates.pasted_ambiguous"),
        ("512.8897, 28.6775", "coordinates.pasted_range"),
        ("112.8897, 98.6775", "coordinates.pasted_range"),
        ("lng=28.6775 lat=112.8897", "coordinates.pasted_swapped"),
        ("38392403.5, 3165430.8", "coordinates.pasted_range"),
        ("1" * 5000, "coordinates.pasted_long"),
    ],
)
def test_what_cannot_be_read_is_refused_with_what_would_be_right(text: str, key: str) -> None:
    with pytest.raises(InputError) as refused:
        read_pasted(text, None)
    assert refused.value.key == key


def test_swapped_names_are_told_with_the_place_they_would_mean() -> None:
    with pytest.raises(InputError) as refused:
        read_pasted("纬度112.8897 经度28.6775", COUNTY)
    assert refused.value.key == "coordinates.pasted_swapped"
    assert "112.889700" in refused.value.say("zh-CN")


def test_the_county_decides_before_china_does() -> None:
    near_zero: Bounds = (8.0, 47.0, 9.0, 48.0)
    assert read_pasted("8.5, 47.3", near_zero).lat_first is False
    assert read_pasted("47.3, 8.5", near_zero).lat_first is True
    with pytest.raises(InputError, match="Either"):
        read_pasted("8.5, 8.6", (8.0, 8.0, 9.0, 9.0))


@given(lon=st.floats(73.5, 135), lat=st.floats(18, 53), lat_first=st.booleans())
def test_every_place_in_china_is_read_in_either_order(
    lon: float, lat: float, lat_first: bool
) -> None:
    text = f"{lat:.7f}, {lon:.7f}" if lat_first else f"{lon:.7f}, {lat:.7f}"
    place = read_pasted(text)
    assert (place.lon, place.lat) == (float(f"{lon:.7f}"), float(f"{lat:.7f}"))
    assert place.lat_first is lat_first


@given(st.text(max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        place = read_pasted(text)
    except InputError:
        return
    assert abs(place.lon) <= 180
    assert abs(place.lat) <= 90
