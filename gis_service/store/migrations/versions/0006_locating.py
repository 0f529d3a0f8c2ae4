"""
The rule of a point's grid without rounding errors.

Revision ID: 0006
Revises: 0005
"""

from alembic import context, op

revision = '0006'
down_revision = '0005'
branch_labels = None
depends_on = None

HOLDS = """
CREATE FUNCTION gis_holds(land geometry, place geometry)
RETURNS boolean LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT ST_ContainsProperly(land, place)
        OR (ST_DWithin(land, place, 1e-9) AND NOT ST_Disjoint(land, place))
$$;
COMMENT ON FUNCTION gis_holds(geometry, geometry) IS
    'Whether land, its border included, holds a point, without rounding errors. ST_Intersects is '
    'not used: for a point it rounds, and beside a slanted edge gives it to both sides or to none.';
"""

GRID_AT_EXACT = """
CREATE OR REPLACE FUNCTION gis_grid_at(
    place geometry, scheme text DEFAULT 'base', on_day date DEFAULT NULL)
RETURNS bigint LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT min(state.grid_id)
    FROM grid_state AS state
    JOIN grid_scheme USING (scheme_id)
    WHERE grid_scheme.code = scheme
      AND state.rank = (SELECT max(rank) FROM grid_level
                        WHERE grid_level.scheme_id = grid_scheme.scheme_id AND tessellates)
      AND state.valid @> coalesce(on_day, gis_today())
      AND state.geom && place
      AND gis_holds(state.geom, place)
$$;
"""


def upgrade() -> None:
    op.execute(HOLDS)
    op.execute(GRID_AT_EXACT)


def downgrade() -> None:
    before = context.script.get_revision('0001').module.GRID_AT
    op.execute(before.replace('CREATE FUNCTION', 'CREATE OR REPLACE FUNCTION'))
    op.execute('DROP FUNCTION gis_holds(geometry, geometry)')
