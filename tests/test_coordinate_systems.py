"""Other coordinate systems, to CGCS2000 and back."""

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from gis_service.coordinate_systems import (
    CoordinateSystem,
    FloatArray,
    find_best_fit,
    from_cgcs2000,
    geometries_to_cgcs2000,
    parse_crs,
    to_cgcs2000,
)
from gis_service.errors import InputError
from gis_service.geodesy import distance_m

GCJ02, BD09, CGCS2000 = (CoordinateSystem(code) for code in ("gcj02", "bd09", "cgcs2000"))

# Mainland China from west to east and north to south, Hong Kong, Macao: all shifted.
IN_CHINA = {
    "Xiangyin": (112.8897, 28.6775),
    "Beijing": (116.3913, 39.9075),
    "Tashkurgan": (75.2286, 37.7725),
    "Heihe": (127.5285, 50.2453),
    "Mohe": (122.5386, 52.9721),
    "Fuyuan": (134.2950, 48.3610),
    "Altay": (87.1350, 47.7300),
    "Ejin": (101.0690, 41.9580),
    "Khorgas": (80.4180, 44.2140),
    "Pingtan": (119.7900, 25.5000),
    "Dandong": (124.3900, 40.1200),
    "Suifenhe": (131.1600, 44.3900),
    "Gyirong": (85.2980, 28.8540),
    "Burang": (81.1760, 30.2940),
    "Cona": (91.9570, 27.9910),
    "Mengla": (101.5640, 21.4590),
    "Dongxing": (107.9700, 21.5420),
    "Sanya": (109.5080, 18.2470),
    "Sansha": (112.3480, 16.8310),
    "Hong Kong": (114.1580, 22.2830),
    "Macao": (113.5490, 22.1990),
}
ABROAD = {
    "London": (-0.1276, 51.5072),
    "Tokyo": (139.6917, 35.6895),
    "Sydney": (151.2093, -33.8688),
    "New York": (-74.0060, 40.7128),
    "Taipei": (121.5654, 25.0330),
    "Kaohsiung": (120.3010, 22.6270),
    "Seoul": (126.9780, 37.5665),
    "Pyongyang": (125.7625, 39.0392),
    "Fukuoka": (130.4017, 33.5902),
    "Vladivostok": (131.9000, 43.1150),
    "Ulaanbaatar": (106.9057, 47.8864),
    "Irkutsk": (104.2964, 52.2978),
    "Almaty": (76.8860, 43.2380),
    "Delhi": (77.2090, 28.6139),
    "Kathmandu": (85.3240, 27.7172),
    "Dhaka": (90.4125, 23.8103),
    "Bangkok": (100.5018, 13.7563),
    "Hanoi": (105.4000, 21.0285),
    "Singapore": (103.8198, 1.3521),
    "Manila": (120.9842, 14.5995),
}

china_lon = st.floats(98.0, 119.0)
china_lat = st.floats(28.5, 41.0)


def gap_m(one: tuple[FloatArray, FloatArray], other: tuple[FloatArray, FloatArray]) -> FloatArray:
    return distance_m(*one, *other)


@pytest.mark.parametrize(
    ("wgs84", "gcj02"),
    [
        # What published converters give for Beijing, Shanghai, Shenzhen.
        ((116.404, 39.915), (116.41024449916938, 39.91640428150164)),
        ((116.377817, 39.911954), (116.38404722455657, 39.91334545536069)),
        ((121.5272106, 31.1774276), (121.531541859215, 31.17530398364597)),
        ((113.912316, 22.543847), (113.9171764808363, 22.540796131694766)),
    ],
)
def test_gcj02_is_the_published_one(wgs84: tuple[float, float], gcj02: tuple[float, float]) -> None:
    assert from_cgcs2000(GCJ02, *wgs84) == pytest.approx(gcj02, abs=1e-10)
    assert to_cgcs2000(GCJ02, *gcj02) == pytest.approx(wgs84, abs=1e-10)


def test_bd09_is_the_published_one() -> None:
    in_bd09 = from_cgcs2000(BD09, *to_cgcs2000(GCJ02, 116.404, 39.915))
    assert in_bd09 == pytest.approx((116.41036949371029, 39.92133699351021), abs=1e-9)


@given(lon=china_lon, lat=china_lat)
def test_there_and_back_is_far_below_a_millimetre(lon: float, lat: float) -> None:
    for system in (GCJ02, BD09):
        shifted = from_cgcs2000(system, lon, lat)
        assert 20 < gap_m(shifted, (np.array(lon), np.array(lat))) < 2000
        assert gap_m(to_cgcs2000(system, *shifted), (np.array(lon), np.array(lat))) < 1e-5
        back = to_cgcs2000(system, lon, lat)
        assert gap_m(from_cgcs2000(system, *back), (np.array(lon), np.array(lat))) < 1e-5


@given(lon=st.floats(-180, 180), lat=st.floats(-90, 90))
def test_from_a_web_map_and_back_the_whole_world_over(lon: float, lat: float) -> None:
    for system in (GCJ02, BD09):
        once = to_cgcs2000(system, lon, lat)
        again = to_cgcs2000(system, *from_cgcs2000(system, *once))
        assert gap_m(again, once) < 1e-5


@pytest.mark.parametrize("place", IN_CHINA)
def test_every_corner_of_china_is_shifted(place: str) -> None:
    for system in (GCJ02, BD09):
        metres = gap_m(
            from_cgcs2000(system, *IN_CHINA[place]), to_cgcs2000(CGCS2000, *IN_CHINA[place])
        )
        assert 50 < float(metres) < 2500


@pytest.mark.parametrize("place", ABROAD)
def test_abroad_is_left_exactly_where_it_is(place: str) -> None:
    for system in (GCJ02, BD09):
        for way in (from_cgcs2000, to_cgcs2000):
            lon, lat = way(system, *ABROAD[place])
            assert (float(lon), float(lat)) == ABROAD[place]


def test_across_an_edge_of_the_shifted_area_the_inverse_prefers_the_inside() -> None:
    lon = np.full(2001, 112.0)
    lat = np.linspace(0.8193, 0.8393, 2001)  # the southern edge, 0.8293
    x, y = from_cgcs2000(GCJ02, lon, lat)
    back_lon, back_lat = to_cgcs2000(GCJ02, x, y)
    inside = lat >= 0.8293
    np.testing.assert_allclose(back_lat[inside], lat[inside], atol=1e-12)
    np.testing.assert_allclose(back_lon[inside], lon[inside], atol=1e-12)
    far = lat < 0.8293 - 0.02
    assert np.array_equal(back_lat[far], lat[far])


@pytest.mark.parametrize("code", ["gcj02", "bd09", "wgs84", "EPSG:4526", "EPSG:32649"])
@pytest.mark.parametrize("shape", [(), (0,), (3,), (2, 3)])
def test_the_shape_stays(code: str, shape: tuple[int, ...]) -> None:
    system = parse_crs(code)
    x, y = from_cgcs2000(system, np.full(shape, 112.9), np.full(shape, 28.7))
    lon, lat = to_cgcs2000(system, x, y)
    assert lon.shape == lat.shape == shape
    np.testing.assert_allclose(lon, 112.9, atol=1e-9)
    np.testing.assert_allclose(lat, 28.7, atol=1e-9)


@pytest.mark.parametrize("code", ["gcj02", "bd09", "wgs84", "EPSG:4526"])
@given(bad=st.sampled_from([np.nan, np.inf, -np.inf]), first=st.booleans())
def test_what_is_no_number_is_nan_in_both_and_spoils_no_other(
    code: str, bad: float, first: bool
) -> None:
    system = parse_crs(code)
    x, y = from_cgcs2000(system, [112.9, 112.9], [28.7, 28.7])
    (x if first else y)[0] = bad
    for way in (to_cgcs2000, from_cgcs2000):
        out = np.array(way(system, x, y))
        assert np.isnan(out[:, 0]).all()
    assert np.isfinite(np.array(to_cgcs2000(system, x, y))[:, 1]).all()


def test_the_input_is_left_as_it_was() -> None:
    lon, lat = np.array([112.9, np.inf]), np.array([28.7, 1.0])
    for code in ("gcj02", "cgcs2000", "EPSG:4526"):
        to_cgcs2000(CoordinateSystem(code), lon, lat)
        from_cgcs2000(CoordinateSystem(code), lon, lat)
    assert lon.tolist() == [112.9, np.inf]
    assert lat.tolist() == [28.7, 1.0]


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ("CGCS2000", "cgcs2000"),
        ("wgs-84", "wgs84"),
        ("GCJ-02", "gcj02"),
        ("bd_09", "bd09"),
        ("EPSG:4490", "cgcs2000"),
        ("epsg:4326", "wgs84"),
        ("epsg:4526", "EPSG:4526"),
        ("EPSG：4526", "EPSG:4526"),
        ("高德", "gcj02"),
    ],
)
def test_names_are_read_in_any_spelling(said: str, code: str) -> None:
    assert parse_crs(said).code == code


@pytest.mark.parametrize(
    ("said", "key"),
    [
        ("", "coordinates.unknown_crs"),
        ("gcj03", "coordinates.unknown_crs"),
        ("4526", "coordinates.unknown_crs"),
        ("EPSG:999999", "coordinates.unknown_crs"),
        ("EPSG:4479", "coordinates.not_flat"),  # geocentric
        ("EPSG:5773", "coordinates.not_flat"),  # vertical
        ("EPSG:9518", "coordinates.not_flat"),  # compound
        ("EPSG:4610", "coordinates.no_way"),  # Xian 1980
    ],
)
def test_what_cannot_be_read_is_refused(said: str, key: str) -> None:
    with pytest.raises(InputError) as refused:
        parse_crs(said)
    assert refused.value.key == key


def test_a_gauss_kruger_zone_has_its_easting_first() -> None:
    x, y = from_cgcs2000(parse_crs("EPSG:4526"), 114.0, 30.0)  # on the meridian of zone 38
    assert float(x) == pytest.approx(38_500_000)
    assert float(y) == pytest.approx(3_320_113, abs=1)


def test_geometries_move_vertex_by_vertex() -> None:
    square = shapely.box(112.8, 28.6, 112.9, 28.7)
    shifted = shapely.transform(
        square, lambda xy: np.column_stack(from_cgcs2000(GCJ02, xy[:, 0], xy[:, 1]))
    )
    back = geometries_to_cgcs2000(GCJ02, [shifted, None, shapely.Point(112.9, 28.7, 55.0)])
    assert shapely.equals_exact(back[0], square, 1e-11)
    assert back[1] is None
    assert not shapely.has_z(back[2])
    assert geometries_to_cgcs2000(CGCS2000, []).shape == (0,)


def _in_county(lon: FloatArray, lat: FloatArray) -> float:
    county = shapely.box(112.80, 28.60, 112.9000, 28.6800)
    return float(shapely.contains_xy(county, lon, lat).mean())


@pytest.mark.parametrize("code", ["gcj02", "bd09", "cgcs2000", "EPSG:4526"])
@pytest.mark.parametrize("swapped", [False, True])
def test_the_system_that_would_fit_is_found(code: str, swapped: bool) -> None:
    system = CoordinateSystem(code)
    random = np.random.default_rng(5)
    x, y = from_cgcs2000(
        system, random.uniform(112.80, 112.9, 400), random.uniform(28.6, 28.68, 400)
    )
    fit = find_best_fit(*((y, x) if swapped else (x, y)), _in_county, CGCS2000)
    assert (fit.system.code, fit.swapped) == (code, swapped)
    assert fit.share == pytest.approx(1.0, abs=0.01)


def test_the_stated_system_stays_where_others_fit_no_better() -> None:
    fit = find_best_fit([1.0], [2.0], _in_county, GCJ02)
    assert (fit.system, fit.swapped, fit.share) == (GCJ02, False, 0.0)


@given(
    hnp.arrays(float, 4, elements=st.floats(allow_nan=True, allow_infinity=True)),
    hnp.arrays(float, 4, elements=st.floats(allow_nan=True, allow_infinity=True)),
)
def test_any_number_is_taken_without_a_warning(x: FloatArray, y: FloatArray) -> None:
    for system in (GCJ02, BD09, CGCS2000, CoordinateSystem("EPSG:4526")):
        for way in (to_cgcs2000, from_cgcs2000):
            one, other = way(system, x, y)
            assert np.array_equal(np.isnan(one), np.isnan(other))
