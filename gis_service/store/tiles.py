"""Vector tiles as SQL text: what PostGIS cuts, and the counts of what changed.

Values are always bound. Geometry is stored in lon, lat; a tile is cut in Web Mercator, which every
client of tiles can read. No statement here reads a household.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

import sqlalchemy as sa

COUNTED: Final = (
    "admin_unit",
    "assignment",
    "building",
    "building_shape",
    "coverage_run",
    "facility",
    "grid",
    "grid_duty",
    "grid_level",
    "grid_scheme",
    "grid_state",
    "grid_version",
    "hazard",
    "household",
    "import_record",
    "incident",
    "land_cover",
    "leave",
    "officer",
    "premises",
    "road_edge",
    "road_network",
    "road_node",
    "road_turn",
)
"""Names of counts; migrations make a trigger for each, and a test finds one without."""
DAY: Final = "day"
"""Counted with them: boundaries, duties and leaves come and end by the calendar alone."""


_FRAME: Final = """
WITH frame AS (
    SELECT ST_TileEnvelope(:z, :x, :y) AS box,
           ST_Transform(ST_TileEnvelope(:z, :x, :y, margin => 0.015625), 4490) AS area
)
"""


def _framed(rest: str) -> str:
    """Say which tile, then what is drawn in it."""
    return f"{_FRAME.rstrip()}{rest}"


_GREATER_ROADS: Final = _framed(
    """
, piece AS (
    SELECT edge.road_class, edge.tunnel, ST_Simplify(
        ST_LineMerge(ST_Collect(edge.geom)), :pixel / 2, true) AS geom
    FROM frame, road_edge AS edge JOIN road_network USING (network_id)
    WHERE road_network.active AND edge.road_class = ANY(:classes) AND edge.geom && frame.area
    GROUP BY edge.road_class, edge.tunnel
), drawn AS (
    SELECT road_class, nullif(tunnel, false) AS tunnel,
           ST_AsMVTGeom(ST_Transform(piece.geom, 3857), frame.box, 4096, 64) AS geom
    FROM piece, frame
    ORDER BY array_position(:classes, road_class) DESC, tunnel
)
SELECT ST_AsMVT(drawn, 'roads', 4096, 'geom') FROM drawn WHERE geom IS NOT NULL
"""
)

_ROADS: Final = _framed(
    """
, edge AS (
    SELECT edge.* FROM frame, road_edge AS edge JOIN road_network USING (network_id)
    WHERE road_network.active AND edge.road_class = ANY(:classes) AND edge.geom && frame.area
    ORDER BY array_position(:classes, edge.road_class), edge.length_m DESC, edge.edge_id
    LIMIT :most
), drawn AS (
    SELECT edge_id, road_class, nullif(name, '') AS name, nullif(tunnel, false) AS tunnel,
           nullif(bridge, false) AS bridge, nullif(oneway, 0) AS oneway,
           ST_AsMVTGeom(ST_Transform(ST_Simplify(edge.geom, :pixel / 2, true), 3857),
                        frame.box, 4096, 64) AS geom
    FROM edge, frame
    ORDER BY array_position(:classes, edge.road_class) DESC, edge_id
)
SELECT ST_AsMVT(drawn, 'roads', 4096, 'geom', 'edge_id') FROM drawn WHERE geom IS NOT NULL
"""
)

_LAND: Final = _framed(
    """
, piece AS (
    SELECT land_cover_id, kind, name, land.geom
    FROM land_cover AS land, frame
    WHERE land.geom && frame.area
      AND (ST_XMax(land.geom) - ST_XMin(land.geom)) > :pixel
      AND (ST_YMax(land.geom) - ST_YMin(land.geom)) > :pixel
    ORDER BY ST_Area(land.geom) DESC, land_cover_id
    LIMIT :most
), drawn AS (
    SELECT land_cover_id, kind, nullif(name, '') AS name,
           ST_AsMVTGeom(ST_Transform(ST_Simplify(geom, :pixel / 2, true), 3857),
                        frame.box, 4096, 64) AS geom
    FROM piece, frame
)
SELECT ST_AsMVT(drawn, 'land', 4096, 'geom', 'land_cover_id') FROM drawn WHERE geom IS NOT NULL
"""
)

_BUILDINGS: Final = _framed(
    """
, piece AS (
    SELECT building_id, kind, storeys, name, footprint
    FROM building, frame
    WHERE footprint && frame.area AND ST_Area(footprint) >= :least_area
    ORDER BY ST_Area(footprint) DESC, building_id
    LIMIT :most
), drawn AS (
    SELECT building_id, nullif(kind, 'residential') AS kind, nullif(storeys, 1) AS storeys,
           nullif(name, '') AS name,
           ST_AsMVTGeom(ST_Transform(ST_Simplify(footprint, :pixel / 2, true), 3857),
                        frame.box, 4096, 64) AS geom
    FROM piece, frame
    ORDER BY building_id
)
SELECT ST_AsMVT(drawn, 'buildings', 4096, 'geom', 'building_id') FROM drawn
WHERE geom IS NOT NULL
"""
)

_BLOCKS: Final = _framed(
    """
, piece AS (
    SELECT ST_Expand(ST_Envelope(footprint), :pixel / 2) AS geom
    FROM building, frame
    WHERE footprint && frame.area
    ORDER BY ST_Area(footprint) DESC, building_id
    LIMIT :most
), block AS (
    SELECT (ST_Dump(ST_UnaryUnion(ST_SnapToGrid(ST_Collect(geom), :pixel / 2)))).geom AS geom
    FROM piece
), drawn AS (
    SELECT true AS block, ST_AsMVTGeom(ST_Transform(ST_Simplify(block.geom, :pixel / 2, true),
           3857), frame.box, 4096, 64) AS geom
    FROM block, frame
)
SELECT ST_AsMVT(drawn, 'buildings', 4096, 'geom') FROM drawn WHERE geom IS NOT NULL
"""
)

_GRIDS: Final = _framed(
    """
, drawn AS (
    SELECT shape.grid_id, shape.rank, state.code, state.name, nullif(grid.kind, 'ordinary') AS kind,
           ST_AsMVTGeom(ST_Transform(shape.geom, 3857), frame.box, 4096, 64) AS geom
    FROM frame, tile_shape AS shape JOIN grid USING (grid_id)
    LEFT JOIN grid_state AS state
      ON state.grid_id = shape.grid_id AND state.valid @> coalesce(CAST(:day AS date), gis_today())
      AND :named
    WHERE shape.content = :content AND shape.zoom = :shape_zoom AND shape.rank = :rank
      AND shape.grid_id IS NOT NULL AND shape.geom && frame.area
    ORDER BY shape.grid_id
)
SELECT ST_AsMVT(drawn, 'grids', 4096, 'geom', 'grid_id') FROM drawn WHERE geom IS NOT NULL
"""
)

_BORDERS: Final = _framed(
    """
, drawn AS (
    SELECT shape.rank AS level, ST_AsMVTGeom(
        ST_Transform(ST_LineMerge(ST_Collect(shape.geom)), 3857), frame.box, 4096, 64) AS geom
    FROM frame, tile_shape AS shape
    WHERE shape.content = :content AND shape.zoom = :shape_zoom AND shape.grid_id IS NULL
      AND shape.rank <= :lowest AND shape.geom && frame.area
    GROUP BY shape.rank, frame.box
    ORDER BY shape.rank DESC
)
SELECT ST_AsMVT(drawn, 'borders', 4096, 'geom') FROM drawn WHERE geom IS NOT NULL
"""
)

STATEMENTS: Final[Mapping[str, sa.TextClause]] = MappingProxyType(
    {
        "greater_roads": sa.text(_GREATER_ROADS).bindparams(
            sa.bindparam("classes", type_=sa.ARRAY(sa.Text))
        ),
        "roads": sa.text(_ROADS).bindparams(sa.bindparam("classes", type_=sa.ARRAY(sa.Text))),
        "land": sa.text(_LAND),
        "buildings": sa.text(_BUILDINGS),
        "blocks": sa.text(_BLOCKS),
        "grids": sa.text(_GRIDS),
        "borders": sa.text(_BORDERS),
    }
)
"""What can be cut: a statement each, giving one value, the bytes of a layer."""


def cut_layer(connection: sa.Connection, layer: str, **values: Any) -> bytes:
    """
    Cut one layer of a tile.

    Parameters
    ----------
    connection
        An open transaction.
    layer
        One of ``STATEMENTS``.
    **values
        What the statement asks for: ``z``, ``x``, ``y`` of the tile and the statement's own;
        ``pixel`` is in degrees.

    Returns
    -------
    bytes
        One layer of a Mapbox vector tile; empty where nothing is there.
    """
    tile = connection.execute(STATEMENTS[layer], values).scalar_one()
    return bytes(tile or b"")


_BANDS: Final = """
WITH drawn AS (
    SELECT piece.from_minutes, piece.to_minutes, ST_AsMVTGeom(
        ST_Transform(ST_CollectionExtract(ST_GeomFromWKB(piece.geom, 4490), 3), 3857),
        ST_TileEnvelope(:z, :x, :y), 4096, 64) AS geom
    FROM unnest(CAST(:low AS float8[]), CAST(:high AS float8[]), CAST(:shapes AS bytea[]))
         AS piece (from_minutes, to_minutes, geom)
    ORDER BY piece.to_minutes
)
SELECT ST_AsMVT(drawn, 'bands', 4096, 'geom') FROM drawn WHERE geom IS NOT NULL
"""


def cut_bands(
    connection: sa.Connection,
    place: tuple[int, int, int],
    pieces: Sequence[tuple[float, float, bytes]],
) -> bytes:
    """
    Put bands of minutes that are not in the store into a tile.

    Parameters
    ----------
    connection
        An open transaction.
    place
        Zoom, x and y of the tile.
    pieces
        From and to which minute, and the shape as WKB, lon and lat.

    Returns
    -------
    bytes
        One layer, ``bands``, of a Mapbox vector tile; empty where nothing is left of them.
    """
    low, high, shapes = (list(column) for column in zip(*pieces, strict=True))
    values = dict(zip("zxy", place, strict=True)) | {"low": low, "high": high, "shapes": shapes}
    tile = connection.execute(sa.text(_BANDS), values).scalar_one()
    return bytes(tile or b"")


_FOR_TILES: Final = sa.text(
    "SELECT set_config('jit', 'off', true),"
    " set_config('max_parallel_workers_per_gather', '0', true),"
    " set_config('synchronous_commit', 'off', true)"
)


def tune_for_tiles(connection: sa.Connection) -> None:
    """
    Make a transaction quick at cutting tiles.

    A tile is far too small for parallel workers or compiled plans to pay, and one that is lost with
    the power is cut again.

    Parameters
    ----------
    connection
        The transaction; nothing outside it changes.
    """
    connection.execute(_FOR_TILES)


_COUNTED_SO_FAR: Final = sa.text("""
SELECT name, sum(n) FROM (
    SELECT name, count(*) AS n FROM data_change WHERE name = ANY(:names) GROUP BY name
    UNION ALL
    SELECT name, n FROM data_count WHERE name = ANY(:names)
    UNION ALL
    SELECT 'day', gis_today() - DATE '1970-01-01' WHERE 'day' = ANY(:names)
) AS counted GROUP BY name
""")
_FOLD: Final = """
WITH gone AS (
    DELETE FROM data_change WHERE at < now() - make_interval(secs => :seconds) RETURNING name
)
INSERT INTO data_count (name, n) SELECT name, count(*) FROM gone GROUP BY name
ON CONFLICT (name) DO UPDATE SET n = data_count.n + excluded.n
"""


def fold_counts(connection: sa.Connection, days: float) -> None:
    """
    Take old rows of changes out and keep their number, in one statement: no count differs by it.

    Parameters
    ----------
    connection
        An open transaction.
    days
        Rows of the last days stay.
    """
    connection.execute(sa.text(_FOLD), {"seconds": days * 86_400})


def count_changes(connection: sa.Connection, names: Sequence[str]) -> dict[str, int]:
    """
    Tell the state of the data by how often it changed.

    Parameters
    ----------
    connection
        An open transaction.
    names
        Of ``COUNTED``, or :data:`DAY`.

    Returns
    -------
    dict
        Transactions that changed it so far, by name.
    """
    assert set(names) <= {*COUNTED, DAY}, "what nothing counts would never seem to change"
    rows = connection.execute(_COUNTED_SO_FAR, {"names": list(names)})
    counts_by_name: dict[str, int] = {name: int(number) for name, number in rows}
    return {name: counts_by_name.get(name, 0) for name in names}


def lock_content(connection: sa.Connection, content: str) -> None:
    """
    Wait until nobody else makes the shapes of a content; held to the end of the transaction.

    Parameters
    ----------
    connection
        The transaction that would make them.
    content
        Which.
    """
    connection.execute(
        sa.text("SELECT pg_advisory_xact_lock(4906114, hashtext(:content))"), {"content": content}
    )
