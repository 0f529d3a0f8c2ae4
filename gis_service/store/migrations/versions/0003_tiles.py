"""
Vector tiles: shapes simplified for a zoom, tiles cut before, and a count of what changed.

Revision ID: 0003
Revises: 0002
"""

import sqlalchemy as sa
from alembic import op
from geoalchemy2 import Geometry

revision = '0003'
down_revision = '0002'
branch_labels = None
depends_on = None

COUNT_CHANGES = """
CREATE FUNCTION gis_count_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO data_change (name, at, xid)
    VALUES (TG_ARGV[0], transaction_timestamp(), pg_current_xact_id()::text::bigint)
    ON CONFLICT DO NOTHING;
    RETURN NULL;
END $$;
COMMENT ON FUNCTION gis_count_change() IS
    'Notes that a transaction changed a table; the number of notes names the state of its data.';
"""

COUNTED = {
    "admin_unit": ("admin_unit", ()),
    "assignment": ("assignment", ()),
    "building": ("building", ()),
    "building_shape": ("building", ("footprint", "name", "kind", "storeys")),
    "coverage_run": ("coverage_run", ()),
    "facility": ("facility", ()),
    "grid_level": ("grid_level", ()),
    "grid_scheme": ("grid_scheme", ()),
    "grid_state": ("grid_state", ()),
    "grid_version": ("grid_version", ()),
    "hazard": ("hazard", ()),
    "household": ("household", ()),
    "import_record": ("import_record", ()),
    "incident": ("incident", ()),
    "land_cover": ("land_cover", ()),
    "premises": ("premises", ()),
    "road_edge": ("road_edge", ()),
    "road_network": ("road_network", ()),
}
"""Name of a count to the table and the columns whose update counts; no columns is every one."""


def upgrade() -> None:
    op.create_table('data_change',
    sa.Column('name', sa.Text(), nullable=False, comment='of the table that changed'),
    sa.Column('at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('xid', sa.BigInteger(), autoincrement=False, nullable=False),
    sa.PrimaryKeyConstraint('name', 'at', 'xid', name=op.f('pk_data_change')),
    comment='One row a table and transaction that changed it; their number names a state of the data. Triggers write it, and no two transactions wait for each other.'
    )
    op.create_table('tile_shape',
    sa.Column('shape_id', sa.BigInteger(), sa.Identity(always=False), nullable=False),
    sa.Column('content', sa.Text(), nullable=False, comment='scheme, version and when published'),
    sa.Column('zoom', sa.SmallInteger(), nullable=False),
    sa.Column('rank', sa.SmallInteger(), nullable=False),
    sa.Column('grid_id', sa.BigInteger(), nullable=True, comment='NULL: a border, rank says what it divides'),
    sa.Column('geom', Geometry(geometry_type='GEOMETRY', srid=4490, dimension=2, spatial_index=False, from_text='ST_GeomFromEWKT', name='geometry', nullable=False), nullable=False),
    sa.PrimaryKeyConstraint('shape_id', name=op.f('pk_tile_shape')),
    comment='Grids and their borders, simplified together for one zoom, once for each version.'
    )
    op.create_index('ix_tile_shape_geom', 'tile_shape', ['content', 'zoom', 'geom'], unique=False, postgresql_using='gist')
    op.create_table('tile',
    sa.Column('layer', sa.Text(), nullable=False),
    sa.Column('content', sa.Text(), nullable=False, comment='names the state of the data'),
    sa.Column('z', sa.SmallInteger(), autoincrement=False, nullable=False),
    sa.Column('x', sa.Integer(), autoincrement=False, nullable=False),
    sa.Column('y', sa.Integer(), autoincrement=False, nullable=False),
    sa.Column('body', sa.LargeBinary(), nullable=False, comment='MVT by gzip; empty: nothing there'),
    sa.PrimaryKeyConstraint('layer', 'content', 'z', 'x', 'y', name=op.f('pk_tile')),
    comment='Vector tiles that were cut before. Never a household.'
    )
    op.create_table('answer',
    sa.Column('question', sa.Text(), nullable=False),
    sa.Column('content', sa.Text(), nullable=False, comment='names the state of the data'),
    sa.Column('body', sa.LargeBinary(), nullable=False, comment='JSON by gzip'),
    sa.PrimaryKeyConstraint('question', name=op.f('pk_answer')),
    comment='Figures that were counted before, by who asked for what.'
    )
    for text in (COUNT_CHANGES, *counting()):
        run(text)


def run(text: str) -> None:
    """Run SQL that is text, with its colons and per cent signs as they stand."""
    cursor = op.get_bind().connection.cursor()
    try:
        cursor.execute(text)
    finally:
        cursor.close()


def counting():
    for name, (table, columns) in COUNTED.items():
        update = f"UPDATE OF {', '.join(columns)}" if columns else "UPDATE"
        yield (
            f"CREATE TRIGGER {name}_counted AFTER INSERT OR DELETE OR {update} ON {table}"
            f" FOR EACH STATEMENT EXECUTE FUNCTION gis_count_change('{name}')"
        )
        yield (
            f"CREATE TRIGGER {name}_emptied AFTER TRUNCATE ON {table}"
            f" FOR EACH STATEMENT EXECUTE FUNCTION gis_count_change('{name}')"
        )


def no_counting():
    for name, (table, _) in COUNTED.items():
        yield f"DROP TRIGGER {name}_counted ON {table}"
        yield f"DROP TRIGGER {name}_emptied ON {table}"
    yield "DROP FUNCTION gis_count_change()"


def downgrade() -> None:
    for text in no_counting():
        run(text)
    for name in ('answer', 'tile', 'tile_shape', 'data_change'):
        op.drop_table(name)
