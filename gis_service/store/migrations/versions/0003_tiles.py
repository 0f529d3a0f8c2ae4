"""
Vector tiles: shapes simplified for a zoom, tiles cut before, and a count of what changed.

Revision ID: 0003
Revises: 0002
"""

import sqlalchemy as sa
from alembic import op
from geoalchemy2 import Geometry

from gis_service.store import tiles

revision = '0003'
down_revision = '0002'
branch_labels = None
depends_on = None


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
    for text in (tiles.COUNT_CHANGES, *tiles.counting()):
        run(text)


def run(text: str) -> None:
    """Run SQL that is text, with its colons and per cent signs as they stand."""
    cursor = op.get_bind().connection.cursor()
    try:
        cursor.execute(text)
    finally:
        cursor.close()


def downgrade() -> None:
    for text in tiles.no_counting():
        run(text)
    for name in ('answer', 'tile', 'tile_shape', 'data_change'):
        op.drop_table(name)
